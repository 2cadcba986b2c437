// Questions that walk batches: offsets by time, the largest timestamp, headers for producer state. The files'
// attributes say which chunks can have the answer, and only those are read.
#include <algorithm>

#include "direct_log.h"
#include "tidegate/storage/batch_search.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr int kAttempts = 4;
}  // namespace

Task<Result<std::vector<protocol::RecordBatch>>> DirectLog::batches_of(std::vector<LogChunk> chunks,
                                                                       bool headers_only) {
  using Batches = std::vector<protocol::RecordBatch>;
  const Offset begin = chunks.front().facts.base;
  const Offset end = chunks.back().facts.end;
  Batches batches;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::vector<LogPart> parts;
    for (const LogChunk& chunk : chunks) {
      for (LogPart& part : parts_of(chunk)) parts.push_back(std::move(part));
    }
    auto opened = co_await open_parts(std::move(parts), headers_only);
    if (!opened) co_return fail(std::move(opened.error()));
    for (std::size_t i = 0; i < opened->size(); ++i) {
      const ChunkPtr& one = (*opened)[i];
      if (i > 0 && one == (*opened)[i - 1]) continue;  // several parts in one
      batches.insert(batches.end(), one->batches.begin(), one->batches.end());
    }
    if (!opened->empty()) break;
    // Other chunks have taken its place, or none.
    chunks = index_.chunks_within(begin, end);
    if (chunks.empty()) break;
  }
  std::erase_if(batches, [&](const auto& batch) {
    return batch.header.base_offset >= end || batch.header.next_offset() <= begin;
  });
  co_return batches;
}

Task<Result<TimestampedOffset>> DirectLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (auto loaded = co_await load_older(); !loaded) co_return fail(std::move(loaded.error()));
  const OffsetRange within{.begin = log_start_, .end = std::min(end, committed_end_)};
  for (const LogChunk& chunk : index_.chunks_within(within.begin, within.end)) {
    if (chunk.facts.max_timestamp < timestamp_ms) continue;
    std::vector<LogChunk> one{chunk};
    auto batches = co_await batches_of(std::move(one));
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      const auto& header = batch.header;
      if (header.base_offset >= within.end || header.next_offset() <= within.begin ||
          header.max_timestamp < timestamp_ms)
        continue;
      // A batch whose records cannot be read has no answer; the next one may.
      const auto found = first_record_at_or_after(batch, timestamp_ms, within);
      if (found && *found) co_return **found;
    }
  }
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  co_return TimestampedOffset();
}

Task<Result<TimestampedOffset>> DirectLog::max_timestamp(Offset end) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (auto loaded = co_await load_older(); !loaded) co_return fail(std::move(loaded.error()));
  const OffsetRange within{.begin = log_start_, .end = std::min(end, committed_end_)};
  auto chunks = index_.chunks_within(within.begin, within.end);
  // The most promising first: nearly always it has the answer, and rules out the rest.
  std::ranges::sort(chunks, [](const LogChunk& a, const LogChunk& b) {
    return a.facts.max_timestamp != b.facts.max_timestamp ? a.facts.max_timestamp > b.facts.max_timestamp
                                                          : a.facts.base < b.facts.base;
  });
  TimestampedOffset best;
  for (const LogChunk& chunk : chunks) {
    const bool hopeless =
        chunk.facts.max_timestamp < best.timestamp ||
        (chunk.facts.max_timestamp == best.timestamp && best.offset >= 0 && chunk.facts.base > best.offset);
    if (hopeless || chunk.facts.max_timestamp < 0) continue;
    std::vector<LogChunk> one{chunk};
    auto batches = co_await batches_of(std::move(one));
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      if (batch.header.max_timestamp < best.timestamp) continue;
      const auto found = latest_record(batch, within);
      if (!found || !*found) continue;
      const bool better = (*found)->timestamp > best.timestamp ||
                          ((*found)->timestamp == best.timestamp && (*found)->offset < best.offset);
      if (better) best = **found;
    }
  }
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  co_return best;
}

Task<Result<std::vector<protocol::BatchHeader>>> DirectLog::scan_headers(Offset from, Offset end,
                                                                         std::size_t max_batches) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  const OffsetRange within{.begin = std::max(from, log_start_), .end = std::min(end, committed_end_)};
  if (older_ && within.begin < state_.listed_end) {
    if (auto loaded = co_await load_older(); !loaded) co_return fail(std::move(loaded.error()));
  }
  std::vector<protocol::BatchHeader> headers;
  const std::vector<LogChunk> chunks = index_.chunks_within(within.begin, within.end);
  for (std::size_t i = 0; i < chunks.size() && headers.size() < max_batches;
       i += home_.options.parallel_chunks) {
    const auto first = chunks.begin() + static_cast<std::ptrdiff_t>(i);
    const std::size_t count = std::min(home_.options.parallel_chunks, chunks.size() - i);
    std::vector<LogChunk> some(first, first + static_cast<std::ptrdiff_t>(count));
    auto batches = co_await batches_of(std::move(some), true);
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) {
      const bool wanted = batch.header.base_offset < within.end && batch.header.next_offset() > within.begin;
      if (wanted && headers.size() < max_batches) headers.push_back(batch.header);
    }
  }
  co_return headers;
}

}  // namespace tidegate::storage::seaweedmq
