// ListGroups (key 16): every group that this broker coordinates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   3  flexible
//   4  only groups in these states (KIP-518)
//   5  only groups of these types (KIP-848)
struct ListGroupsRequest {
  static constexpr std::int16_t kApiKey = 16;
  static constexpr Versions versions{0, 5, flexible_from(3)};
  static constexpr double kMemoryFactor = 32;

  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;

  bool operator==(const ListGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("states_filter", m.states_filter, {.since = 4});
    v.field("types_filter", m.types_filter, {.since = 5});
  }
};

// Versions:
//   1  throttle time
//   3  flexible
//   4  state (KIP-518)
//   5  type (KIP-848)
struct ListGroupsResponse {
  static constexpr std::int16_t kApiKey = 16;
  static constexpr Versions versions{0, 5, flexible_from(3)};

  struct ListedGroup {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    bool operator==(const ListedGroup&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("group_id", m.group_id);
      v.field("protocol_type", m.protocol_type);
      v.field("group_state", m.group_state, {.since = 4, .ignorable = true});
      v.field("group_type", m.group_type, {.since = 5, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::vector<ListedGroup> groups;

  bool operator==(const ListGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("error_code", m.error_code);
    v.field("groups", m.groups);
  }
};

extern template struct Codec<ListGroupsRequest>;
extern template struct Codec<ListGroupsResponse>;

}  // namespace tidegate::protocol
