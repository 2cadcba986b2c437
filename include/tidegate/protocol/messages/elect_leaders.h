// ElectLeaders (key 43): asks for the preferred leader, or any live one (KIP-460).
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
//   0  preferred leaders only
//   1  the kind of election (KIP-460)
//   2  flexible
struct ElectLeadersRequest {
  static constexpr std::int16_t kApiKey = 43;
  static constexpr Versions versions{0, 2, flexible_from(2)};
  static constexpr double kMemoryFactor = 24;

  struct TopicPartitions {
    std::string topic;
    std::vector<std::int32_t> partitions;

    bool operator==(const TopicPartitions&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic);
      v.field("partitions", m.partitions);
    }
  };

  std::int8_t election_type = 0;
  std::optional<std::vector<TopicPartitions>> topic_partitions = std::vector<TopicPartitions>{};
  std::int32_t timeout_ms = 60000;

  bool operator==(const ElectLeadersRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("election_type", m.election_type, {.since = 1});
    v.field("topic_partitions", m.topic_partitions);
    v.field("timeout_ms", m.timeout_ms);
  }
};

// Versions:
//   0
//   1  an error of the whole answer
//   2  flexible
struct ElectLeadersResponse {
  static constexpr std::int16_t kApiKey = 43;
  static constexpr Versions versions{0, 2, flexible_from(2)};

  struct ReplicaElectionResult {
    struct PartitionResult {
      std::int32_t partition_id = 0;
      ErrorCode error_code = ErrorCode::none;
      std::optional<std::string> error_message = std::string{};

      bool operator==(const PartitionResult&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("partition_id", m.partition_id);
        v.field("error_code", m.error_code);
        v.field("error_message", m.error_message);
      }
    };

    std::string topic;
    std::vector<PartitionResult> partition_result;

    bool operator==(const ReplicaElectionResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic);
      v.field("partition_result", m.partition_result);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::vector<ReplicaElectionResult> replica_election_results;

  bool operator==(const ElectLeadersResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code, {.since = 1});
    v.field("replica_election_results", m.replica_election_results);
  }
};

extern template struct Codec<ElectLeadersRequest>;
extern template struct Codec<ElectLeadersResponse>;

}  // namespace tidegate::protocol
