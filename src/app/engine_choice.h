// Makes the storage engine that the settings name: the one place that knows engines apart.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/config_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::app {

struct ChosenEngine {
  std::unique_ptr<storage::Engine> engine;
  // Set where start() waits for something that may be long in coming; on shard 0 it ends such a start().
  std::function<Task<void>()> stop_waiting;
  // Set where gateways know of each other: who this one is. On shard 0, before start().
  std::function<void(storage::Member)> introduce;
  // Of an engine that several processes share, and its own; else the process is alone.
  storage::Cluster* cluster = nullptr;
  // How safe data is, for the log; empty: storage.flush says it.
  std::string durability;
};

// invalid_config for settings that can never work.
Result<ChosenEngine> make_engine(const ConfigValues& config, ShardPool& shards, BlockingPool& blocking,
                                 const Clock& clock, Rng& rng, MetricRegistry& metrics);

}  // namespace tidegate::app
