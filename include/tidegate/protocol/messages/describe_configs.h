// DescribeConfigs (key 32).
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
//   1  first of Kafka 4: may ask for synonyms (KIP-226)
//   3  may ask for documentation (KIP-569)
//   4  flexible
struct DescribeConfigsRequest {
  static constexpr std::int16_t kApiKey = 32;
  static constexpr Versions versions{1, 4, flexible_from(4)};
  static constexpr double kMemoryFactor = 32;

  struct DescribeConfigsResource {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys = std::vector<std::string>{};  // null: all

    bool operator==(const DescribeConfigsResource&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("resource_type", m.resource_type);
      v.field("resource_name", m.resource_name);
      v.field("configuration_keys", m.configuration_keys);
    }
  };

  std::vector<DescribeConfigsResource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  bool operator==(const DescribeConfigsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("resources", m.resources);
    v.field("include_synonyms", m.include_synonyms);
    v.field("include_documentation", m.include_documentation, {.since = 3});
  }
};

// Versions:
//   1  first of Kafka 4: source and synonyms (KIP-226)
//   3  type and documentation (KIP-569)
//   4  flexible
struct DescribeConfigsResponse {
  static constexpr std::int16_t kApiKey = 32;
  static constexpr Versions versions{1, 4, flexible_from(4)};

  struct DescribeConfigsSynonym {
    std::string name;
    std::optional<std::string> value = std::string{};
    std::int8_t source = 0;

    bool operator==(const DescribeConfigsSynonym&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("value", m.value);
      v.field("source", m.source);
    }
  };

  struct DescribeConfigsResourceResult {
    std::string name;
    std::optional<std::string> value = std::string{};
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<DescribeConfigsSynonym> synonyms;
    std::int8_t config_type = 0;
    std::optional<std::string> documentation = std::string{};

    bool operator==(const DescribeConfigsResourceResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("value", m.value);
      v.field("read_only", m.read_only);
      v.field("config_source", m.config_source);
      v.field("is_sensitive", m.is_sensitive);
      v.field("synonyms", m.synonyms);
      v.field("config_type", m.config_type, {.since = 3, .ignorable = true});
      v.field("documentation", m.documentation, {.since = 3, .ignorable = true});
    }
  };

  struct DescribeConfigsResult {
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message = std::string{};
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<DescribeConfigsResourceResult> configs;

    bool operator==(const DescribeConfigsResult&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
      v.field("resource_type", m.resource_type);
      v.field("resource_name", m.resource_name);
      v.field("configs", m.configs);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<DescribeConfigsResult> results;

  bool operator==(const DescribeConfigsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("results", m.results);
  }
};

extern template struct Codec<DescribeConfigsRequest>;
extern template struct Codec<DescribeConfigsResponse>;

}  // namespace tidegate::protocol
