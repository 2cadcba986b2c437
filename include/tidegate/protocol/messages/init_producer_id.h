// InitProducerId (key 22): a producer id and epoch, for idempotence (no transactional id) or transactions
// (KIP-98). Kafka's version 6 is not stable yet (KIP-939) and not spoken here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   2  flexible
//   3  the id and epoch that the producer had, to go on with (KIP-360)
//   4  client knows PRODUCER_FENCED (KIP-588)
//   5  client knows TRANSACTION_ABORTABLE (KIP-890)
struct InitProducerIdRequest {
  static constexpr std::int16_t kApiKey = 22;
  static constexpr Versions versions{0, 5, flexible_from(2)};
  static constexpr double kMemoryFactor = 1;

  std::optional<std::string> transactional_id = std::string{};
  std::int32_t transaction_timeout_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  bool operator==(const InitProducerIdRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("transactional_id", m.transactional_id);
    v.field("transaction_timeout_ms", m.transaction_timeout_ms);
    v.field("producer_id", m.producer_id, {.since = 3});
    v.field("producer_epoch", m.producer_epoch, {.since = 3});
  }
};

// Versions:
//   2  flexible
struct InitProducerIdResponse {
  static constexpr std::int16_t kApiKey = 22;
  static constexpr Versions versions{0, 5, flexible_from(2)};

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = 0;

  bool operator==(const InitProducerIdResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("producer_id", m.producer_id);
    v.field("producer_epoch", m.producer_epoch);
  }
};

extern template struct Codec<InitProducerIdRequest>;
extern template struct Codec<InitProducerIdResponse>;

}  // namespace tidegate::protocol
