// DescribeProducers (key 61): the producers that a partition remembers (KIP-664).
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
struct DescribeProducersRequest {
  static constexpr std::int16_t kApiKey = 61;
  static constexpr Versions versions{0, 0, flexible_from(0)};
  static constexpr double kMemoryFactor = 32;

  struct TopicRequest {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    bool operator==(const TopicRequest&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partition_indexes", m.partition_indexes);
    }
  };

  std::vector<TopicRequest> topics;

  bool operator==(const DescribeProducersRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
  }
};

// Versions:
//   0  flexible
struct DescribeProducersResponse {
  static constexpr std::int16_t kApiKey = 61;
  static constexpr Versions versions{0, 0, flexible_from(0)};

  struct TopicResponse {
    struct PartitionResponse {
      struct ProducerState {
        std::int64_t producer_id = 0;
        std::int32_t producer_epoch = 0;
        std::int32_t last_sequence = -1;
        std::int64_t last_timestamp = -1;
        std::int32_t coordinator_epoch = 0;
        std::int64_t current_txn_start_offset = -1;

        bool operator==(const ProducerState&) const = default;
        template <class Self, class Visitor>
        static void fields(Self& m, Visitor& v) {
          v.field("producer_id", m.producer_id);
          v.field("producer_epoch", m.producer_epoch);
          v.field("last_sequence", m.last_sequence);
          v.field("last_timestamp", m.last_timestamp);
          v.field("coordinator_epoch", m.coordinator_epoch);
          v.field("current_txn_start_offset", m.current_txn_start_offset);
        }
      };

      std::int32_t partition_index = 0;
      ErrorCode error_code = ErrorCode::none;
      std::optional<std::string> error_message;
      std::vector<ProducerState> active_producers;

      bool operator==(const PartitionResponse&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("partition_index", m.partition_index);
        v.field("error_code", m.error_code);
        v.field("error_message", m.error_message);
        v.field("active_producers", m.active_producers);
      }
    };

    std::string name;
    std::vector<PartitionResponse> partitions;

    bool operator==(const TopicResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<TopicResponse> topics;

  bool operator==(const DescribeProducersResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<DescribeProducersRequest>;
extern template struct Codec<DescribeProducersResponse>;

}  // namespace tidegate::protocol
