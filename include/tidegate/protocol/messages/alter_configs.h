// AlterConfigs (key 33): replaces the whole configuration of a resource; kept for old tools, see
// IncrementalAlterConfigs.
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
struct AlterConfigsRequest {
  static constexpr std::int16_t kApiKey = 33;
  static constexpr Versions versions{0, 2, flexible_from(2)};
  static constexpr double kMemoryFactor = 24;

  struct AlterableConfig {
    std::string name;
    std::optional<std::string> value = std::string{};

    bool operator==(const AlterableConfig&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("value", m.value);
    }
  };

  struct AlterConfigsResource {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<AlterableConfig> configs;

    bool operator==(const AlterConfigsResource&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("resource_type", m.resource_type);
      v.field("resource_name", m.resource_name);
      v.field("configs", m.configs);
    }
  };

  std::vector<AlterConfigsResource> resources;
  bool validate_only = false;

  bool operator==(const AlterConfigsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("resources", m.resources);
    v.field("validate_only", m.validate_only);
  }
};

// Versions:
//   2  flexible
struct AlterConfigsResponse {
  static constexpr std::int16_t kApiKey = 33;
  static constexpr Versions versions{0, 2, flexible_from(2)};

  struct AlterConfigsResourceResponse {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message = std::string{};
    std::int8_t resource_type = 0;
    std::string resource_name;

    bool operator==(const AlterConfigsResourceResponse&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
      v.field("resource_type", m.resource_type);
      v.field("resource_name", m.resource_name);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<AlterConfigsResourceResponse> responses;

  bool operator==(const AlterConfigsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("responses", m.responses);
  }
};

extern template struct Codec<AlterConfigsRequest>;
extern template struct Codec<AlterConfigsResponse>;

}  // namespace tidegate::protocol
