// The engine that keeps everything in memory: for tests and throw-away dev brokers. Nothing outlives
// stop(). Only app/ (and tests) make one; everyone else sees storage::Engine.
// Starting it costs nothing. Each log lives on its owner shard; topics and meta data are small tables
// behind a lock that is never held across anything but a map operation.
#pragma once

#include <cstddef>
#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

struct MemoryEngineOptions {
  // Batches (with the buffers they pin), meta data and their book-keeping, over all shards. At the
  // limit appends and meta writes answer kafka_storage_error until retention or a trim makes room.
  std::size_t max_bytes = std::size_t{1} << 30;
};

// All references must outlive the engine. `rng` is used in start() only.
std::unique_ptr<Engine> make_memory_engine(MemoryEngineOptions options, ShardPool& shards, const Clock& clock,
                                           Rng& rng, MetricRegistry& metrics);

}  // namespace tidegate::storage
