// DescribeLogDirs (key 35): what the log directory holds, and how full its disk is.
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
//   1  first of Kafka 4
//   2  flexible
//   3-5  the response has more
struct DescribeLogDirsRequest {
  static constexpr std::int16_t kApiKey = 35;
  static constexpr Versions versions{1, 5, flexible_from(2)};
  static constexpr double kMemoryFactor = 24;

  struct DescribableLogDirTopic {
    std::string topic;
    std::vector<std::int32_t> partitions;

    bool operator==(const DescribableLogDirTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("topic", m.topic);
      v.field("partitions", m.partitions);
    }
  };

  std::optional<std::vector<DescribableLogDirTopic>> topics = std::vector<DescribableLogDirTopic>{};

  bool operator==(const DescribeLogDirsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("topics", m.topics);
  }
};

// Versions:
//   1  first of Kafka 4
//   2  flexible
//   3  an error of the whole answer
//   4  size of the volume (KIP-827)
//   5  whether new partitions keep out (cordoned)
struct DescribeLogDirsResponse {
  static constexpr std::int16_t kApiKey = 35;
  static constexpr Versions versions{1, 5, flexible_from(2)};

  struct DescribeLogDirsResult {
    struct DescribeLogDirsTopic {
      struct DescribeLogDirsPartition {
        std::int32_t partition_index = 0;
        std::int64_t partition_size = 0;
        std::int64_t offset_lag = 0;
        bool is_future_key = false;

        bool operator==(const DescribeLogDirsPartition&) const = default;
        template <class Self, class Visitor>
        static void fields(Self& m, Visitor& v) {
          v.field("partition_index", m.partition_index);
          v.field("partition_size", m.partition_size);
          v.field("offset_lag", m.offset_lag);
          v.field("is_future_key", m.is_future_key);
        }
      };

      std::string name;
      std::vector<DescribeLogDirsPartition> partitions;

      bool operator==(const DescribeLogDirsTopic&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("name", m.name);
        v.field("partitions", m.partitions);
      }
    };

    ErrorCode error_code = ErrorCode::none;
    std::string log_dir;
    std::vector<DescribeLogDirsTopic> topics;
    std::int64_t total_bytes = -1;
    std::int64_t usable_bytes = -1;
    bool is_cordoned = false;

    bool operator==(const DescribeLogDirsResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("log_dir", m.log_dir);
      v.field("topics", m.topics);
      v.field("total_bytes", m.total_bytes, {.since = 4, .ignorable = true});
      v.field("usable_bytes", m.usable_bytes, {.since = 4, .ignorable = true});
      v.field("is_cordoned", m.is_cordoned, {.since = 5, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::vector<DescribeLogDirsResult> results;

  bool operator==(const DescribeLogDirsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code, {.since = 3, .ignorable = true});
    v.field("results", m.results);
  }
};

extern template struct Codec<DescribeLogDirsRequest>;
extern template struct Codec<DescribeLogDirsResponse>;

}  // namespace tidegate::protocol
