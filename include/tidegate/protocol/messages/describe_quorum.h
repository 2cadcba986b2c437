// DescribeQuorum (key 55): who leads the cluster metadata (KIP-595).
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
//   0  flexible
//   1, 2  the response has more
struct DescribeQuorumRequest {
  static constexpr std::int16_t kApiKey = 55;
  static constexpr Versions versions{0, 2, flexible_from(0)};
  static constexpr double kMemoryFactor = 32;

  struct TopicData {
    struct PartitionData {
      std::int32_t partition_index = 0;

      bool operator==(const PartitionData&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("partition_index", m.partition_index);
      }
    };

    std::string topic_name;
    std::vector<PartitionData> partitions;

    bool operator==(const TopicData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_name", m.topic_name);
      v.field("partitions", m.partitions);
    }
  };

  std::vector<TopicData> topics;

  bool operator==(const DescribeQuorumRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
  }
};

// Versions:
//   0  flexible
//   1  times of the last fetch (KIP-836)
//   2  error messages, directory ids, controllers (KIP-853)
struct DescribeQuorumResponse {
  static constexpr std::int16_t kApiKey = 55;
  static constexpr Versions versions{0, 2, flexible_from(0)};

  struct TopicData {
    struct PartitionData {
      struct ReplicaState {
        std::int32_t replica_id = 0;
        Uuid replica_directory_id;
        std::int64_t log_end_offset = 0;
        std::int64_t last_fetch_timestamp = -1;
        std::int64_t last_caught_up_timestamp = -1;

        bool operator==(const ReplicaState&) const = default;
        template <class Self, class Visitor>
        static void fields(Self& m, Visitor& v) {
          v.field("replica_id", m.replica_id);
          v.field("replica_directory_id", m.replica_directory_id, {.since = 2});
          v.field("log_end_offset", m.log_end_offset);
          v.field("last_fetch_timestamp", m.last_fetch_timestamp, {.since = 1, .ignorable = true});
          v.field("last_caught_up_timestamp", m.last_caught_up_timestamp, {.since = 1, .ignorable = true});
        }
      };

      std::int32_t partition_index = 0;
      ErrorCode error_code = ErrorCode::none;
      std::optional<std::string> error_message = std::string{};
      std::int32_t leader_id = 0;
      std::int32_t leader_epoch = 0;
      std::int64_t high_watermark = 0;
      std::vector<ReplicaState> current_voters;
      std::vector<ReplicaState> observers;

      bool operator==(const PartitionData&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("partition_index", m.partition_index);
        v.field("error_code", m.error_code);
        v.field("error_message", m.error_message, {.since = 2, .ignorable = true});
        v.field("leader_id", m.leader_id);
        v.field("leader_epoch", m.leader_epoch);
        v.field("high_watermark", m.high_watermark);
        v.field("current_voters", m.current_voters);
        v.field("observers", m.observers);
      }
    };

    std::string topic_name;
    std::vector<PartitionData> partitions;

    bool operator==(const TopicData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic_name", m.topic_name);
      v.field("partitions", m.partitions);
    }
  };

  struct Node {
    struct Listener {
      std::string name;
      std::string host;
      std::uint16_t port = 0;

      bool operator==(const Listener&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("name", m.name);
        v.field("host", m.host);
        v.field("port", m.port);
      }
    };

    std::int32_t node_id = 0;
    std::vector<Listener> listeners;

    bool operator==(const Node&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("node_id", m.node_id);
      v.field("listeners", m.listeners);
    }
  };

  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message = std::string{};
  std::vector<TopicData> topics;
  std::vector<Node> nodes;

  bool operator==(const DescribeQuorumResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("error_code", m.error_code);
    v.field("error_message", m.error_message, {.since = 2, .ignorable = true});
    v.field("topics", m.topics);
    v.field("nodes", m.nodes, {.since = 2});
  }
};

extern template struct Codec<DescribeQuorumRequest>;
extern template struct Codec<DescribeQuorumResponse>;

}  // namespace tidegate::protocol
