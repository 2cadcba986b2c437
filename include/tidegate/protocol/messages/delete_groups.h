// DeleteGroups (key 42): KIP-229.
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
//   2  flexible
//   3  same layout; the answer has messages
struct DeleteGroupsRequest {
  static constexpr std::int16_t kApiKey = 42;
  static constexpr Versions versions{0, 3, flexible_from(2)};
  static constexpr double kMemoryFactor = 32;

  std::vector<std::string> groups_names;

  bool operator==(const DeleteGroupsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("groups_names", m.groups_names);
  }
};

// Versions:
//   2  flexible
//   3  error message per group
struct DeleteGroupsResponse {
  static constexpr std::int16_t kApiKey = 42;
  static constexpr Versions versions{0, 3, flexible_from(2)};

  struct DeletableGroupResult {
    std::string group_id;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;

    bool operator==(const DeletableGroupResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("group_id", m.group_id);
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message, {.since = 3, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DeletableGroupResult> results;

  bool operator==(const DeleteGroupsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("results", m.results);
  }
};

extern template struct Codec<DeleteGroupsRequest>;
extern template struct Codec<DeleteGroupsResponse>;

}  // namespace tidegate::protocol
