// CreateTopics (key 19).
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
//   2  first of Kafka 4
//   4  -1 means the broker's default for partitions and replication factor (KIP-464)
//   5  flexible
//   6  client knows THROTTLING_QUOTA_EXCEEDED (KIP-599)
struct CreateTopicsRequest {
  static constexpr std::int16_t kApiKey = 19;
  static constexpr Versions versions{2, 7, flexible_from(5)};
  static constexpr double kMemoryFactor = 24;

  struct CreatableReplicaAssignment {
    std::int32_t partition_index = 0;
    std::vector<std::int32_t> broker_ids;

    bool operator==(const CreatableReplicaAssignment&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("broker_ids", m.broker_ids);
    }
  };

  struct CreatableTopicConfig {
    std::string name;
    std::optional<std::string> value = std::string{};

    bool operator==(const CreatableTopicConfig&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("value", m.value);
    }
  };

  struct CreatableTopic {
    std::string name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    std::vector<CreatableReplicaAssignment> assignments;
    std::vector<CreatableTopicConfig> configs;

    bool operator==(const CreatableTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("num_partitions", m.num_partitions);
      v.field("replication_factor", m.replication_factor);
      v.field("assignments", m.assignments);
      v.field("configs", m.configs);
    }
  };

  std::vector<CreatableTopic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  bool operator==(const CreateTopicsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
    v.field("timeout_ms", m.timeout_ms);
    v.field("validate_only", m.validate_only);
  }
};

// Versions:
//   2  first of Kafka 4: error message, throttle time
//   5  flexible; partitions, replication factor and configs of the new topic (KIP-525)
//   7  topic id (KIP-516)
struct CreateTopicsResponse {
  static constexpr std::int16_t kApiKey = 19;
  static constexpr Versions versions{2, 7, flexible_from(5)};

  struct CreatableTopicConfigs {
    std::string name;
    std::optional<std::string> value = std::string{};
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;

    bool operator==(const CreatableTopicConfigs&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("value", m.value);
      v.field("read_only", m.read_only);
      v.field("config_source", m.config_source);
      v.field("is_sensitive", m.is_sensitive);
    }
  };

  struct CreatableTopicResult {
    std::string name;
    Uuid topic_id;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message = std::string{};
    ErrorCode topic_config_error_code = ErrorCode::none;  // why configs are missing, if they are
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<CreatableTopicConfigs>> configs = std::vector<CreatableTopicConfigs>{};

    bool operator==(const CreatableTopicResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("topic_id", m.topic_id, {.since = 7, .ignorable = true});
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
      v.field("topic_config_error_code", m.topic_config_error_code,
              {.since = 5, .ignorable = true, .tag = 0});
      v.field("num_partitions", m.num_partitions, {.since = 5, .ignorable = true});
      v.field("replication_factor", m.replication_factor, {.since = 5, .ignorable = true});
      v.field("configs", m.configs, {.since = 5, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<CreatableTopicResult> topics;

  bool operator==(const CreateTopicsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<CreateTopicsRequest>;
extern template struct Codec<CreateTopicsResponse>;

}  // namespace tidegate::protocol
