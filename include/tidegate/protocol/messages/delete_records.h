// DeleteRecords (key 21): moves the start of logs forward (KIP-107).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   2  flexible
struct DeleteRecordsRequest {
  static constexpr std::int16_t kApiKey = 21;
  static constexpr Versions versions{0, 2, flexible_from(2)};
  static constexpr double kMemoryFactor = 19;

  struct DeleteRecordsPartition {
    std::int32_t partition_index = 0;
    std::int64_t offset = 0;

    bool operator==(const DeleteRecordsPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("offset", m.offset);
    }
  };

  struct DeleteRecordsTopic {
    std::string name;
    std::vector<DeleteRecordsPartition> partitions;

    bool operator==(const DeleteRecordsTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::vector<DeleteRecordsTopic> topics;
  std::int32_t timeout_ms = 0;

  bool operator==(const DeleteRecordsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
    v.field("timeout_ms", m.timeout_ms);
  }
};

// Versions:
//   2  flexible
struct DeleteRecordsResponse {
  static constexpr std::int16_t kApiKey = 21;
  static constexpr Versions versions{0, 2, flexible_from(2)};

  struct DeleteRecordsPartitionResult {
    std::int32_t partition_index = 0;
    std::int64_t low_watermark = 0;
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const DeleteRecordsPartitionResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("low_watermark", m.low_watermark);
      v.field("error_code", m.error_code);
    }
  };

  struct DeleteRecordsTopicResult {
    std::string name;
    std::vector<DeleteRecordsPartitionResult> partitions;

    bool operator==(const DeleteRecordsTopicResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeleteRecordsTopicResult> topics;

  bool operator==(const DeleteRecordsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<DeleteRecordsRequest>;
extern template struct Codec<DeleteRecordsResponse>;

}  // namespace tidegate::protocol
