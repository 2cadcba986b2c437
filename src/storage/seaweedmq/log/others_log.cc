#include "others_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "tidegate/storage/batch_search.h"
#include "tidegate/storage/read_builder.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Times that a read lists the directory anew because a needle is gone.
constexpr int kAttempts = 3;
constexpr std::int64_t kMsPerSecond = 1000;
// To be opened for writing.
constexpr Duration kAskAgain = std::chrono::milliseconds(200);

Error not_ours(const char* what) { return {ErrorCode::policy_violation, what}; }
}  // namespace

OthersLog::OthersLog(LogShard& home, std::string directory, std::shared_ptr<Ownership> ownership,
                     Options options)
    : home_(home),
      directory_(std::move(directory)),
      ownership_(std::move(ownership)),
      options_(std::move(options)),
      epochs_{{.epoch = ownership_->epoch(), .start = 0}},
      asked_(home.clock.now()) {}

// ---------------------------------------------------------------------------------- what is refused

Task<Result<Appended>> OthersLog::append(LeaderEpoch, std::vector<protocol::RecordBatch>) {
  if (!options_.wants_to_write)
    co_return fail(not_ours("this topic is written by SeaweedMQ's brokers, and none is looked for here"));
  const MonoTime now = home_.clock.now();
  if (now - std::exchange(wanted_, now) >= kAskAgain) options_.wants_to_write();
  co_return fail(ErrorCode::not_leader_or_follower, "the partition is being opened for writing");
}
Task<Result<Offset>> OthersLog::trim_before(Offset) {
  co_return fail(not_ours("the log files of this topic are SeaweedMQ's: its records are not deleted here"));
}
Task<Result<void>> OthersLog::replace(CleanableRange, BatchSource) {
  co_return fail(ErrorCode::invalid_request, "nothing of this log is cleanable");
}

Task<Result<void>> OthersLog::wait_durable(Offset end) {
  if (end <= end_) co_return Result<void>{};
  co_return fail(ErrorCode::kafka_storage_error, fmt::format("offset {} is above log end {}", end, end_));
}

Task<Result<std::vector<protocol::BatchHeader>>> OthersLog::scan_headers(Offset, Offset, std::size_t) {
  co_return std::vector<protocol::BatchHeader>();
}

// -------------------------------------------------------------------------------------------- state

Result<void> OthersLog::check_owner() const {
  if (removed_) return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
  if (closed_by_) return fail(*closed_by_);
  if (!ownership_->holds())
    return fail(ErrorCode::not_leader_or_follower, "the partition has another leader");
  return {};
}

Result<std::optional<OthersLog::Edge>> OthersLog::edge() const {
  if (files_.empty()) return std::nullopt;
  const OthersFile& last = files_.back();
  if (!last.end_was_read)
    return fail(ErrorCode::kafka_storage_error, "where the log ends could not be read from its last file");
  return Edge{.file = last.name, .chunks = last.chunks.size(), .end = end_};
}

LogOffsets OthersLog::offsets() const {
  ask();
  return {.log_start = start_, .high_watermark = end_, .log_end = end_};
}

std::size_t OthersLog::size_bytes() const {
  return files_.empty() ? 0 : static_cast<std::size_t>(files_.back().begin + files_.back().bytes);
}

std::size_t OthersLog::find_above(Offset offset) const {
  const auto found = std::ranges::upper_bound(files_, offset, {}, &OthersFile::end);
  return static_cast<std::size_t>(found - files_.begin());
}

std::size_t OthersLog::readable_bytes(Offset from, Offset end) const {
  ask();
  end = std::min(end, end_);
  const std::size_t first = find_above(from);
  if (from >= end || first >= files_.size()) return 0;
  const std::size_t last = std::min(find_above(end - 1), files_.size() - 1);
  return static_cast<std::size_t>(files_[last].begin + files_[last].bytes - files_[first].begin);
}

// ------------------------------------------------------------------------------------------ reading

// In order. What is in a chunk is known only behind the one in front of it, so that of a file which was never
// read there is one.
std::vector<OthersLog::Wanted> OthersLog::chunks_from(Offset from, Offset end, std::size_t limit) const {
  std::vector<Wanted> wanted;
  for (std::size_t i = find_above(from); i < files_.size() && files_[i].base < end; ++i) {
    Offset behind = files_[i].base;
    for (const OthersChunk& chunk : files_[i].chunks) {
      if (wanted.size() >= limit) return wanted;
      if (behind < 0) break;
      if (chunk.end < 0 || chunk.end > from)
        wanted.push_back({.file = files_[i].name, .stored = chunk.stored, .from = behind});
      behind = chunk.end < 0 ? -1 : std::max(behind, chunk.end);
    }
    // The next file is behind all of this one.
    if (behind < 0 && files_[i].chunks.size() > 1) return wanted;
  }
  return wanted;
}

void OthersLog::note_end(const Wanted& chunk, Offset end) {
  const auto file = std::ranges::lower_bound(files_, chunk.file, {}, &OthersFile::name);
  if (file == files_.end() || file->name != chunk.file) return;
  const auto found = std::ranges::find(file->chunks, chunk.stored.file_id,
                                       [](const OthersChunk& one) { return one.stored.file_id; });
  if (found != file->chunks.end()) found->end = end;
}

// `opened` is left empty when a needle is gone; the directory has been listed anew then.
Task<Result<void>> OthersLog::open_wanted(std::vector<Wanted> wanted, std::vector<ChunkPtr>* opened) {
  std::vector<ChunkReader::Asked> asked;
  for (const Wanted& one : wanted)
    asked.push_back({.chunk = one.stored, .form = {.layout = Layout::record, .others_from = one.from}});
  auto chunks = co_await home_.chunks.read(std::move(asked));
  if (!chunks) co_return fail(std::move(chunks.error()));
  if (std::ranges::find(*chunks, nullptr) != chunks->end()) co_return co_await refresh(true);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const OpenChunk& chunk = *(*chunks)[i];
    const Offset end = chunk.batches.empty() ? wanted[i].from : chunk.batches.back().header.next_offset();
    if (!chunk.damage) note_end(wanted[i], end);
  }
  *opened = std::move(*chunks);
  co_return Result<void>{};
}

Task<Result<ReadResult>> OthersLog::read(Offset from, ReadLimits limits) {
  const auto self = shared_from_this();
  ask();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (from < start_ || from > end_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is outside of [{}, {}]", from, start_, end_));
  }
  limits.end = std::min(limits.end, end_);
  ReadBuilder builder(from, limits);
  home_.metrics.cache_misses.add();
  Offset at = from;
  for (int attempt = 0; attempt < kAttempts && at < limits.end;) {
    const auto wanted = chunks_from(at, limits.end, home_.options.parallel_chunks);
    if (wanted.empty()) break;
    std::vector<ChunkPtr> opened;
    auto done = co_await open_wanted(wanted, &opened);
    if (done) done = check_owner();
    if (done && from < start_) done = fail(ErrorCode::offset_out_of_range, "the log files were deleted");
    if (!done && builder.batches() > 0) break;
    if (!done) co_return fail(std::move(done.error()));
    if (opened.empty()) {
      ++attempt;
      continue;
    }
    for (std::size_t i = 0; i < opened.size(); ++i) {
      for (const auto& batch : opened[i]->batches) {
        if (batch.header.next_offset() <= at) continue;
        // Whoever asks from there on passes over what was in front; in one answer it would come twice.
        if (batch.header.base_offset < at && builder.batches() > 0) co_return builder.take();
        if (!builder.add(batch.header, batch.bytes, {})) co_return builder.take();
        at = batch.header.next_offset();
      }
      if (!opened[i]->damage) continue;
      if (builder.batches() == 0) co_return fail(*opened[i]->damage);
      co_return builder.take();
    }
    if (builder.size_bytes() >= limits.max_bytes) break;
  }
  if (builder.batches() > 0 || at >= limits.end) co_return builder.take();
  // Every chunk that should have it was read.
  co_return fail(ErrorCode::kafka_storage_error,
                 fmt::format("the data at offset {} is not in its log files", at));
}

// ------------------------------------------------------------------------------------------ by time

Task<Result<std::vector<protocol::RecordBatch>>> OthersLog::batches_of(LogFileName name) {
  std::vector<protocol::RecordBatch> batches;
  const auto file = std::ranges::lower_bound(files_, name, {}, &OthersFile::name);
  if (file == files_.end() || file->name != name) co_return batches;
  const std::vector<OthersChunk> chunks = file->chunks;
  Offset from = file->base;
  for (const OthersChunk& chunk : chunks) {
    std::vector<Wanted> wanted{{.file = name, .stored = chunk.stored, .from = from}};
    std::vector<ChunkPtr> opened;
    auto done = co_await open_wanted(std::move(wanted), &opened);
    if (!done) co_return fail(std::move(done.error()));
    if (opened.empty()) break;
    batches.insert(batches.end(), opened[0]->batches.begin(), opened[0]->batches.end());
    if (!batches.empty()) from = batches.back().header.next_offset();
  }
  co_return batches;
}

// Times ascend, and a file's name is the second of its first entry.
Task<Result<TimestampedOffset>> OthersLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  const auto self = shared_from_this();
  ask();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  const OffsetRange within{.begin = start_, .end = std::min(end, end_)};
  std::vector<LogFileName> names;
  for (const OthersFile& file : files_) {
    if (file.name.second * kMsPerSecond < timestamp_ms - kMsPerSecond) names.clear();
    names.push_back(file.name);
  }
  for (const LogFileName& name : names) {
    auto batches = co_await batches_of(name);
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      if (batch.header.base_offset >= within.end) co_return TimestampedOffset();
      if (batch.header.max_timestamp < timestamp_ms) continue;
      const auto found = first_record_at_or_after(batch, timestamp_ms, within);
      if (found && *found) co_return **found;
    }
  }
  co_return TimestampedOffset();
}

Task<Result<TimestampedOffset>> OthersLog::max_timestamp(Offset end) {
  const auto self = shared_from_this();
  ask();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  const OffsetRange within{.begin = start_, .end = std::min(end, end_)};
  std::vector<LogFileName> names;
  for (const OthersFile& file : files_) {
    if (file.base < within.end) names.push_back(file.name);
  }
  TimestampedOffset best;
  for (; best.offset < 0 && !names.empty(); names.pop_back()) {
    auto batches = co_await batches_of(names.back());
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      const auto found = latest_record(batch, within);
      if (found && *found && (*found)->timestamp > best.timestamp) best = **found;
    }
  }
  co_return best;
}

// --------------------------------------------------------------------------------------------- life

void OthersLog::remove() {
  removed_ = true;
  wake_.notify_all();
}

Task<void> OthersLog::close(Error why) {
  const auto self = shared_from_this();
  closed_by_ = std::move(why);
  closing_ = true;
  wake_.notify_all();
  while (jobs_ > 0) co_await changed_.wait();
}

}  // namespace tidegate::storage::seaweedmq
