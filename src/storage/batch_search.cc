#include "tidegate/storage/batch_search.h"

namespace tidegate::storage {

namespace {

// Both come from a client: the sum may wrap, as it does in the client.
std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

TimestampedOffset at(const protocol::BatchHeader& header, const protocol::RecordView& record) {
  const bool append_time = header.timestamp_type() == protocol::TimestampType::log_append_time;
  return {.offset = header.base_offset + record.offset_delta,
          .timestamp = append_time ? header.max_timestamp
                                   : wrapping_sum(header.base_timestamp, record.timestamp_delta),
          .leader_epoch = header.partition_leader_epoch};
}

// Calls `each` for the records within the range until it returns false.
template <class Each>
Result<void> visit(const protocol::RecordBatch& batch, OffsetRange within, Each each) {
  const auto& header = batch.header;
  return protocol::for_each_record(batch, {}, [&](const protocol::RecordView& record) {
    const TimestampedOffset found = at(header, record);
    if (found.offset < within.begin) return true;
    return found.offset < within.end && each(found);
  });
}

}  // namespace

Result<std::optional<TimestampedOffset>> first_record_at_or_after(const protocol::RecordBatch& batch,
                                                                  std::int64_t timestamp_ms,
                                                                  OffsetRange within) {
  std::optional<TimestampedOffset> first;
  auto visited = visit(batch, within, [&](const TimestampedOffset& record) {
    if (record.timestamp >= timestamp_ms) first = record;
    return !first.has_value();
  });
  if (!visited) return fail(std::move(visited.error()));
  return first;
}

Result<std::optional<TimestampedOffset>> latest_record(const protocol::RecordBatch& batch,
                                                       OffsetRange within) {
  std::optional<TimestampedOffset> latest;
  auto visited = visit(batch, within, [&](const TimestampedOffset& record) {
    const std::int64_t so_far = latest ? latest->timestamp : protocol::kNoTimestamp;
    if (record.timestamp > so_far) latest = record;
    return true;
  });
  if (!visited) return fail(std::move(visited.error()));
  return latest;
}

}  // namespace tidegate::storage
