#include "groups/group_metrics.h"

#include <string>

namespace tidegate::broker {

GroupMetrics::GroupMetrics(MetricRegistry& registry)
    : members(registry.gauge("tidegate_broker_group_members", "Members of all groups")),
      pending_members(registry.gauge("tidegate_broker_group_pending_members",
                                     "Member ids that were given out and have not joined yet")),
      offsets(
          registry.gauge("tidegate_broker_group_offsets", "Committed offsets, one a partition and group")),
      parked(registry.gauge("tidegate_broker_group_parked_requests",
                            "JoinGroup and SyncGroup requests that wait for other members")),
      loading(registry.gauge("tidegate_broker_groups_loading", "Groups that are being read from storage")),
      unreadable(
          registry.gauge("tidegate_broker_groups_unreadable",
                         "Groups whose stored state is damaged: no member can join until they are deleted")),
      load_failing(
          registry.gauge("tidegate_broker_groups_load_failing",
                         "Of the groups that are being read, those whose last try failed: each is tried "
                         "again after 10 s at most")),
      rebalances(registry.counter("tidegate_broker_group_rebalances_total", "Rebalances that have begun")),
      commits(registry.counter("tidegate_broker_offset_commits_total", "OffsetCommit requests")),
      committed_partitions(registry.counter("tidegate_broker_offset_commit_partitions_total",
                                            "Partitions named in OffsetCommit requests")),
      failed_writes(registry.counter("tidegate_broker_group_write_failures_total",
                                     "Writes of group state that failed; each made its group load anew")),
      refused(registry.counter("tidegate_broker_group_refusals_total",
                               "Requests refused at the limit of groups or of members")),
      commit_latency(registry.histogram("tidegate_broker_offset_commit_seconds",
                                        "Time from an OffsetCommit's arrival at its group to its answer")),
      rebalance_time(registry.histogram(
          "tidegate_broker_group_rebalance_seconds",
          "Time from the event that began a rebalance to the last answer that its members waited for")) {
  using enum groups::GroupState;
  for (const auto state :
       {empty, preparing_rebalance, completing_rebalance, assigning, reconciling, stable}) {
    by_state[static_cast<std::size_t>(state)] = &registry.gauge(
        "tidegate_broker_groups", "Groups by state", {{"state", std::string(groups::state_name(state))}});
  }
}

}  // namespace tidegate::broker
