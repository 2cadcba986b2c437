// Reading: the tail from memory, the rest from volume servers, several chunks at a time.
#include <algorithm>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
// A needle that is gone was merged or compacted away meanwhile: its entry names others. Not again and again.
constexpr int kAttempts = 4;
// For an entry that is not there: about two seconds.
constexpr int kLooksAgain = 4;
constexpr Duration kFirstLookAgain = std::chrono::milliseconds(100);
}  // namespace

Task<Result<ReadResult>> DirectLog::read(Offset from, ReadLimits limits) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (from < log_start_ || from > log_end_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is outside of [{}, {}]", from, log_start_, log_end_));
  }
  limits.end = std::min(limits.end, committed_end_);
  if (from >= limits.end) {
    ReadResult nothing;
    nothing.next_offset = from;
    co_return nothing;
  }
  if (tail_->holds(from)) {
    home_.metrics.cache_hits.add();
    ReadBuilder builder(from, limits);
    tail_->read(from, builder);
    co_return builder.take();
  }
  home_.metrics.cache_misses.add();
  const bool reads_on = from == read_to_;
  auto result = co_await read_cold(from, limits);
  if (result) read_to_ = result->next_offset;
  if (result && reads_on && check_owner()) read_ahead(result->next_offset);
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (from < log_start_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is below log start {}", from, log_start_));
  }
  co_return result;
}

Task<Result<ReadResult>> DirectLog::read_cold(Offset from, ReadLimits limits) {
  if (older_ && from < state_.listed_end) {
    if (auto loaded = co_await load_older(); !loaded) co_return fail(std::move(loaded.error()));
  }
  ReadBuilder builder(from, limits);
  Offset at = from;
  for (int attempt = 0; attempt < kAttempts;) {
    // As many as the limits can take, one at least.
    std::vector<LogPart> wanted = index_.parts_from(at, limits.end, home_.options.parallel_chunks);
    std::size_t planned = builder.size_bytes();
    std::size_t take = 0;
    while (take < wanted.size() && (take == 0 || planned < limits.max_bytes))
      planned += wanted[take++].record_bytes;
    wanted.resize(take);
    if (wanted.empty()) co_return builder.take();
    auto opened = co_await open_parts(wanted);
    if (!opened) {
      if (builder.batches() > 0) co_return builder.take();
      co_return fail(std::move(opened.error()));
    }
    if (opened->empty()) {
      ++attempt;
      continue;
    }
    for (std::size_t i = 0; i < opened->size(); ++i) {
      const OpenChunk& chunk = *(*opened)[i];
      for (const auto& batch : chunk.batches) {
        if (batch.header.next_offset() <= at) continue;
        if (!builder.add(batch.header, batch.bytes, {})) co_return builder.take();
        at = batch.header.next_offset();
      }
      if (chunk.damage && at < wanted[i].end) {
        if (builder.batches() > 0) co_return builder.take();
        co_return fail(*chunk.damage);
      }
      at = std::max(at, wanted[i].end);
    }
    if (builder.size_bytes() >= limits.max_bytes || at >= limits.end) co_return builder.take();
  }
  if (builder.batches() > 0) co_return builder.take();
  co_return fail(ErrorCode::kafka_storage_error,
                 fmt::format("the data at offset {} is not on the volume servers", at));
}

// One at a time, and only once a reader has gone on where it ended: chunks that nobody reads cost a download
// each.
void DirectLog::read_ahead(Offset from) {
  std::vector<LogPart> next = index_.parts_from(from, committed_end_, home_.options.ahead_chunks);
  std::size_t bytes = 0;
  for (const LogPart& part : next) bytes += part.until - part.begin;
  if (next.empty() || reading_ahead_ || !home_.chunks.has_room_for(bytes)) return;
  static constexpr auto run = [](std::shared_ptr<DirectLog> self, std::unique_ptr<Job> /*job*/,
                                 std::vector<LogPart> parts) -> Task<void> {
    // An error is for whoever reads them.
    static_cast<void>(co_await self->open_parts(std::move(parts)));
    self->reading_ahead_ = false;
  };
  reading_ahead_ = true;
  home_.shard.spawn(run(shared_from_this(), std::make_unique<Job>(*this), std::move(next)),
                    "seaweedmq read ahead");
}

Task<Result<std::vector<ChunkPtr>>> DirectLog::open_parts(std::vector<LogPart> parts, bool headers_only) {
  std::vector<ChunkReader::Asked> asked;
  for (const LogPart& part : parts) {
    asked.push_back(
        {.chunk = part.stored,
         .form = {.layout = place_.layout, .headers_only = headers_only, .topic = place_.id.topic},
         .begin = part.begin,
         .end = part.until});
  }
  auto opened = co_await home_.chunks.read(std::move(asked));
  if (!opened) co_return fail(std::move(opened.error()));
  bool gone = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if ((*opened)[i]) continue;
    gone = true;
    auto refreshed = co_await refresh_file(parts[i].stored.file_id);
    if (!refreshed) co_return fail(std::move(refreshed.error()));
  }
  if (gone) co_return std::vector<ChunkPtr>();
  co_return std::move(*opened);
}

Task<Result<void>> DirectLog::refresh_file(std::string file_id) {
  // Whoever replaces needles holds the lock until the index names the other ones.
  co_await lock_files();
  unlock_files();
  const LogFile* known = index_.file_with(file_id);
  if (known == nullptr) co_return Result<void>{};  // ours has changed since
  const LogFileName name = known->name;
  auto entry = co_await home_.backend.filer.lookup(place_.directory, name.to_string());
  // A filer with a store of its own may not know of it yet. What somebody has removed stays away.
  Duration backoff = kFirstLookAgain;
  for (int look = 0; entry && !*entry && look < kLooksAgain && !removed_ && !closing_; ++look) {
    co_await home_.back_off(backoff);
    entry = co_await home_.backend.filer.lookup(place_.directory, name.to_string());
  }
  if (!entry) co_return fail(std::move(entry.error()));
  known = index_.find(name);
  if (known == nullptr || index_.file_with(file_id) != known) co_return Result<void>{};
  if (!*entry) {
    // Somebody has removed the file: what it held is a gap.
    module_log().warn("event=log_file_missing directory={} file={} from_offset={} to_offset={}",
                      place_.directory, name.to_string(), known->base, known->end);
    home_.metrics.lost_ranges.add();
    if (active_ != name) index_.erase(name);
    if (log_start_ < index_.begin() && !older_ && !index_.empty()) {
      log_start_ = index_.begin();
      tell();
    }
    co_return Result<void>{};
  }
  auto file = file_of(**entry);
  if (!file) co_return fail(std::move(file.error()));
  if (!*file || (*file)->base != known->base || (*file)->end < known->end) co_return Result<void>{};
  if ((*file)->end == known->end) {
    index_.replace(std::move(**file));
  } else if (active_ != name) {
    // A merge whose answer was lost.
    adopt_merged(std::move(**file));
  }
  co_return Result<void>{};
}

std::size_t DirectLog::readable_bytes(Offset from, Offset end) const {
  end = std::min(end, committed_end_);
  if (from >= end) return 0;
  if (tail_->holds(from)) return tail_->bytes_between(from, end);
  std::uint64_t bytes = index_.bytes_between(from, end);
  if (older_ && from < state_.listed_end) bytes += state_.listed_bytes;
  return static_cast<std::size_t>(bytes);
}

}  // namespace tidegate::storage::seaweedmq
