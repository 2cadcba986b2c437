// ListPartitionReassignments (key 46): partitions that move between brokers (KIP-455).
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
//   0  flexible
struct ListPartitionReassignmentsRequest {
  static constexpr std::int16_t kApiKey = 46;
  static constexpr Versions versions{0, 0, flexible_from(0)};
  static constexpr double kMemoryFactor = 32;

  struct ListPartitionReassignmentsTopics {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    bool operator==(const ListPartitionReassignmentsTopics&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partition_indexes", m.partition_indexes);
    }
  };

  std::int32_t timeout_ms = 60000;
  std::optional<std::vector<ListPartitionReassignmentsTopics>> topics;

  bool operator==(const ListPartitionReassignmentsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("timeout_ms", m.timeout_ms);
    v.field("topics", m.topics);
  }
};

// Versions:
//   0  flexible
struct ListPartitionReassignmentsResponse {
  static constexpr std::int16_t kApiKey = 46;
  static constexpr Versions versions{0, 0, flexible_from(0)};

  struct OngoingTopicReassignment {
    struct OngoingPartitionReassignment {
      std::int32_t partition_index = 0;
      std::vector<std::int32_t> replicas;
      std::vector<std::int32_t> adding_replicas;
      std::vector<std::int32_t> removing_replicas;

      bool operator==(const OngoingPartitionReassignment&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("partition_index", m.partition_index);
        v.field("replicas", m.replicas);
        v.field("adding_replicas", m.adding_replicas);
        v.field("removing_replicas", m.removing_replicas);
      }
    };

    std::string name;
    std::vector<OngoingPartitionReassignment> partitions;

    bool operator==(const OngoingTopicReassignment&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message = std::string{};
  std::vector<OngoingTopicReassignment> topics;

  bool operator==(const ListPartitionReassignmentsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("error_message", m.error_message);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<ListPartitionReassignmentsRequest>;
extern template struct Codec<ListPartitionReassignmentsResponse>;

}  // namespace tidegate::protocol
