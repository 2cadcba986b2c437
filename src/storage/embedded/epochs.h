// The leader epochs of one partition with the offsets at which they began.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "tidegate/storage/engine.h"

namespace tidegate::storage::embedded {

// Ascending, never empty. Shared with disk threads, so a change makes a new one.
using EpochTable = std::shared_ptr<const std::vector<EpochStart>>;

inline EpochTable first_epoch() {
  static const EpochTable table = std::make_shared<const std::vector<EpochStart>>(1, EpochStart{0, 0});
  return table;
}

inline LeaderEpoch epoch_at(const std::vector<EpochStart>& table, Offset offset) {
  LeaderEpoch epoch = table.front().epoch;
  for (const EpochStart& entry : table) {
    if (entry.start > offset) break;
    epoch = entry.epoch;
  }
  return epoch;
}

// The table after the log was cut at `end`: what began at or above it never had a batch that counts.
inline EpochTable next_epoch(const EpochTable& table, Offset end) {
  auto next = *table;
  const LeaderEpoch epoch = next.back().epoch + 1;
  std::erase_if(next, [&](const EpochStart& entry) { return entry.start >= end; });
  next.push_back({.epoch = epoch, .start = end});
  return std::make_shared<const std::vector<EpochStart>>(std::move(next));
}

}  // namespace tidegate::storage::embedded
