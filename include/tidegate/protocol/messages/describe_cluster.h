// DescribeCluster (key 60): cluster id, brokers and controller (KIP-700).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/error_code.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol {

// Versions:
//   0  flexible
//   1  brokers or controllers (KIP-919)
//   2  fenced brokers too (KIP-1073)
struct DescribeClusterRequest {
  static constexpr std::int16_t kApiKey = 60;
  static constexpr Versions versions{0, 2, flexible_from(0)};
  static constexpr double kMemoryFactor = 1;

  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  bool operator==(const DescribeClusterRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("include_cluster_authorized_operations", m.include_cluster_authorized_operations);
    v.field("endpoint_type", m.endpoint_type, {.since = 1});
    v.field("include_fenced_brokers", m.include_fenced_brokers, {.since = 2});
  }
};

// Versions:
//   0  flexible
//   1  which kind of endpoints (KIP-919)
//   2  whether a broker is fenced (KIP-1073)
struct DescribeClusterResponse {
  static constexpr std::int16_t kApiKey = 60;
  static constexpr Versions versions{0, 2, flexible_from(0)};

  struct DescribeClusterBroker {
    std::int32_t broker_id = 0;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    bool operator==(const DescribeClusterBroker&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("broker_id", m.broker_id);
      v.field("host", m.host);
      v.field("port", m.port);
      v.field("rack", m.rack);
      v.field("is_fenced", m.is_fenced, {.since = 2});
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  std::int32_t controller_id = -1;
  std::vector<DescribeClusterBroker> brokers;
  // Bit set; the least int32 means not asked for.
  std::int32_t cluster_authorized_operations = std::numeric_limits<std::int32_t>::min();

  bool operator==(const DescribeClusterResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("throttle_time_ms", m.throttle_time_ms);
    v.field("error_code", m.error_code);
    v.field("error_message", m.error_message);
    v.field("endpoint_type", m.endpoint_type, {.since = 1});
    v.field("cluster_id", m.cluster_id);
    v.field("controller_id", m.controller_id);
    v.field("brokers", m.brokers);
    v.field("cluster_authorized_operations", m.cluster_authorized_operations);
  }
};

extern template struct Codec<DescribeClusterRequest>;
extern template struct Codec<DescribeClusterResponse>;

}  // namespace tidegate::protocol
