// Metadata (key 3): brokers, topics, partitions and leaders; the first question of every client after
// ApiVersions. Handled by api/metadata.
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
//   0  no null: an empty list asks for every topic
//   1  null asks for every topic, an empty list for none
//   4  may switch off automatic creation (KIP-204)
//   8  asks for authorized operations (KIP-430)
//   9  flexible
//   10 topic ids in the structure; only 12 and later may ask by id (KIP-516)
//   11 no cluster operations any more, see DescribeCluster (KIP-700)
//   12 asks by id, with a null name
struct MetadataRequest {
  static constexpr std::int16_t kApiKey = 3;
  static constexpr Versions versions{0, 13, flexible_from(9)};
  static constexpr double kMemoryFactor = 28;
  // librdkafka (2.16 seen) asks for all topics in a flexible version with a four-byte zero count where one
  // byte belongs: what it means is read right, three bytes are left over. Apache Kafka lets them pass.
  static constexpr bool kToleratesTrailingBytes = true;

  struct MetadataRequestTopic {
    Uuid topic_id;
    std::optional<std::string> name = std::string{};

    bool operator==(const MetadataRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("name", m.name, {.nullable_since = 10});
    }
  };

  // Null: all (in version 0 an empty list is that).
  std::optional<std::vector<MetadataRequestTopic>> topics = std::vector<MetadataRequestTopic>{};
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  bool operator==(const MetadataRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics, {.nullable_since = 1});
    v.field("allow_auto_topic_creation", m.allow_auto_topic_creation, {.since = 4});
    v.field("include_cluster_authorized_operations", m.include_cluster_authorized_operations,
            {.since = 8, .until = 10});
    v.field("include_topic_authorized_operations", m.include_topic_authorized_operations, {.since = 8});
  }
};

// Versions:
//   1  rack, controller, internal topics
//   2  cluster id (KIP-78)
//   3  throttle time
//   5  offline replicas (KIP-112)
//   7  leader epoch (KIP-320)
//   8  authorized operations (KIP-430)
//   9  flexible
//   10 topic ids (KIP-516)
//   11 no cluster operations any more (KIP-700)
//   12 null name for an id that is not known
//   13 top-level error (KIP-1102)
struct MetadataResponse {
  static constexpr std::int16_t kApiKey = 3;
  static constexpr Versions versions{0, 13, flexible_from(9)};

  struct MetadataResponseBroker {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    bool operator==(const MetadataResponseBroker&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("node_id", m.node_id);
      v.field("host", m.host);
      v.field("port", m.port);
      v.field("rack", m.rack, {.since = 1, .ignorable = true});
    }
  };

  struct MetadataResponsePartition {
    ErrorCode error_code = ErrorCode::none;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::vector<std::int32_t> offline_replicas;

    bool operator==(const MetadataResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("partition_index", m.partition_index);
      v.field("leader_id", m.leader_id);
      v.field("leader_epoch", m.leader_epoch, {.since = 7, .ignorable = true});
      v.field("replica_nodes", m.replica_nodes);
      v.field("isr_nodes", m.isr_nodes);
      v.field("offline_replicas", m.offline_replicas, {.since = 5, .ignorable = true});
    }
  };

  struct MetadataResponseTopic {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> name = std::string{};
    Uuid topic_id;
    bool is_internal = false;
    std::vector<MetadataResponsePartition> partitions;
    // Bit set; the least int32 means not asked for.
    std::int32_t topic_authorized_operations = std::numeric_limits<std::int32_t>::min();

    bool operator==(const MetadataResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("name", m.name, {.nullable_since = 12});
      v.field("topic_id", m.topic_id, {.since = 10, .ignorable = true});
      v.field("is_internal", m.is_internal, {.since = 1, .ignorable = true});
      v.field("partitions", m.partitions);
      v.field("topic_authorized_operations", m.topic_authorized_operations, {.since = 8});
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<MetadataResponseBroker> brokers;
  std::optional<std::string> cluster_id;
  std::int32_t controller_id = -1;
  std::vector<MetadataResponseTopic> topics;
  // Bit set; the least int32 means not asked for.
  std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();
  ErrorCode error_code = ErrorCode::none;

  bool operator==(const MetadataResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 3, .ignorable = true});
    v.field("brokers", m.brokers);
    v.field("cluster_id", m.cluster_id, {.since = 2, .ignorable = true});
    v.field("controller_id", m.controller_id, {.since = 1, .ignorable = true});
    v.field("topics", m.topics);
    v.field("cluster_authorized_operations", m.cluster_authorized_operations, {.since = 8, .until = 10});
    v.field("error_code", m.error_code, {.since = 13, .ignorable = true});
  }
};

extern template struct Codec<MetadataRequest>;
extern template struct Codec<MetadataResponse>;

}  // namespace tidegate::protocol
