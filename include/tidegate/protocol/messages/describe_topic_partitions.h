// DescribeTopicPartitions (key 75): topics and partitions page by page (KIP-966).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   0  flexible
struct DescribeTopicPartitionsRequest {
  static constexpr std::int16_t kApiKey = 75;
  static constexpr Versions versions{0, 0, flexible_from(0)};
  static constexpr double kMemoryFactor = 16;

  struct TopicRequest {
    std::string name;

    bool operator==(const TopicRequest&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
    }
  };

  struct Cursor {
    std::string topic_name;
    std::int32_t partition_index = 0;

    bool operator==(const Cursor&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_name", m.topic_name);
      v.field("partition_index", m.partition_index);
    }
  };

  std::vector<TopicRequest> topics;
  std::int32_t response_partition_limit = 2000;
  std::optional<Cursor> cursor;

  bool operator==(const DescribeTopicPartitionsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
    v.field("response_partition_limit", m.response_partition_limit);
    v.field("cursor", m.cursor);
  }
};

// Versions:
//   0  flexible
struct DescribeTopicPartitionsResponse {
  static constexpr std::int16_t kApiKey = 75;
  static constexpr Versions versions{0, 0, flexible_from(0)};

  struct DescribeTopicPartitionsResponsePartition {
    ErrorCode error_code = ErrorCode::none;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
    std::optional<std::vector<std::int32_t>> last_known_elr;
    std::vector<std::int32_t> offline_replicas;

    bool operator==(const DescribeTopicPartitionsResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("partition_index", m.partition_index);
      v.field("leader_id", m.leader_id);
      v.field("leader_epoch", m.leader_epoch);
      v.field("replica_nodes", m.replica_nodes);
      v.field("isr_nodes", m.isr_nodes);
      v.field("eligible_leader_replicas", m.eligible_leader_replicas);
      v.field("last_known_elr", m.last_known_elr);
      v.field("offline_replicas", m.offline_replicas);
    }
  };

  struct DescribeTopicPartitionsResponseTopic {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> name = std::string{};
    Uuid topic_id;
    bool is_internal = false;
    std::vector<DescribeTopicPartitionsResponsePartition> partitions;
    // Bit set; the least int32 means not asked for.
    std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

    bool operator==(const DescribeTopicPartitionsResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("name", m.name);
      v.field("topic_id", m.topic_id);
      v.field("is_internal", m.is_internal);
      v.field("partitions", m.partitions);
      v.field("topic_authorized_operations", m.topic_authorized_operations);
    }
  };

  struct Cursor {
    std::string topic_name;
    std::int32_t partition_index = 0;

    bool operator==(const Cursor&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_name", m.topic_name);
      v.field("partition_index", m.partition_index);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribeTopicPartitionsResponseTopic> topics;
  std::optional<Cursor> next_cursor;

  bool operator==(const DescribeTopicPartitionsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
    v.field("next_cursor", m.next_cursor);
  }
};

extern template struct Codec<DescribeTopicPartitionsRequest>;
extern template struct Codec<DescribeTopicPartitionsResponse>;

}  // namespace tidegate::protocol
