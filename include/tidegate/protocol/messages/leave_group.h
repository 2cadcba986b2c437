// LeaveGroup (key 13): a classic member leaves, or an administrator removes members.
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
//   0  one member id
//   3  many members, by id or instance (KIP-345)
//   4  flexible
//   5  reason (KIP-800)
struct LeaveGroupRequest {
  static constexpr std::int16_t kApiKey = 13;
  static constexpr Versions versions{0, 5, flexible_from(4)};
  static constexpr double kMemoryFactor = 38;

  struct MemberIdentity {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    bool operator==(const MemberIdentity&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("group_instance_id", m.group_instance_id);
      v.field("reason", m.reason, {.since = 5, .ignorable = true});
    }
  };

  std::string group_id;
  std::string member_id;  // versions 0-2: the one who leaves
  std::vector<MemberIdentity> members;

  bool operator==(const LeaveGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("member_id", m.member_id, {.until = 2});
    v.field("members", m.members, {.since = 3});
  }
};

// Versions:
//   1  throttle time
//   3  one answer per member (KIP-345)
//   4  flexible
struct LeaveGroupResponse {
  static constexpr std::int16_t kApiKey = 13;
  static constexpr Versions versions{0, 5, flexible_from(4)};

  struct MemberResponse {
    std::string member_id;
    std::optional<std::string> group_instance_id = std::string{};
    ErrorCode error_code = ErrorCode::none;

    bool operator==(const MemberResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("group_instance_id", m.group_instance_id);
      v.field("error_code", m.error_code);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::vector<MemberResponse> members;

  bool operator==(const LeaveGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("error_code", m.error_code);
    v.field("members", m.members, {.since = 3});
  }
};

extern template struct Codec<LeaveGroupRequest>;
extern template struct Codec<LeaveGroupResponse>;

}  // namespace tidegate::protocol
