// Produce (key 0): appends record batches to partitions. Handled by api/produce; the record bytes stay
// slices of the request's frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   3  first of Kafka 4 (KIP-896): transactional id, batches of magic 2 (KIP-98)
//   4  client knows KAFKA_STORAGE_ERROR
//   7  zstd allowed (KIP-110)
//   9  flexible
//   11 client knows TRANSACTION_ABORTABLE (KIP-890)
//   12 a transactional produce adds its partition to the transaction by itself (KIP-890 part 2)
//   13 topics by id instead of name (KIP-516)
struct ProduceRequest {
  static constexpr std::int16_t kApiKey = 0;
  static constexpr Versions versions{3, 13, flexible_from(9)};
  // Far below what a list of empty topics would take, because it is admitted for megabytes of records;
  // every real partition carries a batch of 61 bytes or more.
  static constexpr double kMemoryFactor = 2;

  struct PartitionProduceData {
    std::int32_t index = 0;
    std::optional<SharedBuffer> records;  // whole batches, a slice of the request's frame

    bool operator==(const PartitionProduceData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("index", m.index);
      v.field("records", m.records);
    }
  };

  struct TopicProduceData {
    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceData> partition_data;

    bool operator==(const TopicProduceData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 12, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 13, .ignorable = true});
      v.field("partition_data", m.partition_data);
    }
  };

  std::optional<std::string> transactional_id;
  std::int16_t acks = 0;  // 0: no answer at all, 1: leader, -1: all in sync
  std::int32_t timeout_ms = 0;
  std::vector<TopicProduceData> topic_data;

  bool operator==(const ProduceRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("transactional_id", m.transactional_id);
    v.field("acks", m.acks);
    v.field("timeout_ms", m.timeout_ms);
    v.field("topic_data", m.topic_data);
  }
};

// Versions:
//   3  first of Kafka 4
//   5  log start offset
//   8  which records spoilt a batch, and why (KIP-467)
//   9  flexible
//   10 leader hints: current leader and endpoints, tagged (KIP-951)
//   13 topics by id (KIP-516)
struct ProduceResponse {
  static constexpr std::int16_t kApiKey = 0;
  static constexpr Versions versions{3, 13, flexible_from(9)};

  struct BatchIndexAndErrorMessage {
    std::int32_t batch_index = 0;
    std::optional<std::string> batch_index_error_message;

    bool operator==(const BatchIndexAndErrorMessage&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("batch_index", m.batch_index);
      v.field("batch_index_error_message", m.batch_index_error_message);
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

  struct PartitionProduceResponse {
    std::int32_t index = 0;
    ErrorCode error_code = ErrorCode::none;
    std::int64_t base_offset = 0;
    std::int64_t log_append_time_ms = -1;
    std::int64_t log_start_offset = -1;
    std::vector<BatchIndexAndErrorMessage> record_errors;
    std::optional<std::string> error_message;
    LeaderIdAndEpoch current_leader;

    bool operator==(const PartitionProduceResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("index", m.index);
      v.field("error_code", m.error_code);
      v.field("base_offset", m.base_offset);
      v.field("log_append_time_ms", m.log_append_time_ms);
      v.field("log_start_offset", m.log_start_offset, {.since = 5, .ignorable = true});
      v.field("record_errors", m.record_errors, {.since = 8, .ignorable = true});
      v.field("error_message", m.error_message, {.since = 8, .ignorable = true});
      v.field("current_leader", m.current_leader, {.since = 10, .tag = 0});
    }
  };

  struct TopicProduceResponse {
    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceResponse> partition_responses;

    bool operator==(const TopicProduceResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.until = 12, .ignorable = true});
      v.field("topic_id", m.topic_id, {.since = 13, .ignorable = true});
      v.field("partition_responses", m.partition_responses);
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

  std::vector<TopicProduceResponse> responses;
  std::int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;

  bool operator==(const ProduceResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("responses", m.responses);
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("node_endpoints", m.node_endpoints, {.since = 10, .tag = 0});
  }
};

extern template struct Codec<ProduceRequest>;
extern template struct Codec<ProduceResponse>;

}  // namespace tidegate::protocol
