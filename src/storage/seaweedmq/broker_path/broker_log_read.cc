// Reading: the tail from memory, what was flushed from volume servers, and what was not from memory again.
// And questions that walk batches.
#include <algorithm>

#include <fmt/format.h>

#include "broker_log.h"

namespace tidegate::storage::seaweedmq {

Task<Result<ReadResult>> BrokerLog::read(Offset from, ReadLimits limits) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (from < log_start_ || from > log_end_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is outside of [{}, {}]", from, log_start_, log_end_));
  }
  // Whoever asks for more than the high watermark gets what is in the log.
  if (limits.end > committed_end_) limits.end = std::min(limits.end, answered_end());
  if (from >= limits.end) {
    ReadResult nothing;
    nothing.next_offset = from;
    co_return nothing;
  }
  if (place_.shared) co_return co_await read_shared(from, limits);
  if (tail_->holds(from)) {
    home_.metrics.cache_hits.add();
    ReadBuilder builder(from, limits);
    tail_->read(from, builder);
    co_return builder.take();
  }
  home_.metrics.cache_misses.add();
  auto result = co_await read_cold(from, limits);
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (from < log_start_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is below log start {}", from, log_start_));
  }
  co_return result;
}

Task<Result<bool>> BrokerLog::add_cold(ReadBuilder& builder, ReadLimits limits, Offset* at, Offset end) {
  for (;;) {
    // As many as the limits can take, one at least.
    std::vector<LogChunk> wanted = index_.chunks_from(*at, end, home_.options.parallel_chunks);
    std::size_t planned = builder.size_bytes();
    std::size_t take = 0;
    while (take < wanted.size() && (take == 0 || planned < limits.max_bytes))
      planned += wanted[take++].facts.record_bytes;
    wanted.resize(take);
    if (wanted.empty()) co_return true;
    auto opened = co_await open_chunks(wanted);
    if (!opened) {
      if (builder.batches() > 0) co_return false;
      co_return fail(std::move(opened.error()));
    }
    for (std::size_t i = 0; i < opened->size(); ++i) {
      const OpenChunk& chunk = *(*opened)[i];
      for (std::size_t k = 0; k < chunk.batches.size(); ++k) {
        const auto& batch = chunk.batches[k];
        const bool is_batch = !chunk.marks[k].own_end && !is_void(wanted[i].stored.file_id, k);
        if (!is_batch || batch.header.next_offset() <= *at) continue;
        if (batch.header.base_offset >= end) co_return true;
        if (!builder.add(batch.header, batch.bytes, {})) co_return false;
        *at = batch.header.next_offset();
      }
      *at = std::max(*at, std::min(wanted[i].facts.end, end));
    }
    if (builder.size_bytes() >= limits.max_bytes) co_return false;
    if (*at >= end) co_return true;
  }
}

Task<Result<ReadResult>> BrokerLog::read_cold(Offset from, ReadLimits limits) {
  ReadBuilder builder(from, limits);
  Offset at = from;
  auto more = co_await add_cold(builder, limits, &at, limits.end);
  if (!more) co_return fail(std::move(more.error()));
  if (!*more || at >= limits.end) co_return builder.take();
  for (const Sent& sent : sent_) {
    if (!sent.committed && !sent.answered) break;
    const auto& header = sent.batch.header;
    if (header.next_offset() <= at) continue;
    if (!builder.add(header, sent.batch.front, sent.batch.rest)) break;
  }
  co_return builder.take();
}

Offset BrokerLog::answered_end() const {
  Offset end = committed_end_;
  for (const Sent& sent : sent_) {
    if (!sent.committed && !sent.answered) break;
    end = std::max(end, sent.batch.header.next_offset());
  }
  return end;
}

std::size_t BrokerLog::readable_bytes(Offset from, Offset end) const {
  end = std::min(end, committed_end_);
  if (from >= end) return 0;
  if (tail_->holds(from)) return tail_->bytes_between(from, end);
  auto bytes = static_cast<std::size_t>(index_.bytes_between(from, end));
  for (const Sent& sent : sent_) {
    const auto& header = sent.batch.header;
    if (sent.committed && header.base_offset < end && header.next_offset() > from) bytes += sent.batch.size();
  }
  bytes += static_cast<std::size_t>(others_.bytes_between(std::max(from, counted_from()), end, flushed_end_));
  if (older_ && from < counted_from()) bytes += older_->readable_bytes(from, std::min(end, counted_from()));
  return bytes;
}

// Those of the chunk that are in the log.
Task<Result<std::vector<protocol::RecordBatch>>> BrokerLog::batches_of(LogChunk chunk) {
  std::vector<LogChunk> one;
  const std::string id = chunk.stored.file_id;
  one.push_back(std::move(chunk));
  auto opened = co_await open_chunks(std::move(one));
  if (!opened) co_return fail(std::move(opened.error()));
  std::vector<protocol::RecordBatch> batches;
  const OpenChunk& open = *opened->front();
  for (std::size_t i = 0; i < open.batches.size(); ++i) {
    if (!open.marks[i].own_end && !is_void(id, i)) batches.push_back(open.batches[i]);
  }
  co_return batches;
}

// Committed, and not seen in a file yet.
std::vector<protocol::RecordBatch> BrokerLog::batches_in_memory(OffsetRange within) const {
  std::vector<protocol::RecordBatch> batches;
  for (const Sent& sent : sent_) {
    const auto& header = sent.batch.header;
    if (!sent.committed || header.base_offset >= within.end) break;
    if (header.next_offset() <= within.begin) continue;
    std::string whole;
    whole.reserve(sent.batch.size());
    whole.append(as_text(sent.batch.front.bytes())).append(as_text(sent.batch.rest.bytes()));
    batches.push_back({.header = header, .bytes = SharedBuffer::copy_of(as_bytes(whole))});
  }
  return batches;
}

Task<Result<TimestampedOffset>> BrokerLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  TimestampedOffset others;
  if (place_.shared) {
    auto found = co_await others_offset_for_time(timestamp_ms, end);
    if (!found) co_return found;
    others = *found;
    if (others.offset >= 0 && others.offset < counted_from()) co_return others;
  }
  const OffsetRange within{.begin = log_start_, .end = std::min(end, committed_end_)};
  auto in_memory = batches_in_memory(within);
  const auto chunks = index_.chunks_within(std::max(within.begin, counted_from()), within.end);
  for (std::size_t i = 0; i <= chunks.size(); ++i) {
    if (i < chunks.size() && chunks[i].facts.max_timestamp < timestamp_ms) continue;
    auto batches = std::move(in_memory);
    if (i < chunks.size()) {
      in_memory = std::exchange(batches, {});
      auto read = co_await batches_of(chunks[i]);
      if (!read) co_return fail(std::move(read.error()));
      batches = std::move(*read);
    }
    for (const auto& batch : batches) {
      const auto& header = batch.header;
      if (header.base_offset >= within.end || header.next_offset() <= within.begin ||
          header.max_timestamp < timestamp_ms)
        continue;
      // A batch whose records cannot be read has no answer; the next one may.
      const auto found = first_record_at_or_after(batch, timestamp_ms, within);
      if (!found || !*found) continue;
      co_return others.offset >= 0 && others.offset < (*found)->offset ? others : **found;
    }
  }
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  co_return others;
}

Task<Result<TimestampedOffset>> BrokerLog::max_timestamp(Offset end) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  const OffsetRange within{.begin = log_start_, .end = std::min(end, committed_end_)};
  TimestampedOffset best;
  if (place_.shared) {
    auto found = co_await others_max_timestamp(end);
    if (!found) co_return found;
    best = *found;
  }
  const auto look_at = [&](const protocol::RecordBatch& batch) {
    if (batch.header.max_timestamp < best.timestamp) return;
    const auto found = latest_record(batch, within);
    if (!found || !*found) return;
    const bool better = (*found)->timestamp > best.timestamp ||
                        ((*found)->timestamp == best.timestamp && (*found)->offset < best.offset);
    if (better) best = **found;
  };
  for (const auto& batch : batches_in_memory(within)) look_at(batch);
  auto chunks = index_.chunks_within(within.begin, within.end);
  std::ranges::sort(chunks, std::greater(), [](const LogChunk& chunk) { return chunk.facts.max_timestamp; });
  for (const LogChunk& chunk : chunks) {
    if (chunk.facts.max_timestamp < std::max<std::int64_t>(best.timestamp, 0)) continue;
    auto batches = co_await batches_of(chunk);
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) look_at(batch);
  }
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  co_return best;
}

Task<Result<std::vector<protocol::BatchHeader>>> BrokerLog::scan_headers(Offset from, Offset end,
                                                                         std::size_t max_batches) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  const OffsetRange within{.begin = std::max(from, log_start_), .end = std::min(end, committed_end_)};
  const auto in_memory = batches_in_memory(within);
  std::vector<protocol::BatchHeader> headers;
  const auto take = [&](const protocol::RecordBatch& batch) {
    const bool wanted = batch.header.base_offset < within.end && batch.header.next_offset() > within.begin &&
                        (headers.empty() || headers.back().base_offset < batch.header.base_offset);
    if (wanted && headers.size() < max_batches) headers.push_back(batch.header);
  };
  for (const LogChunk& chunk : index_.chunks_within(within.begin, within.end)) {
    if (headers.size() >= max_batches) break;
    auto batches = co_await batches_of(chunk);
    if (!batches) co_return fail(std::move(batches.error()));
    for (const auto& batch : *batches) take(batch);
  }
  for (const auto& batch : in_memory) take(batch);
  co_return headers;
}

}  // namespace tidegate::storage::seaweedmq
