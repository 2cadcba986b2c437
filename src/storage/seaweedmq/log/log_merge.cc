// Merging: small sealed files that lie beside each other become one. Their chunks are copied into larger
// ones; then one transaction puts the first file's entry with those, and the others are erased one by one.
// Cut short in between, the others are residue, which a take-over finds below the end of the file in front.
#include <algorithm>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Merges of one log in one round of housekeeping, so that the other logs get theirs.
constexpr int kMergesAtOnce = 4;
constexpr std::int64_t kNsPerMs = 1'000'000;
}  // namespace

// Only files that a take-over does not list: their epochs are written down, and its list stays what it is.
std::vector<LogFile> DirectLog::plan_merge() const {
  const DirectOptions& options = home_.options;
  const std::uint64_t most = std::min(
      options.max_file_bytes, static_cast<std::uint64_t>(std::max<std::int64_t>(config_.segment_bytes, 1)));
  const auto& files = index_.files();
  const auto joins = [&](const LogFile& file, const LogFile& first, std::uint64_t total) {
    const std::uint64_t bytes = file.stored_bytes();
    // Two chunks beside each other have more than the limit of one.
    const std::uint64_t chunks = 2 * (total + bytes) / options.max_chunk_bytes + 1;
    return file.end <= state_.listed_end && bytes <= most / 2 && total + bytes <= most &&
           chunks <= options.max_chunks_per_file &&
           // As a segment, a file spans no more time than retention can wait for.
           (file.last_ts_ns - first.first_ts_ns) / kNsPerMs <= config_.segment_ms;
  };
  for (std::size_t first = 0; first < files.size() && files[first].end <= state_.listed_end; ++first) {
    std::uint64_t total = 0;
    std::uint64_t largest = 0;
    std::size_t last = first;
    while (last < files.size() && last - first < options.merge_files_at_most &&
           joins(files[last], files[first], total)) {
      const std::uint64_t bytes = files[last++].stored_bytes();
      total += bytes;
      largest = std::max(largest, bytes);
    }
    const std::size_t count = last - first;
    // Whoever is copied gets into a file of twice its size at least, so that nothing is copied often.
    const bool worth =
        count >= 2 && (count >= options.merge_files || total >= most / 2) && 2 * largest <= total;
    if (worth) {
      const auto begin = files.begin() + static_cast<std::ptrdiff_t>(first);
      return {begin, begin + static_cast<std::ptrdiff_t>(count)};
    }
  }
  return {};
}

Task<void> DirectLog::merge_small() {
  if (older_) co_return;
  for (int i = 0; i < kMergesAtOnce && check_owner() && !broken_; ++i) {
    auto run = plan_merge();
    if (run.empty()) co_return;
    const std::string first = run.front().name.to_string();
    auto merged = co_await merge(std::move(run));
    if (merged) continue;
    module_log().warn("event=merge_failed directory={} file={} error=\"{}\"", place_.directory, first,
                      merged.error().message);
    co_return;  // with the next housekeeping
  }
}

Task<Result<void>> DirectLog::merge(std::vector<LogFile> run) {
  LogFile merged = run.front();
  merged.chunks.clear();
  auto written = co_await write_merged(&merged, run);
  std::vector<std::string> made;
  for (const LogChunk& chunk : merged.chunks) made.push_back(chunk.stored.file_id);
  co_await lock_files();
  if (written) written = check_owner();
  if (written && !is_unchanged(run))
    written = fail(ErrorCode::invalid_request, "the files have changed meanwhile");
  if (!written) {
    unlock_files();
    discard(std::move(made));
    co_return written;
  }
  auto put = co_await fenced(FencedChange::Kind::put, place_.directory, entry_of(merged));
  // Of unknown fate the entry may name either needles, so that none are discarded; a reader finds out.
  if (put) {
    home_.metrics.merges.add();
    adopt_merged(std::move(merged));
  }
  unlock_files();
  if (put) co_await drop_below_start();
  co_return put;
}

Task<Result<void>> DirectLog::write_merged(LogFile* merged, std::vector<LogFile> run) {
  auto chunk = std::make_shared<NewChunk>(place_.layout, home_.options.mark_bytes);
  for (const LogFile& file : run) {
    for (const LogChunk& source : file.chunks) {
      if (auto owner = check_owner(); !owner) co_return owner;
      auto bytes = co_await home_.chunks.read_plain(source.stored, place_.layout);
      if (!bytes) co_return fail(std::move(bytes.error()));
      if (!*bytes) {
        static_cast<void>(co_await refresh_file(source.stored.file_id));
        co_return fail(ErrorCode::kafka_storage_error, "a needle is gone");
      }
      if (!chunk->raw.empty() && chunk->raw_bytes + (*bytes)->size() > home_.options.max_chunk_bytes) {
        if (auto uploaded = co_await upload(chunk); !uploaded) co_return uploaded;
        merged->add(chunk->chunk, merged->first_ts_ns, merged->last_ts_ns);
        chunk = std::make_shared<NewChunk>(place_.layout, home_.options.mark_bytes);
      }
      if (chunk->raw.empty()) chunk->first_ts_ns = file.first_ts_ns;
      chunk->add(source, std::move(**bytes));
    }
  }
  if (!chunk->raw.empty()) {
    if (auto uploaded = co_await upload(chunk); !uploaded) co_return uploaded;
    merged->add(chunk->chunk, merged->first_ts_ns, merged->last_ts_ns);
  }
  merged->end = run.back().end;
  merged->first_ts_ns = run.front().first_ts_ns;
  merged->last_ts_ns = run.back().last_ts_ns;
  co_return Result<void>{};
}

bool DirectLog::is_unchanged(const std::vector<LogFile>& run) const {
  return std::ranges::all_of(run, [this](const LogFile& file) {
    const LogFile* const now = index_.find(file.name);
    return now != nullptr && now->base == file.base && now->end == file.end &&
           std::ranges::equal(now->chunks, file.chunks, [](const LogChunk& a, const LogChunk& b) {
             return a.stored.file_id == b.stored.file_id;
           });
  });
}

// Others that it covers are residue from now on.
void DirectLog::adopt_merged(LogFile merged) {
  for (const LogFileName& name : index_.merge(std::move(merged))) {
    if (std::ranges::find(doomed_, name) == doomed_.end()) doomed_.push_back(name);
  }
}

}  // namespace tidegate::storage::seaweedmq
