// OffsetForLeaderEpoch (key 23): where a leader epoch ended, so that a reader notices a truncation
// (KIP-101, KIP-320).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   2  first of Kafka 4: current leader epoch (KIP-320)
//   3  replica id; -2 is a debugging consumer (KIP-320)
//   4  flexible
struct OffsetForLeaderEpochRequest {
  static constexpr std::int16_t kApiKey = 23;
  static constexpr Versions versions{2, 4, flexible_from(4)};
  static constexpr double kMemoryFactor = 19;

  struct OffsetForLeaderPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int32_t leader_epoch = 0;

    bool operator==(const OffsetForLeaderPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition", m.partition);
      v.field("current_leader_epoch", m.current_leader_epoch);
      v.field("leader_epoch", m.leader_epoch);
    }
  };

  struct OffsetForLeaderTopic {
    std::string topic;
    std::vector<OffsetForLeaderPartition> partitions;

    bool operator==(const OffsetForLeaderTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t replica_id = -2;
  std::vector<OffsetForLeaderTopic> topics;

  bool operator==(const OffsetForLeaderEpochRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("replica_id", m.replica_id, {.since = 3, .ignorable = true});
    v.field("topics", m.topics);
  }
};

// Versions:
//   2  first of Kafka 4: throttle time
//   4  flexible
struct OffsetForLeaderEpochResponse {
  static constexpr std::int16_t kApiKey = 23;
  static constexpr Versions versions{2, 4, flexible_from(4)};

  struct EpochEndOffset {
    ErrorCode error_code = ErrorCode::none;
    std::int32_t partition = 0;
    std::int32_t leader_epoch = -1;
    std::int64_t end_offset = -1;

    bool operator==(const EpochEndOffset&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("partition", m.partition);
      v.field("leader_epoch", m.leader_epoch);
      v.field("end_offset", m.end_offset);
    }
  };

  struct OffsetForLeaderTopicResult {
    std::string topic;
    std::vector<EpochEndOffset> partitions;

    bool operator==(const OffsetForLeaderTopicResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetForLeaderTopicResult> topics;

  bool operator==(const OffsetForLeaderEpochResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<OffsetForLeaderEpochRequest>;
extern template struct Codec<OffsetForLeaderEpochResponse>;

}  // namespace tidegate::protocol
