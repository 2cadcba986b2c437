// Calls to SeaweedFS, counted and timed by method. One object a client, used on every shard; methods are a
// fixed set.
#pragma once

#include <array>
#include <cstddef>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"

namespace tidegate::storage::seaweedmq {

enum class Method {
  lookup_entry,
  list_entries,
  create_entry,
  update_entry,
  delete_entry,
  object_transaction,
  assign_volume,
  lookup_volume,
  lock,
  unlock,
  find_lock_owner,
  filer_configuration,
  list_cluster_nodes,
  ask_leader,
  volume_put,
  volume_get,
  volume_delete,
  lookup_topic,
  configure_topic,
  fetch_message,
  partition_range,
};
inline constexpr std::size_t kMethods = 21;

enum class EndpointKind { master, filer, volume, broker };
inline constexpr std::size_t kEndpointKinds = 4;

class RpcMetrics {
 public:
  explicit RpcMetrics(MetricRegistry& registry);
  // `failed`: no answer, or one that says that the server could not.
  void called(Method method, Duration took, bool failed);
  void repeated(Method method) { of(method).repeats->add(); }
  void refused_by_breaker(EndpointKind kind) { refused_[static_cast<std::size_t>(kind)]->add(); }
  Gauge& open_breakers(EndpointKind kind) { return *open_[static_cast<std::size_t>(kind)]; }
  Counter& sent_bytes() { return sent_bytes_; }
  Counter& received_bytes() { return received_bytes_; }

 private:
  struct OfMethod {
    Counter* done = nullptr;
    Counter* failed = nullptr;
    Counter* repeats = nullptr;
    Histogram* latency = nullptr;
  };
  OfMethod& of(Method method) { return methods_[static_cast<std::size_t>(method)]; }
  std::array<OfMethod, kMethods> methods_;
  std::array<Gauge*, kEndpointKinds> open_{};
  std::array<Counter*, kEndpointKinds> refused_{};
  Counter& sent_bytes_;
  Counter& received_bytes_;
};

const char* method_name(Method method);

}  // namespace tidegate::storage::seaweedmq
