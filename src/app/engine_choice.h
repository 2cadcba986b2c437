// Makes the storage engine that the settings name: the one place that knows engines apart.
#pragma once

#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/base/config_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::app {

std::unique_ptr<storage::Engine> make_engine(const ConfigValues& config, ShardPool& shards, BlockingPool& blocking,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics);

}  // namespace tidegate::app
