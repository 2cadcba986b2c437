// Heartbeat (key 12): a classic group member is alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   3  static membership (KIP-345)
//   4  flexible
struct HeartbeatRequest {
  static constexpr std::int16_t kApiKey = 12;
  static constexpr Versions versions{0, 4, flexible_from(4)};
  static constexpr double kMemoryFactor = 1;

  std::string group_id;
  std::int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;

  bool operator==(const HeartbeatRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("group_id", m.group_id);
    v.field("generation_id", m.generation_id);
    v.field("member_id", m.member_id);
    v.field("group_instance_id", m.group_instance_id, {.since = 3});
  }
};

// Versions:
//   1  throttle time
//   4  flexible
struct HeartbeatResponse {
  static constexpr std::int16_t kApiKey = 12;
  static constexpr Versions versions{0, 4, flexible_from(4)};

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;

  bool operator==(const HeartbeatResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("error_code", m.error_code);
  }
};

extern template struct Codec<HeartbeatRequest>;
extern template struct Codec<HeartbeatResponse>;

}  // namespace tidegate::protocol
