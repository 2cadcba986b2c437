// DescribeGroups (key 15): state and members of classic groups.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   3  asks for authorized operations (KIP-430)
//   4  answer shows static members (KIP-345)
//   5  flexible
//   6  GROUP_ID_NOT_FOUND instead of state Dead (KIP-1043)
struct DescribeGroupsRequest {
  static constexpr std::int16_t kApiKey = 15;
  static constexpr Versions versions{0, 6, flexible_from(5)};
  static constexpr double kMemoryFactor = 32;

  std::vector<std::string> groups;
  bool include_authorized_operations = false;

  bool operator==(const DescribeGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("groups", m.groups);
    v.field("include_authorized_operations", m.include_authorized_operations, {.since = 3});
  }
};

// Versions:
//   1  throttle time
//   3  authorized operations (KIP-430)
//   4  static members (KIP-345)
//   5  flexible
//   6  error message (KIP-1043)
struct DescribeGroupsResponse {
  static constexpr std::int16_t kApiKey = 15;
  static constexpr Versions versions{0, 6, flexible_from(5)};

  struct DescribedGroupMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    std::vector<std::uint8_t> member_metadata;
    std::vector<std::uint8_t> member_assignment;

    bool operator==(const DescribedGroupMember&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("group_instance_id", m.group_instance_id, {.since = 4, .ignorable = true});
      v.field("client_id", m.client_id);
      v.field("client_host", m.client_host);
      v.field("member_metadata", m.member_metadata);
      v.field("member_assignment", m.member_assignment);
    }
  };

  struct DescribedGroup {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<DescribedGroupMember> members;
    // Bit set; the least int32 means not asked for.
    std::int32_t authorized_operations = std::numeric_limits<std::int32_t>::min();

    bool operator==(const DescribedGroup&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message, {.since = 6});
      v.field("group_id", m.group_id);
      v.field("group_state", m.group_state);
      v.field("protocol_type", m.protocol_type);
      v.field("protocol_data", m.protocol_data);
      v.field("members", m.members);
      v.field("authorized_operations", m.authorized_operations, {.since = 3});
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;

  bool operator==(const DescribeGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("groups", m.groups);
  }
};

extern template struct Codec<DescribeGroupsRequest>;
extern template struct Codec<DescribeGroupsResponse>;

}  // namespace tidegate::protocol
