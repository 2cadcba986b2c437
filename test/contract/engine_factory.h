// What the contract suite needs to know of an engine. Each program of the suite is the suite's objects
// and one small file under engines/ that defines contract_engines(); CMakeLists.txt has one line for it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::test {

// Outlives every engine made with it.
struct EngineEnvironment {
  std::filesystem::path dir;  // empty at first; the same again when the engine is reopened
  ShardPool& shards;
  BlockingPool& blocking;
  const Clock& clock;
  Rng& rng;
  MetricRegistry& metrics;
};

struct EngineFactory {
  std::string name;  // of the test parameter: letters, digits, underscores
  std::function<std::unique_ptr<storage::Engine>(const EngineEnvironment&)> make;
  // The same with room for about `max_bytes` of data; empty when the engine has no such limit.
  std::function<std::unique_ptr<storage::Engine>(const EngineEnvironment&, std::size_t max_bytes)>
      make_small = {};
  // Topics can be given more partitions; elsewhere that is INVALID_PARTITIONS, always.
  bool adds_partitions = true;
  // cleanable() and replace() work for topics that say nothing of where they are.
  bool compacts = true;
};

// Defined once in each program of the suite.
std::vector<EngineFactory> contract_engines();

}  // namespace tidegate::test
