// What the configuration allows a group: timeouts, sizes, protocols. The coordinator's shell fills it in
// once from the configuration table and hands every Group a reference that outlives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"

namespace tidegate::groups {

// group.consumer.migration.policy: which way a live group may change between the two protocols.
enum class MigrationPolicy { disabled, upgrade, downgrade, bidirectional };

struct GroupLimits {
  // group.coordinator.rebalance.protocols; "classic" is always among them.
  bool consumer_enabled = true;

  // Classic groups.
  Duration min_session_timeout = std::chrono::seconds(6);      // group.min.session.timeout.ms
  Duration max_session_timeout = std::chrono::minutes(30);     // group.max.session.timeout.ms
  Duration initial_rebalance_delay = std::chrono::seconds(3);  // group.initial.rebalance.delay.ms
  // How long a member that joins for the first time may be parked: it has no session yet.
  Duration new_member_join_timeout = std::chrono::minutes(5);
  std::size_t max_group_size = std::numeric_limits<std::int32_t>::max();  // group.max.size
  bool cooperative_sticky_enabled = true;                                 // group.cooperative.sticky.enable
  // Member ids given out with MEMBER_ID_REQUIRED and not yet used. One more forgets the oldest.
  std::size_t max_pending_ids = 10'000;
  // Protocol names and metadata of one join; the whole assignment of one sync.
  std::size_t max_member_metadata_bytes = 1U << 20U;
  std::size_t max_assignment_bytes = 64U << 20U;

  // KIP-848 groups.
  Duration consumer_session_timeout = std::chrono::seconds(45);    // group.consumer.session.timeout.ms
  Duration consumer_heartbeat_interval = std::chrono::seconds(5);  // group.consumer.heartbeat.interval.ms
  std::size_t consumer_max_size = std::numeric_limits<std::int32_t>::max();  // group.consumer.max.size
  // group.consumer.assignors; the first is the default.
  std::vector<std::string> consumer_assignors{"uniform", "range"};
  MigrationPolicy migration_policy = MigrationPolicy::bidirectional;
  std::size_t max_regex_bytes = 1024;

  // Offsets.
  std::size_t offset_metadata_max_bytes = 4096;                              // offset.metadata.max.bytes
  std::chrono::milliseconds offsets_retention = std::chrono::hours(7 * 24);  // offsets.retention.minutes
  // Partitions that one group may have committed.
  std::size_t max_offsets_per_group = 1'000'000;
};

}  // namespace tidegate::groups
