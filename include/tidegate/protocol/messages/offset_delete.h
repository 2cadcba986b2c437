// OffsetDelete (key 47): forgets single offsets of a group (KIP-496). Never flexible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   0  the only version
struct OffsetDeleteRequest {
  static constexpr std::int16_t kApiKey = 47;
  static constexpr Versions versions{0, 0, never_flexible()};
  static constexpr double kMemoryFactor = 10;

  struct OffsetDeleteRequestPartition {
    std::int32_t partition_index = 0;

    bool operator==(const OffsetDeleteRequestPartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
    }
  };

  struct OffsetDeleteRequestTopic {
    std::string name;
    std::vector<OffsetDeleteRequestPartition> partitions;

    bool operator==(const OffsetDeleteRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  std::string group_id;
  std::vector<OffsetDeleteRequestTopic> topics;

  bool operator==(const OffsetDeleteRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("topics", m.topics);
  }
};

// Versions:
//   0  the only version
struct OffsetDeleteResponse {
  static constexpr std::int16_t kApiKey = 47;
  static constexpr Versions versions{0, 0, never_flexible()};

  struct OffsetDeleteResponsePartition {
    std::int32_t partition_index = 0;
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const OffsetDeleteResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("partition_index", m.partition_index);
      v.field("error_code", m.error_code);
    }
  };

  struct OffsetDeleteResponseTopic {
    std::string name;
    std::vector<OffsetDeleteResponsePartition> partitions;

    bool operator==(const OffsetDeleteResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("partitions", m.partitions);
    }
  };

  ErrorCode error_code = ErrorCode::none;
  std::int32_t throttle_time_ms = 0;
  std::vector<OffsetDeleteResponseTopic> topics;

  bool operator==(const OffsetDeleteResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("error_code", m.error_code);
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("topics", m.topics);
  }
};

extern template struct Codec<OffsetDeleteRequest>;
extern template struct Codec<OffsetDeleteResponse>;

}  // namespace tidegate::protocol
