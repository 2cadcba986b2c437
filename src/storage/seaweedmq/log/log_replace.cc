// Compaction: other batches for a sealed file. They are uploaded first; then one transaction puts the file's
// entry with their chunks in the place of the one it had, and the filer deletes the needles of before.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/assert.h"

namespace tidegate::storage::seaweedmq {

// The last file is never among them: a log does not end in a gap.
std::vector<CleanableRange> DirectLog::cleanable(Offset end) const {
  std::vector<CleanableRange> ranges;
  const auto& files = index_.files();
  for (std::size_t i = 0; i + 1 < files.size() && files[i].end <= end; ++i) {
    if (files[i].chunks.empty()) continue;  // compacted to nothing
    ranges.push_back({.begin = std::max(files[i].base, log_start_),
                      .end = files[i].end,
                      .size_bytes = static_cast<std::size_t>(files[i].record_bytes())});
  }
  return ranges;
}

const LogFile* DirectLog::cleanable_file(const CleanableRange& range) const {
  const auto& files = index_.files();
  const auto found = std::ranges::find(files, range.end, &LogFile::end);
  if (found == files.end() || &*found == &files.back() || found->chunks.empty()) return nullptr;
  return std::max(found->base, log_start_) == range.begin ? &*found : nullptr;
}

Task<Result<void>> DirectLog::replace(CleanableRange range, BatchSource batches) {
  const auto self = shared_from_this();
  const Job job(*this);
  if (auto owner = check_owner(); !owner) co_return owner;
  const LogFile* before = cleanable_file(range);
  if (before == nullptr) {
    co_return fail(ErrorCode::invalid_request,
                   fmt::format("[{}, {}) is not cleanable", range.begin, range.end));
  }
  const LogFile old = *before;
  LogFile file = old;
  file.chunks.clear();
  auto written = co_await write_replacement(&file, old, std::move(batches));
  std::vector<std::string> made;
  for (const LogChunk& chunk : file.chunks) made.push_back(chunk.stored.file_id);
  co_await lock_files();
  if (written) {
    // A trim may have taken it meanwhile.
    before = cleanable_file(range);
    if (before == nullptr || before->name != old.name) {
      written = fail(ErrorCode::invalid_request,
                     fmt::format("[{}, {}) is not cleanable any more", range.begin, range.end));
    } else if (auto owner = check_owner(); !owner) {
      written = owner;
    }
  }
  if (!written) {
    unlock_files();
    discard(std::move(made));
    co_return written;
  }
  auto put = co_await fenced(FencedChange::Kind::put, place_.directory, entry_of(file));
  if (put) {
    index_.replace(std::move(file));
    home_.tails.drop_below(*tail_, range.end);
  }
  // Of unknown fate the entry may name either needles, so that none are discarded; a reader finds out.
  unlock_files();
  co_return put;
}

Task<Result<void>> DirectLog::write_replacement(LogFile* file, LogFile old, BatchSource batches) {
  // The first batch may begin below log start, as the one it stands for does.
  Offset next = old.chunks.front().facts.base;
  std::int64_t ts_ns = old.first_ts_ns;
  auto chunk = std::make_shared<NewChunk>(place_.layout, home_.options.mark_bytes);
  for (bool more = true; more;) {
    auto some = co_await batches();
    if (!some) co_return fail(std::move(some.error()));
    more = !some->empty();
    for (const auto& batch : *some) {
      TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes());
      if (batch.header.base_offset < next || batch.header.last_offset_delta < 0 ||
          batch.header.next_offset() > old.end) {
        co_return fail(ErrorCode::invalid_request, fmt::format("batch at {} does not fit into [{}, {})",
                                                               batch.header.base_offset, next, old.end));
      }
      next = batch.header.next_offset();
      ts_ns = chunk->add({.header = batch.header, .front = batch.bytes, .stored_values = batch.stored_values},
                         ts_ns);
    }
    const bool full = chunk->writer.size_bytes() >= home_.options.max_chunk_bytes;
    if (chunk->batches.empty() || (more && !full)) continue;
    auto uploaded = co_await upload(chunk);
    if (!uploaded) co_return uploaded;
    file->add(chunk->chunk, old.first_ts_ns, old.last_ts_ns);
    chunk = std::make_shared<NewChunk>(place_.layout, home_.options.mark_bytes);
  }
  // What it stands for stays, whatever is left in it.
  file->end = old.end;
  file->first_ts_ns = old.first_ts_ns;
  file->last_ts_ns = old.last_ts_ns;
  co_return Result<void>{};
}

}  // namespace tidegate::storage::seaweedmq
