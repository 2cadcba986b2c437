// JoinGroup (key 11): a classic consumer enters its group and waits for the rebalance.
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
//   1  rebalance timeout apart from the session's (KIP-62)
//   4  client can repeat the join with the member id it was given (KIP-394)
//   5  static membership (KIP-345)
//   6  flexible
//   8  reason (KIP-800)
//   9  leader may be told to skip the assignment (KIP-814)
struct JoinGroupRequest {
  static constexpr std::int16_t kApiKey = 11;
  static constexpr Versions versions{0, 9, flexible_from(6)};
  static constexpr double kMemoryFactor = 19;

  struct JoinGroupRequestProtocol {
    std::string name;
    std::vector<std::uint8_t> metadata;

    bool operator==(const JoinGroupRequestProtocol&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("metadata", m.metadata);
    }
  };

  std::string group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<JoinGroupRequestProtocol> protocols;
  std::optional<std::string> reason;

  bool operator==(const JoinGroupRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("session_timeout_ms", m.session_timeout_ms);
    v.field("rebalance_timeout_ms", m.rebalance_timeout_ms, {.since = 1, .ignorable = true});
    v.field("member_id", m.member_id);
    v.field("group_instance_id", m.group_instance_id, {.since = 5});
    v.field("protocol_type", m.protocol_type);
    v.field("protocols", m.protocols);
    v.field("reason", m.reason, {.since = 8, .ignorable = true});
  }
};

// Versions:
//   2  throttle time
//   5  static membership (KIP-345)
//   6  flexible
//   7  protocol type; null name allowed (KIP-559)
//   9  skip assignment (KIP-814)
struct JoinGroupResponse {
  static constexpr std::int16_t kApiKey = 11;
  static constexpr Versions versions{0, 9, flexible_from(6)};

  struct JoinGroupResponseMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::vector<std::uint8_t> metadata;

    bool operator==(const JoinGroupResponseMember&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("member_id", m.member_id);
      v.field("group_instance_id", m.group_instance_id, {.since = 5, .ignorable = true});
      v.field("metadata", m.metadata);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name = std::string{};
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinGroupResponseMember> members;

  bool operator==(const JoinGroupResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 2, .ignorable = true});
    v.field("error_code", m.error_code);
    v.field("generation_id", m.generation_id);
    v.field("protocol_type", m.protocol_type, {.since = 7, .ignorable = true});
    v.field("protocol_name", m.protocol_name, {.nullable_since = 7});
    v.field("leader", m.leader);
    v.field("skip_assignment", m.skip_assignment, {.since = 9});
    v.field("member_id", m.member_id);
    v.field("members", m.members);
  }
};

extern template struct Codec<JoinGroupRequest>;
extern template struct Codec<JoinGroupResponse>;

}  // namespace tidegate::protocol
