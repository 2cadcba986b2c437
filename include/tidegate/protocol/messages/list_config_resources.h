// ListConfigResources (key 74): names of what has configs; once ListClientMetricsResources.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   0  client metrics resources only (KIP-714); flexible
//   1  by type (KIP-1142)
struct ListConfigResourcesRequest {
  static constexpr std::int16_t kApiKey = 74;
  static constexpr Versions versions{0, 1, flexible_from(0)};
  static constexpr double kMemoryFactor = 2;

  std::vector<std::int8_t> resource_types;

  bool operator==(const ListConfigResourcesRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("resource_types", m.resource_types, {.since = 1});
  }
};

// Versions:
//   0  flexible
//   1  the type of each (KIP-1142)
struct ListConfigResourcesResponse {
  static constexpr std::int16_t kApiKey = 74;
  static constexpr Versions versions{0, 1, flexible_from(0)};

  struct ConfigResource {
    std::string resource_name;
    std::int8_t resource_type = 16;

    bool operator==(const ConfigResource&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("resource_name", m.resource_name);
      v.field("resource_type", m.resource_type, {.since = 1, .ignorable = true});
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::vector<ConfigResource> config_resources;

  bool operator==(const ListConfigResourcesResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("config_resources", m.config_resources);
  }
};

extern template struct Codec<ListConfigResourcesRequest>;
extern template struct Codec<ListConfigResourcesResponse>;

}  // namespace tidegate::protocol
