#include "others_batch.h"

#include <algorithm>
#include <limits>

#include "tidegate/protocol/record_section.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::uint8_t kNoHeaders[] = {0};
}  // namespace

bool OthersBatch::add(const LogEntry& entry, Offset offset) {
  const std::int64_t timestamp = entry.ts_ns / kNsPerMs;
  if (empty()) {
    header_.base_offset = offset;
    header_.base_timestamp = timestamp;
  } else if (offset - header_.base_offset > std::numeric_limits<std::int32_t>::max()) {
    return false;
  }
  header_.max_timestamp = std::max(header_.max_timestamp, timestamp);
  header_.last_offset_delta = static_cast<std::int32_t>(offset - header_.base_offset);
  protocol::PlainRecord record{.timestamp_delta = timestamp - header_.base_timestamp,
                               .offset_delta = header_.last_offset_delta,
                               .headers = kNoHeaders};
  if (!entry.key.empty()) record.key = entry.key;
  if (!entry.data.empty()) record.value = entry.data;
  protocol::put_record(records_, record);
  ++header_.records_count;
  return true;
}

Result<protocol::RecordBatch> OthersBatch::pack() const {
  return protocol::pack_batch(header_, as_bytes(records_));
}

}  // namespace tidegate::storage::seaweedmq
