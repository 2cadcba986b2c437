// ApiVersions (key 18): what this broker speaks; the first request on every connection. A version above
// ours is answered with error 35 in the body of version 0 (KIP-511).
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
//   3  flexible; name and version of the client's software (KIP-511)
//   4  client accepts features whose minimum is 0
//   5  cluster and node that the client believes to talk to (KIP-1242)
struct ApiVersionsRequest {
  static constexpr std::int16_t kApiKey = 18;
  static constexpr Versions versions{0, 5, flexible_from(3)};
  static constexpr double kMemoryFactor = 1;

  std::string client_software_name;
  std::string client_software_version;
  std::optional<std::string> cluster_id;
  std::int32_t node_id = -1;

  bool operator==(const ApiVersionsRequest&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("client_software_name", m.client_software_name, {.since = 3, .ignorable = true});
    v.field("client_software_version", m.client_software_version, {.since = 3, .ignorable = true});
    v.field("cluster_id", m.cluster_id, {.since = 5, .ignorable = true});
    v.field("node_id", m.node_id, {.since = 5, .ignorable = true});
  }
};

// Versions:
//   1  throttle time
//   3  flexible body (never a flexible header); features, tagged (KIP-584)
//   4  features may have minimum 0; they are left out below
struct ApiVersionsResponse {
  static constexpr std::int16_t kApiKey = 18;
  static constexpr Versions versions{0, 5, flexible_from(3)};

  struct ApiVersion {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    bool operator==(const ApiVersion&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("api_key", m.api_key);
      v.field("min_version", m.min_version);
      v.field("max_version", m.max_version);
    }
  };

  struct SupportedFeatureKey {
    std::string name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    bool operator==(const SupportedFeatureKey&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("min_version", m.min_version);
      v.field("max_version", m.max_version);
    }
  };

  struct FinalizedFeatureKey {
    std::string name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    bool operator==(const FinalizedFeatureKey&) const = default;
    template <class Self, class Visitor>
    static void fields(Self& m, Visitor& v) {
      v.field("name", m.name);
      v.field("max_version_level", m.max_version_level);
      v.field("min_version_level", m.min_version_level);
    }
  };

  ErrorCode error_code = ErrorCode::none;
  std::vector<ApiVersion> api_keys;
  std::int32_t throttle_time_ms = 0;
  std::vector<SupportedFeatureKey> supported_features;
  std::int64_t finalized_features_epoch = -1;  // -1: unknown
  std::vector<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;  // of the days of ZooKeeper; always false here

  bool operator==(const ApiVersionsResponse&) const = default;
  template <class Self, class Visitor>
  static void fields(Self& m, Visitor& v) {
    v.field("error_code", m.error_code);
    v.field("api_keys", m.api_keys);
    v.field("throttle_time_ms", m.throttle_time_ms, {.since = 1, .ignorable = true});
    v.field("supported_features", m.supported_features, {.since = 3, .ignorable = true, .tag = 0});
    v.field("finalized_features_epoch", m.finalized_features_epoch,
            {.since = 3, .ignorable = true, .tag = 1});
    v.field("finalized_features", m.finalized_features, {.since = 3, .ignorable = true, .tag = 2});
    v.field("zk_migration_ready", m.zk_migration_ready, {.since = 3, .ignorable = true, .tag = 3});
  }
};

extern template struct Codec<ApiVersionsRequest>;
extern template struct Codec<ApiVersionsResponse>;

}  // namespace tidegate::protocol
