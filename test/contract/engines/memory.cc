#include "engine_factory.h"
#include "tidegate/storage/memory/memory_engine.h"

namespace tidegate::test {

std::vector<EngineFactory> contract_engines() {
  const auto make_with = [](const EngineEnvironment& environment, std::size_t max_bytes) {
    return storage::make_memory_engine({.max_bytes = max_bytes}, environment.shards, environment.clock,
                                       environment.rng, environment.metrics);
  };
  const auto make = [make_with](const EngineEnvironment& environment) {
    return make_with(environment, storage::MemoryEngineOptions{}.max_bytes);
  };
  return {{.name = "memory", .make = make, .make_small = make_with}};
}

}  // namespace tidegate::test
