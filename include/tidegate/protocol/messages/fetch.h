// Fetch (key 1): reads record batches, waiting for them when asked to. Handled by api/fetch; the
// response refers to the engine's buffers.
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
#include "tidegate/protocol/records.h"

namespace tidegate::protocol {

// Versions:
//   4  first of Kafka 4: isolation level (KIP-98)
//   5  log start offset of a follower (KIP-107)
//   7  incremental sessions (KIP-227)
//   9  current leader epoch, for fencing (KIP-320)
//   10 zstd allowed (KIP-110)
//   11 rack of the reader (KIP-392)
//   12 flexible; last fetched epoch (KIP-595)
//   13 topics by id instead of name (KIP-516)
//   15 replica state replaces the replica id (KIP-903)
//   16 endpoints of new leaders in the response (KIP-951)
//   17 follower's directory id (KIP-853)
//   18 follower's high watermark (KIP-1166)
struct FetchRequest {
  static constexpr std::int16_t kApiKey = 1;
  static constexpr Versions versions{4, 18, flexible_from(12)};
  static constexpr double kMemoryFactor = 24;

  struct ReplicaState {
    std::int32_t replica_id = -1;
    std::int64_t replica_epoch = -1;

    bool operator==(const ReplicaState&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("replica_id", m.replica_id);
      v.field("replica_epoch", m.replica_epoch);
    }
  };

  struct FetchPartition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t fetch_offset = 0;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start_offset = -1;
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    std::int64_t high_watermark = std::numeric_limits<std::int64_t>::max();

    bool operator==(const FetchPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition", m.partition);
      v.field("current_leader_epoch", m.current_leader_epoch, {.since = 9, .ignorable = true});
      v.field("fetch_offset", m.fetch_offset);
      v.field("last_fetched_epoch", m.last_fetched_epoch, {.since = 12});
      v.field("log_start_offset", m.log_start_offset, {.since = 5, .ignorable = true});
      v.field("partition_max_bytes", m.partition_max_bytes);
      v.field("replica_directory_id", m.replica_directory_id, {.since = 17, .ignorable = true, .tag = 0});
      v.field("high_watermark", m.high_watermark, {.since = 18, .ignorable = true, .tag = 1});
    }
  };

  struct FetchTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<FetchPartition> partitions;

    bool operator==(const FetchTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic, {.until = 12, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 13, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  struct ForgottenTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    bool operator==(const ForgottenTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic, {.until = 12, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 13, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  std::optional<std::string> cluster_id;
  std::int32_t replica_id = -1;
  ReplicaState replica_state;  // of a follower; consumers leave it at its default
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  std::int8_t isolation_level = 0;  // 0 read_uncommitted, 1 read_committed
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;  // -1: no session, 0: open one
  std::vector<FetchTopic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;  // to be dropped from the session
  std::string rack_id;

  bool operator==(const FetchRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("cluster_id", m.cluster_id, {.since = 12, .ignorable = true, .tag = 0});
    v.field("replica_id", m.replica_id, {.until = 14});
    v.field("replica_state", m.replica_state, {.since = 15, .tag = 1});
    v.field("max_wait_ms", m.max_wait_ms);
    v.field("min_bytes", m.min_bytes);
    v.field("max_bytes", m.max_bytes);
    v.field("isolation_level", m.isolation_level);
    v.field("session_id", m.session_id, {.since = 7, .ignorable = true});
    v.field("session_epoch", m.session_epoch, {.since = 7, .ignorable = true});
    v.field("topics", m.topics);
    v.field("forgotten_topics_data", m.forgotten_topics_data, {.since = 7});
    v.field("rack_id", m.rack_id, {.since = 11, .ignorable = true});
  }
};

// Versions:
//   4  first of Kafka 4: last stable offset, aborted transactions (KIP-98)
//   5  log start offset (KIP-107)
//   7  sessions and a top-level error (KIP-227)
//   11 preferred read replica (KIP-392)
//   12 flexible; diverging epoch, current leader, snapshot id, tagged (KIP-595)
//   13 topics by id (KIP-516)
//   16 endpoints of new leaders, tagged (KIP-951)
struct FetchResponse {
  static constexpr std::int16_t kApiKey = 1;
  static constexpr Versions versions{4, 18, flexible_from(12)};

  struct EpochEndOffset {
    std::int32_t epoch = -1;
    std::int64_t end_offset = -1;

    bool operator==(const EpochEndOffset&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("epoch", m.epoch);
      v.field("end_offset", m.end_offset);
    }
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    bool operator==(const LeaderIdAndEpoch&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("leader_id", m.leader_id);
      v.field("leader_epoch", m.leader_epoch);
    }
  };

  struct SnapshotId {
    std::int64_t end_offset = -1;
    std::int32_t epoch = -1;

    bool operator==(const SnapshotId&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("end_offset", m.end_offset);
      v.field("epoch", m.epoch);
    }
  };

  struct AbortedTransaction {
    std::int64_t producer_id = 0;
    std::int64_t first_offset = 0;

    bool operator==(const AbortedTransaction&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("producer_id", m.producer_id);
      v.field("first_offset", m.first_offset);
    }
  };

  struct PartitionData {
    std::int32_t partition_index = 0;
    ErrorCode error_code = ErrorCode::none;
    std::int64_t high_watermark = 0;
    std::int64_t last_stable_offset = -1;
    std::int64_t log_start_offset = -1;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;
    std::optional<std::vector<AbortedTransaction>> aborted_transactions = std::vector<AbortedTransaction>{};
    std::int32_t preferred_read_replica = -1;
    std::optional<RecordChunks> records;  // the engine's buffers; Kafka answers empty, not null

    bool operator==(const PartitionData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("error_code", m.error_code);
      v.field("high_watermark", m.high_watermark);
      v.field("last_stable_offset", m.last_stable_offset);
      v.field("log_start_offset", m.log_start_offset, {.since = 5, .ignorable = true});
      v.field("diverging_epoch", m.diverging_epoch, {.since = 12, .tag = 0});
      v.field("current_leader", m.current_leader, {.since = 12, .tag = 1});
      v.field("snapshot_id", m.snapshot_id, {.since = 12, .tag = 2});
      v.field("aborted_transactions", m.aborted_transactions);
      v.field("preferred_read_replica", m.preferred_read_replica, {.since = 11});
      v.field("records", m.records);
    }
  };

  struct FetchableTopicResponse {
    std::string topic;
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    bool operator==(const FetchableTopicResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic, {.until = 12, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 13, .ignorable = true});
      v.field("partitions", m.partitions);
    }
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    bool operator==(const NodeEndpoint&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("node_id", m.node_id);
      v.field("host", m.host);
      v.field("port", m.port);
      v.field("rack", m.rack);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::int32_t session_id = 0;
  std::vector<FetchableTopicResponse> responses;
  std::vector<NodeEndpoint> node_endpoints;

  bool operator==(const FetchResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code, {.since = 7, .ignorable = true});
    v.field("session_id", m.session_id, {.since = 7});
    v.field("responses", m.responses);
    v.field("node_endpoints", m.node_endpoints, {.since = 16, .tag = 0});
  }
};

extern template struct Codec<FetchRequest>;
extern template struct Codec<FetchResponse>;

}  // namespace tidegate::protocol
