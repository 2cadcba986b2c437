// What the configuration says about groups, as the state machine and its shell want it.
#pragma once

#include <chrono>
#include <cstddef>

#include "tidegate/base/config_table.h"
#include "tidegate/groups/limits.h"

namespace tidegate::broker {

struct GroupSettings {
  groups::GroupLimits limits;
  std::size_t max_groups = 0;   // of one shard
  std::size_t max_members = 0;  // of one shard, ids that were given out included
  Duration expiry_interval{};   // between looks for expired offsets
};

GroupSettings make_group_settings(const ConfigValues& config, unsigned shards);

}  // namespace tidegate::broker
