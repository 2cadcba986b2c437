#include "foreign_gateway.h"

#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {
namespace {

constexpr const char* kLeaderLock = "kafka-gateway-leader";

}  // namespace

ForeignGatewayWatch::ForeignGatewayWatch(MetricRegistry& metrics)
    : present_(metrics.gauge("tidegate_seaweedmq_foreign_gateway",
                             "1 while SeaweedFS's own Kafka gateway runs on the same cluster")) {}

Task<void> ForeignGatewayWatch::look(Locks* locks) {
  if (locks == nullptr) co_return;
  auto asked = co_await locks->lock_owner(kLeaderLock);
  if (!asked) co_return;
  std::string holder = asked->value_or("");
  present_.set(holder.empty() ? 0 : 1);
  if (holder == holder_) co_return;
  if (holder.empty()) {
    module_log().info("event=foreign_gateway_gone lock={} last_holder={}", kLeaderLock, holder_);
  } else {
    module_log().warn(
        "event=foreign_gateway_seen lock={} holder={} advice=\"SeaweedFS's own Kafka gateway runs on this "
        "cluster: do not let clients produce to the same topics through both; it respects neither our "
        "fences nor our offsets\"",
        kLeaderLock, holder);
  }
  holder_ = std::move(holder);
}

}  // namespace tidegate::storage::seaweedmq
