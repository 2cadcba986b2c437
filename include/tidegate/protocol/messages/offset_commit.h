// OffsetCommit (key 8): stores a group's offsets. Handled by the group coordinator's API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   2  first of Kafka 4: retention time for all offsets of the request
//   5  no retention time any more (KIP-211)
//   6  leader epoch of each offset (KIP-320)
//   7  static membership (KIP-345)
//   8  flexible
//   9  usable by KIP-848 groups; the generation field carries the member epoch
//   10 topics by id instead of name (KIP-848)
struct OffsetCommitRequest {
  static constexpr std::int16_t kApiKey = 8;
  static constexpr Versions versions{2, 10, flexible_from(8)};
  static constexpr double kMemoryFactor = 24;

  struct OffsetCommitRequestPartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string> committed_metadata = std::string{};

    bool operator==(const OffsetCommitRequestPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("committed_offset", m.committed_offset);
      v.field("committed_leader_epoch", m.committed_leader_epoch, {.since = 6, .ignorable = true});
      v.field("committed_metadata", m.committed_metadata);
    }
  };

  struct OffsetCommitRequestTopic {
    std::string name;
    Uuid topic_id;
    std::vector<OffsetCommitRequestPartition> partitions;

    bool operator==(const OffsetCommitRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 9, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  std::string group_id;
  std::int32_t generation_id_or_member_epoch = -1;  // the member epoch in a KIP-848 group
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int64_t retention_time_ms = -1;
  std::vector<OffsetCommitRequestTopic> topics;

  bool operator==(const OffsetCommitRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("generation_id_or_member_epoch", m.generation_id_or_member_epoch);
    v.field("member_id", m.member_id);
    v.field("group_instance_id", m.group_instance_id, {.since = 7});
    v.field("retention_time_ms", m.retention_time_ms, {.until = 4, .ignorable = true});
    v.field("topics", m.topics);
  }
};

// Versions:
//   2  first of Kafka 4
//   3  throttle time
//   8  flexible
//   9  STALE_MEMBER_EPOCH and GROUP_ID_NOT_FOUND possible (KIP-848)
//   10 topics by id
struct OffsetCommitResponse {
  static constexpr std::int16_t kApiKey = 8;
  static constexpr Versions versions{2, 10, flexible_from(8)};

  struct OffsetCommitResponsePartition {
    std::int32_t partition_index = 0;
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const OffsetCommitResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("error_code", m.error_code);
    }
  };

  struct OffsetCommitResponseTopic {
    std::string name;
    Uuid topic_id;
    std::vector<OffsetCommitResponsePartition> partitions;

    bool operator==(const OffsetCommitResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 9, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetCommitResponseTopic> topics;

  bool operator==(const OffsetCommitResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 3, .ignorable = true});
    v.field("topics", m.topics);
  }
};

extern template struct Codec<OffsetCommitRequest>;
extern template struct Codec<OffsetCommitResponse>;

}  // namespace tidegate::protocol
