// DeleteTopics (key 20).
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
//   1  first of Kafka 4: a list of names
//   4  flexible
//   5  client knows THROTTLING_QUOTA_EXCEEDED (KIP-599)
//   6  names or ids (KIP-516)
struct DeleteTopicsRequest {
  static constexpr std::int16_t kApiKey = 20;
  static constexpr Versions versions{1, 6, flexible_from(4)};
  static constexpr double kMemoryFactor = 32;

  struct DeleteTopicState {
    std::optional<std::string> name;
    Uuid topic_id;

    bool operator==(const DeleteTopicState&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("topic_id", m.topic_id);
    }
  };

  std::vector<DeleteTopicState> topics;
  std::vector<std::string> topic_names;
  std::int32_t timeout_ms = 0;

  bool operator==(const DeleteTopicsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics, {.since = 6});
    v.field("topic_names", m.topic_names, {.until = 5, .ignorable = true});
    v.field("timeout_ms", m.timeout_ms);
  }
};

// Versions:
//   1  first of Kafka 4: throttle time
//   4  flexible
//   5  error message (KIP-599)
//   6  topic id; null name for an id that is not known (KIP-516)
struct DeleteTopicsResponse {
  static constexpr std::int16_t kApiKey = 20;
  static constexpr Versions versions{1, 6, flexible_from(4)};

  struct DeletableTopicResult {
    std::optional<std::string> name = std::string{};
    Uuid topic_id;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;

    bool operator==(const DeletableTopicResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name, {.nullable_since = 6});
      v.field("topic_id", m.topic_id, {.since = 6, .ignorable = true});
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message, {.since = 5, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeletableTopicResult> responses;

  bool operator==(const DeleteTopicsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("responses", m.responses);
  }
};

extern template struct Codec<DeleteTopicsRequest>;
extern template struct Codec<DeleteTopicsResponse>;

}  // namespace tidegate::protocol
