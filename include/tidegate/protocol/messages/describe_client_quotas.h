// DescribeClientQuotas (key 48): quotas of users and client ids (KIP-546).
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
//   0
//   1  flexible
struct DescribeClientQuotasRequest {
  static constexpr std::int16_t kApiKey = 48;
  static constexpr Versions versions{0, 1, flexible_from(1)};
  static constexpr double kMemoryFactor = 24;

  struct ComponentData {
    std::string entity_type;
    std::int8_t match_type = 0;
    std::optional<std::string> match = std::string{};

    bool operator==(const ComponentData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("entity_type", m.entity_type);
      v.field("match_type", m.match_type);
      v.field("match", m.match);
    }
  };

  std::vector<ComponentData> components;
  bool strict = false;

  bool operator==(const DescribeClientQuotasRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("components", m.components);
    v.field("strict", m.strict);
  }
};

// Versions:
//   0
//   1  flexible
struct DescribeClientQuotasResponse {
  static constexpr std::int16_t kApiKey = 48;
  static constexpr Versions versions{0, 1, flexible_from(1)};

  struct EntryData {
    struct EntityData {
      std::string entity_type;
      std::optional<std::string> entity_name = std::string{};

      bool operator==(const EntityData&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("entity_type", m.entity_type);
        v.field("entity_name", m.entity_name);
      }
    };

    struct ValueData {
      std::string key;
      double value = 0;

      bool operator==(const ValueData&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("key", m.key);
        v.field("value", m.value);
      }
    };

    std::vector<EntityData> entity;
    std::vector<ValueData> values;

    bool operator==(const EntryData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("entity", m.entity);
      v.field("values", m.values);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message = std::string{};
  std::optional<std::vector<EntryData>> entries = std::vector<EntryData>{};

  bool operator==(const DescribeClientQuotasResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("error_message", m.error_message);
    v.field("entries", m.entries);
  }
};

extern template struct Codec<DescribeClientQuotasRequest>;
extern template struct Codec<DescribeClientQuotasResponse>;

}  // namespace tidegate::protocol
