// SyncGroup (key 14): the leader hands in the assignment, every member gets its part.
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
//   3  static membership (KIP-345)
//   4  flexible
//   5  protocol type and name, checked by the coordinator (KIP-559)
struct SyncGroupRequest {
  static constexpr std::int16_t kApiKey = 14;
  static constexpr Versions versions{0, 5, flexible_from(4)};
  static constexpr double kMemoryFactor = 19;

  struct SyncGroupRequestAssignment {
    std::string member_id;
    std::vector<std::uint8_t> assignment;

    bool operator==(const SyncGroupRequestAssignment&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("assignment", m.assignment);
    }
  };

  std::string group_id;
  std::int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<SyncGroupRequestAssignment> assignments;

  bool operator==(const SyncGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("generation_id", m.generation_id);
    v.field("member_id", m.member_id);
    v.field("group_instance_id", m.group_instance_id, {.since = 3});
    v.field("protocol_type", m.protocol_type, {.since = 5, .ignorable = true});
    v.field("protocol_name", m.protocol_name, {.since = 5, .ignorable = true});
    v.field("assignments", m.assignments);
  }
};

// Versions:
//   1  throttle time
//   4  flexible
//   5  protocol type and name (KIP-559)
struct SyncGroupResponse {
  static constexpr std::int16_t kApiKey = 14;
  static constexpr Versions versions{0, 5, flexible_from(4)};

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<std::uint8_t> assignment;

  bool operator==(const SyncGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("error_code", m.error_code);
    v.field("protocol_type", m.protocol_type, {.since = 5, .ignorable = true});
    v.field("protocol_name", m.protocol_name, {.since = 5, .ignorable = true});
    v.field("assignment", m.assignment);
  }
};

extern template struct Codec<SyncGroupRequest>;
extern template struct Codec<SyncGroupResponse>;

}  // namespace tidegate::protocol
