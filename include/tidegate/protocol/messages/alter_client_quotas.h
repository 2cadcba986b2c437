// AlterClientQuotas (key 49): sets and removes quotas of users and client ids (KIP-546).
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
struct AlterClientQuotasRequest {
  static constexpr std::int16_t kApiKey = 49;
  static constexpr Versions versions{0, 1, flexible_from(1)};
  static constexpr double kMemoryFactor = 24;

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

    struct OpData {
      std::string key;
      double value = 0;
      bool remove = false;

      bool operator==(const OpData&) const = default;
      template <class Self, class Visitor>
      static void fields(Self& m, Visitor& v) {
        v.field("key", m.key);
        v.field("value", m.value);
        v.field("remove", m.remove);
      }
    };

    std::vector<EntityData> entity;
    std::vector<OpData> ops;

    bool operator==(const EntryData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("entity", m.entity);
      v.field("ops", m.ops);
    }
  };

  std::vector<EntryData> entries;
  bool validate_only = false;

  bool operator==(const AlterClientQuotasRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("entries", m.entries);
    v.field("validate_only", m.validate_only);
  }
};

// Versions:
//   0
//   1  flexible
struct AlterClientQuotasResponse {
  static constexpr std::int16_t kApiKey = 49;
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

    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message = std::string{};
    std::vector<EntityData> entity;

    bool operator==(const EntryData&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
      v.field("entity", m.entity);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<EntryData> entries;

  bool operator==(const AlterClientQuotasResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("entries", m.entries);
  }
};

extern template struct Codec<AlterClientQuotasRequest>;
extern template struct Codec<AlterClientQuotasResponse>;

}  // namespace tidegate::protocol
