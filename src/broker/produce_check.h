// What the broker looks at before a batch may enter a log (docs/compatibility.md, Produce). Pure: no
// I/O, no clock. Called by partition.cc on the owner shard; finish_check() may run in the CPU lane.
//
// The header and the CRC are always checked, and the records of an uncompressed batch are walked. A
// compressed batch is taken as opaque behind its CRC unless something needs its records: a compacted
// topic (keys must not be null), message.timestamp.before.max.ms (the smallest timestamp is only in the
// records), a header that does not tell its largest timestamp, or recompression. Its count and offsets
// are otherwise the producer's word, which harms nobody but the readers of what that producer wrote.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/broker/topic_config.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::broker {

struct ProduceRefusal {
  ErrorCode error = ErrorCode::invalid_record;
  std::string message;
  std::vector<RecordError> record_errors;
};

struct ProduceRules {
  bool zstd_allowed = true;           // Produce 7 on
  bool has_transactional_id = false;  // the request named one
};

struct AcceptedBatch {
  protocol::RecordBatch batch;
  std::int64_t log_append_time = -1;  // set when the topic stamps append time
};

// Shape, CRC and header fields, in Kafka's order. Cheap.
std::expected<protocol::RecordBatch, ProduceRefusal> check_batch(const SharedBuffer& records,
                                                                 const TopicSettings& settings,
                                                                 const ProduceRules& rules);

// How far the topic lets a batch be inflated.
protocol::RecordLimits record_limits(const protocol::RecordBatch& batch, const TopicSettings& settings);

// True when finish_check() has to inflate or deflate: worth the CPU lane when the batch is large.
bool needs_codec(const protocol::RecordBatch& batch, const TopicSettings& settings, std::int64_t now_ms);

// Records, timestamps, topic codec, append time.
std::expected<AcceptedBatch, ProduceRefusal> finish_check(protocol::RecordBatch batch,
                                                          const TopicSettings& settings, std::int64_t now_ms);

}  // namespace tidegate::broker
