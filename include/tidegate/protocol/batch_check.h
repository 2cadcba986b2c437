// What a produced record batch must satisfy before it may be appended: first what its bytes and header
// alone can tell (check_produced_batch, cheap), then, where a topic needs it, what its records tell
// (validate_records, which inflates). The produce path calls both, on the connection's shard; both are
// pure. Order of producer sequences is not looked at here: that is producers/.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

struct ProducedBatchRules {
  std::size_t max_batch_bytes = 1'048'588;  // the topic's max.message.bytes
  bool zstd_allowed = true;                 // Produce 7 and above
  // Of the topic. A client must not claim append time for a topic with create time.
  TimestampType timestamp_type = TimestampType::create_time;
};

// `records` is one partition's records field of a Produce request. In this order:
//   invalid_record (87)              not exactly one batch, wrong magic, length that does not fit
//   unsupported_compression_type(76) zstd where it is not allowed
//   message_too_large (10)           more than max_batch_bytes
//   corrupt_message (2)              CRC
//   invalid_record (87)              count < 1 or != lastOffsetDelta + 1; control bit; delete horizon bit;
//                                    unknown codec; producer id below -1; producer id without sequence or
//                                    epoch; transactional without producer id; lz4 frame of linked blocks,
//                                    which Java clients cannot read
//   invalid_timestamp (32)           append time claimed
Result<BatchHeader> check_produced_batch(ByteView records, const ProducedBatchRules& rules);

// How far a batch may inflate: `ratio` times its size, or one message limit if that is more. Passed as
// RecordLimits::max_inflated_bytes.
std::size_t inflated_limit(std::size_t batch_bytes, std::size_t max_batch_bytes, std::size_t ratio = 100);

struct RecordRules {
  bool keys_required = false;  // cleanup.policy contains compact
  // message.timestamp.before.max.ms / after.max.ms; not looked at under append time.
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t now_ms = 0;
  std::int64_t before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t after_max_ms = std::numeric_limits<std::int64_t>::max();
  RecordLimits limits;
};

// One entry of the response's record_errors: `index` counts records of the batch from 0.
struct RecordProblem {
  std::int32_t index = 0;
  std::string message;
};

struct RecordsReport {
  // none: the batch may be appended. 32 as soon as one record's time is out of bounds, else 87 with
  // `problems`; 87, 2 or 10 with no problems when the records cannot be read at all.
  Error error{ErrorCode::none, {}};
  // The first kMaxRecordProblems; `problems_total` counts them all.
  std::vector<RecordProblem> problems;
  std::size_t problems_total = 0;
  // The largest record timestamp, and the first record that has it; -1 when there is none.
  std::int64_t max_timestamp = kNoTimestamp;
  std::int32_t max_timestamp_index = -1;
  // The header says another maximum. Some clients leave it out: mend it with with_max_timestamp()
  // instead of refusing them, since index lookups by time believe the header.
  bool max_timestamp_differs = false;

  bool ok() const { return error.code == ErrorCode::none; }
};
inline constexpr std::size_t kMaxRecordProblems = 100;

// Walks the records of a batch that check_produced_batch accepted: they parse, offset deltas are
// exactly 0, 1, 2, ..., keys and times follow the rules.
RecordsReport validate_records(const RecordBatch& batch, const RecordRules& rules);
// Whether the rules ask for a look at the records. If not, the produce path may keep the batch as an
// opaque, checksummed whole, uninflated; its count, offset deltas and maximum timestamp are then the
// producer's word, and a lie harms only readers of that batch.
bool records_need_validation(const BatchHeader& header, const RecordRules& rules);

}  // namespace tidegate::protocol
