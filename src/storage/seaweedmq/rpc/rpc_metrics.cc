#include "rpc/rpc_metrics.h"

namespace tidegate::storage::seaweedmq {
namespace {
constexpr std::array<const char*, kMethods> kMethodNames{"lookup_entry",
                                                         "list_entries",
                                                         "create_entry",
                                                         "update_entry",
                                                         "delete_entry",
                                                         "object_transaction",
                                                         "assign_volume",
                                                         "lookup_volume",
                                                         "lock",
                                                         "unlock",
                                                         "find_lock_owner",
                                                         "filer_configuration",
                                                         "list_cluster_nodes",
                                                         "ask_leader",
                                                         "volume_put",
                                                         "volume_get",
                                                         "volume_delete",
                                                         "lookup_topic",
                                                         "configure_topic",
                                                         "fetch_message",
                                                         "partition_range"};
constexpr std::array<const char*, kEndpointKinds> kKindNames{"master", "filer", "volume", "broker"};
}  // namespace

const char* method_name(Method method) { return kMethodNames[static_cast<std::size_t>(method)]; }

RpcMetrics::RpcMetrics(MetricRegistry& registry)
    : sent_bytes_(
          registry.counter("tidegate_seaweedmq_sent_bytes_total", "Bytes uploaded to volume servers.")),
      received_bytes_(registry.counter("tidegate_seaweedmq_received_bytes_total",
                                       "Bytes downloaded from volume servers.")) {
  for (std::size_t i = 0; i < kMethods; ++i) {
    const std::string name = kMethodNames[i];
    const std::string calls = "tidegate_seaweedmq_calls_total";
    const std::string help = "Calls to SeaweedFS that ended, by method and outcome.";
    methods_[i].done = &registry.counter(calls, help, {{"method", name}, {"outcome", "done"}});
    methods_[i].failed = &registry.counter(calls, help, {{"method", name}, {"outcome", "failed"}});
    methods_[i].repeats =
        &registry.counter("tidegate_seaweedmq_repeats_total",
                          "Calls to SeaweedFS made again after a failure.", {{"method", name}});
    methods_[i].latency = &registry.histogram("tidegate_seaweedmq_call_seconds",
                                              "Time of a call to SeaweedFS, by method.", {{"method", name}});
  }
  for (std::size_t i = 0; i < kEndpointKinds; ++i) {
    const std::string kind = kKindNames[i];
    open_[i] =
        &registry.gauge("tidegate_seaweedmq_open_breakers",
                        "Servers of SeaweedFS that calls are kept away from for now.", {{"kind", kind}});
    refused_[i] =
        &registry.counter("tidegate_seaweedmq_refused_by_breaker_total",
                          "Calls to SeaweedFS not made because of an open breaker.", {{"kind", kind}});
  }
}

void RpcMetrics::called(Method method, Duration took, bool failed) {
  OfMethod& at = of(method);
  (failed ? at.failed : at.done)->add();
  at.latency->record(static_cast<std::uint64_t>(took.count()));
}

}  // namespace tidegate::storage::seaweedmq
