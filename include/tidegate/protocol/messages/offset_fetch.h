// OffsetFetch (key 9): reads a group's offsets, from version 8 of many groups at once.
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
//   1  first of Kafka 4: offsets kept by the broker
//   2  null topics: all of the group's
//   6  flexible
//   7  may insist on offsets without a pending transaction (KIP-447)
//   8  many groups (KIP-709); the fields of one group move into a list
//   9  member id and epoch (KIP-848)
//   10 topics by id instead of name (KIP-848)
struct OffsetFetchRequest {
  static constexpr std::int16_t kApiKey = 9;
  static constexpr Versions versions{1, 10, flexible_from(6)};
  static constexpr double kMemoryFactor = 38;

  struct OffsetFetchRequestTopic {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    bool operator==(const OffsetFetchRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partition_indexes", m.partition_indexes);
    }
  };

  struct OffsetFetchRequestTopics {
    std::string name;
    Uuid topic_id;
    std::vector<std::int32_t> partition_indexes;

    bool operator==(const OffsetFetchRequestTopics&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 9, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("partition_indexes", m.partition_indexes);
    }
  };

  struct OffsetFetchRequestGroup {
    std::string group_id;
    std::optional<std::string> member_id;
    std::int32_t member_epoch = -1;
    // Null: all.
    std::optional<std::vector<OffsetFetchRequestTopics>> topics = std::vector<OffsetFetchRequestTopics>{};

    bool operator==(const OffsetFetchRequestGroup&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("group_id", m.group_id);
      v.field("member_id", m.member_id, {.since = 9, .ignorable = true});
      v.field("member_epoch", m.member_epoch, {.since = 9, .ignorable = true});
      v.field("topics", m.topics);
    }
  };

  std::string group_id;
  // Null: all.
  std::optional<std::vector<OffsetFetchRequestTopic>> topics = std::vector<OffsetFetchRequestTopic>{};
  std::vector<OffsetFetchRequestGroup> groups;
  bool require_stable = false;

  bool operator==(const OffsetFetchRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id, {.until = 7});
    v.field("topics", m.topics, {.until = 7, .nullable_since = 2});
    v.field("groups", m.groups, {.since = 8});
    v.field("require_stable", m.require_stable, {.since = 7});
  }
};

// Versions:
//   1  first of Kafka 4
//   2  error of the group as a whole
//   3  throttle time
//   5  leader epoch (KIP-320)
//   6  flexible
//   7  UNSTABLE_OFFSET_COMMIT per partition (KIP-447)
//   8  many groups (KIP-709)
//   9  STALE_MEMBER_EPOCH and UNKNOWN_MEMBER_ID possible (KIP-848)
//   10 topics by id
struct OffsetFetchResponse {
  static constexpr std::int16_t kApiKey = 9;
  static constexpr Versions versions{1, 10, flexible_from(6)};

  struct OffsetFetchResponsePartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata = std::string{};
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const OffsetFetchResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("committed_offset", m.committed_offset);
      v.field("committed_leader_epoch", m.committed_leader_epoch, {.since = 5, .ignorable = true});
      v.field("metadata", m.metadata);
      v.field("error_code", m.error_code);
    }
  };

  struct OffsetFetchResponseTopic {
    std::string name;
    std::vector<OffsetFetchResponsePartition> partitions;

    bool operator==(const OffsetFetchResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  struct OffsetFetchResponsePartitions {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata = std::string{};
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const OffsetFetchResponsePartitions&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("committed_offset", m.committed_offset);
      v.field("committed_leader_epoch", m.committed_leader_epoch);
      v.field("metadata", m.metadata);
      v.field("error_code", m.error_code);
    }
  };

  struct OffsetFetchResponseTopics {
    std::string name;
    Uuid topic_id;
    std::vector<OffsetFetchResponsePartitions> partitions;

    bool operator==(const OffsetFetchResponseTopics&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 9, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  struct OffsetFetchResponseGroup {
    std::string group_id;
    std::vector<OffsetFetchResponseTopics> topics;
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const OffsetFetchResponseGroup&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("group_id", m.group_id);
      v.field("topics", m.topics);
      v.field("error_code", m.error_code);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetFetchResponseTopic> topics;
  ErrorCode error_code = ErrorCode::none;
  std::vector<OffsetFetchResponseGroup> groups;

  bool operator==(const OffsetFetchResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 3, .ignorable = true});
    v.field("topics", m.topics, {.until = 7});
    v.field("error_code", m.error_code, {.since = 2, .until = 7, .ignorable = true});
    v.field("groups", m.groups, {.since = 8});
  }
};

extern template struct Codec<OffsetFetchRequest>;
extern template struct Codec<OffsetFetchResponse>;

}  // namespace tidegate::protocol
