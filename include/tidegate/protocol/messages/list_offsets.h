// ListOffsets (key 2): offsets by time, and the special timestamps for start and end of a log.
// Handled by api/list_offsets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   1  first of Kafka 4: one offset per partition (KIP-79)
//   2  isolation level (KIP-98)
//   4  current leader epoch, for fencing (KIP-320)
//   6  flexible
//   7  timestamp -3: the record with the greatest timestamp (KIP-734)
//   8  timestamp -4: earliest local offset (KIP-405)
//   9  timestamp -5: last tiered offset (KIP-1005)
//   10 timeout for lookups in remote storage (KIP-1075)
//   11 timestamp -6: earliest offset that waits for upload (KIP-1023)
struct ListOffsetsRequest {
  static constexpr std::int16_t kApiKey = 2;
  static constexpr Versions versions{1, 11, flexible_from(6)};
  static constexpr double kMemoryFactor = 19;

  struct ListOffsetsPartition {
    std::int32_t partition_index = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t timestamp = 0;  // milliseconds, or one of the special values above

    bool operator==(const ListOffsetsPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("current_leader_epoch", m.current_leader_epoch, {.since = 4, .ignorable = true});
      v.field("timestamp", m.timestamp);
    }
  };

  struct ListOffsetsTopic {
    std::string name;
    std::vector<ListOffsetsPartition> partitions;

    bool operator==(const ListOffsetsTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t replica_id = 0;
  std::int8_t isolation_level = 0;
  std::vector<ListOffsetsTopic> topics;
  std::int32_t timeout_ms = 0;

  bool operator==(const ListOffsetsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("replica_id", m.replica_id);
    v.field("isolation_level", m.isolation_level, {.since = 2});
    v.field("topics", m.topics);
    v.field("timeout_ms", m.timeout_ms, {.since = 10, .ignorable = true});
  }
};

// Versions:
//   1  first of Kafka 4
//   2  throttle time
//   4  leader epoch of the offset (KIP-320)
//   5  OFFSET_NOT_AVAILABLE in place of LEADER_NOT_AVAILABLE (KIP-207)
//   6  flexible
struct ListOffsetsResponse {
  static constexpr std::int16_t kApiKey = 2;
  static constexpr Versions versions{1, 11, flexible_from(6)};

  struct ListOffsetsPartitionResponse {
    std::int32_t partition_index = 0;
    ErrorCode error_code = ErrorCode::none;
    std::int64_t timestamp = -1;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;

    bool operator==(const ListOffsetsPartitionResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("error_code", m.error_code);
      v.field("timestamp", m.timestamp);
      v.field("offset", m.offset);
      v.field("leader_epoch", m.leader_epoch, {.since = 4});
    }
  };

  struct ListOffsetsTopicResponse {
    std::string name;
    std::vector<ListOffsetsPartitionResponse> partitions;

    bool operator==(const ListOffsetsTopicResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<ListOffsetsTopicResponse> topics;

  bool operator==(const ListOffsetsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 2, .ignorable = true});
    v.field("topics", m.topics);
  }
};

extern template struct Codec<ListOffsetsRequest>;
extern template struct Codec<ListOffsetsResponse>;

}  // namespace tidegate::protocol
