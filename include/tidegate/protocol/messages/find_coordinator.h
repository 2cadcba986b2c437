// FindCoordinator (key 10): which broker coordinates a group (0), transactional id (1) or share group
// partition (2).
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
//   0  groups only
//   1  key type (KIP-98)
//   3  flexible
//   4  many keys (KIP-699)
//   5  client knows TRANSACTION_ABORTABLE (KIP-890)
//   6  share groups; the key is group:topicId:partition (KIP-932)
struct FindCoordinatorRequest {
  static constexpr std::int16_t kApiKey = 10;
  static constexpr Versions versions{0, 6, flexible_from(3)};
  static constexpr double kMemoryFactor = 32;

  std::string key;
  std::int8_t key_type = 0;  // 0 group, 1 transaction, 2 share
  std::vector<std::string> coordinator_keys;

  bool operator==(const FindCoordinatorRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("key", m.key, {.until = 3});
    v.field("key_type", m.key_type, {.since = 1});
    v.field("coordinator_keys", m.coordinator_keys, {.since = 4});
  }
};

// Versions:
//   1  throttle time, error message
//   3  flexible
//   4  many keys (KIP-699)
struct FindCoordinatorResponse {
  static constexpr std::int16_t kApiKey = 10;
  static constexpr Versions versions{0, 6, flexible_from(3)};

  struct Coordinator {
    std::string key;
    std::int32_t node_id = 0;
    std::string host;
    std::int32_t port = 0;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message = std::string{};

    bool operator==(const Coordinator&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("key", m.key);
      v.field("node_id", m.node_id);
      v.field("host", m.host);
      v.field("port", m.port);
      v.field("error_code", m.error_code);
      v.field("error_message", m.error_message);
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message = std::string{};
  std::int32_t node_id = 0;
  std::string host;
  std::int32_t port = 0;
  std::vector<Coordinator> coordinators;

  bool operator==(const FindCoordinatorResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("error_code", m.error_code, {.until = 3});
    v.field("error_message", m.error_message, {.since = 1, .until = 3, .ignorable = true});
    v.field("node_id", m.node_id, {.until = 3});
    v.field("host", m.host, {.until = 3});
    v.field("port", m.port, {.until = 3});
    v.field("coordinators", m.coordinators, {.since = 4});
  }
};

extern template struct Codec<FindCoordinatorRequest>;
extern template struct Codec<FindCoordinatorResponse>;

}  // namespace tidegate::protocol
