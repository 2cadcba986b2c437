// CreatePartitions (key 37): raises the number of partitions (KIP-195).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   2  flexible
//   3  client knows THROTTLING_QUOTA_EXCEEDED (KIP-599)
struct CreatePartitionsRequest {
  static constexpr std::int16_t kApiKey = 37;
  static constexpr Versions versions{0, 3, flexible_from(2)};
  static constexpr double kMemoryFactor = 12;

  struct CreatePartitionsAssignment {
    std::vector<std::int32_t> broker_ids;

    bool operator==(const CreatePartitionsAssignment&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("broker_ids", m.broker_ids);
    }
  };

  struct CreatePartitionsTopic {
    std::string name;
    std::int32_t count = 0;
    // Null: the broker assigns.
    std::optional<std::vector<CreatePartitionsAssignment>> assignments =
        std::vector<CreatePartitionsAssignment>{};

    bool operator==(const CreatePartitionsTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("count", m.count);
      v.field("assignments", m.assignments);
    }
  };

  std::vector<CreatePartitionsTopic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  bool operator==(const CreatePartitionsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
    v.field("timeout_ms", m.timeout_ms);
    v.field("validate_only", m.validate_only);
  }
};

// Versions:
//   2  flexible
struct CreatePartitionsResponse {
  static constexpr std::int16_t kApiKey = 37;
  static constexpr Versions versions{0, 3, flexible_from(2)};

  struct CreatePartitionsTopicResult {
    std::string name;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;

    bool operator==(const CreatePartitionsTopicResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<CreatePartitionsTopicResult> results;

  bool operator==(const CreatePartitionsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("results", m.results);
  }
};

extern template struct Codec<CreatePartitionsRequest>;
extern template struct Codec<CreatePartitionsResponse>;

}  // namespace tidegate::protocol
