// What is counted of groups, over all shards.
#pragma once

#include <array>
#include <cstddef>

#include "tidegate/base/metrics.h"
#include "tidegate/groups/group.h"

namespace tidegate::broker {

struct GroupMetrics {
  explicit GroupMetrics(MetricRegistry& registry);

  // nullptr for `dead`: such a group is not there.
  Gauge* groups_in(groups::GroupState state) const { return by_state[static_cast<std::size_t>(state)]; }

  std::array<Gauge*, 7> by_state{};
  Gauge& members;
  Gauge& pending_members;
  Gauge& offsets;
  Gauge& parked;
  Gauge& loading;
  Gauge& unreadable;
  Gauge& load_failing;
  Counter& rebalances;
  Counter& commits;
  Counter& committed_partitions;
  Counter& failed_writes;
  Counter& refused;
  Histogram& commit_latency;
  Histogram& rebalance_time;
};

}  // namespace tidegate::broker
