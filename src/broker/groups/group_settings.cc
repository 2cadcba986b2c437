// Reads the group settings from the table of server settings.
#include "groups/group_settings.h"

#include <algorithm>

namespace tidegate::broker {
namespace {

Duration milliseconds(const ConfigValues& config, std::string_view name) {
  return std::chrono::milliseconds(config.integer(name));
}
std::size_t size(const ConfigValues& config, std::string_view name) {
  return static_cast<std::size_t>(config.integer(name));
}
// A shard's share, at least one.
std::size_t share(const ConfigValues& config, std::string_view name, unsigned shards) {
  return (size(config, name) + shards - 1) / shards;
}

// The table allows these words alone.
groups::MigrationPolicy migration_policy(std::string_view word) {
  using enum groups::MigrationPolicy;
  if (word == "disabled") return disabled;
  if (word == "upgrade") return upgrade;
  if (word == "downgrade") return downgrade;
  return bidirectional;
}

}  // namespace

GroupSettings make_group_settings(const ConfigValues& config, unsigned shards) {
  GroupSettings settings;
  groups::GroupLimits& limits = settings.limits;
  const auto protocols = config.list("group.coordinator.rebalance.protocols");
  limits.consumer_enabled = std::ranges::find(protocols, "consumer") != protocols.end();
  limits.min_session_timeout = milliseconds(config, "group.min.session.timeout.ms");
  limits.max_session_timeout = milliseconds(config, "group.max.session.timeout.ms");
  limits.initial_rebalance_delay = milliseconds(config, "group.initial.rebalance.delay.ms");
  limits.max_group_size = size(config, "group.max.size");
  limits.cooperative_sticky_enabled = config.boolean("group.cooperative.sticky.enable");
  limits.max_pending_ids = size(config, "group.max.pending.members");
  limits.max_member_metadata_bytes = size(config, "group.max.member.metadata.bytes");
  limits.max_assignment_bytes = size(config, "group.max.assignment.bytes");
  limits.consumer_session_timeout = milliseconds(config, "group.consumer.session.timeout.ms");
  limits.consumer_heartbeat_interval = milliseconds(config, "group.consumer.heartbeat.interval.ms");
  limits.consumer_max_size = size(config, "group.consumer.max.size");
  limits.consumer_assignors = config.list("group.consumer.assignors");
  limits.migration_policy = migration_policy(config.text("group.consumer.migration.policy"));
  limits.offset_metadata_max_bytes = size(config, "offset.metadata.max.bytes");
  limits.offsets_retention = std::chrono::minutes(config.integer("offsets.retention.minutes"));
  limits.max_offsets_per_group = size(config, "group.max.offsets");
  settings.max_groups = share(config, "group.coordinator.max.groups", shards);
  settings.max_members = share(config, "group.coordinator.max.members", shards);
  settings.expiry_interval = milliseconds(config, "offsets.retention.check.interval.ms");
  return settings;
}

}  // namespace tidegate::broker
