// The suite runs once under each flush policy, one of them without a tail cache: what a reader sees must
// not depend on either.
#include "engine_factory.h"
#include "tidegate/storage/embedded/embedded_engine.h"

namespace tidegate::test {

namespace {

EngineFactory with_policy(std::string name, storage::FlushPolicy policy, std::size_t cache_bytes) {
  const auto make = [=](const EngineEnvironment& environment) {
    storage::EmbeddedOptions options;
    options.data_dir = environment.dir.string();
    options.flush = policy;
    options.flush_interval_ms = 50;
    options.tail_cache_bytes = cache_bytes;
    return storage::make_embedded_engine(std::move(options), environment.shards, environment.blocking,
                                         environment.clock, environment.rng, environment.metrics);
  };
  return {.name = std::move(name), .make = make};
}

}  // namespace

std::vector<EngineFactory> contract_engines() {
  return {with_policy("embedded_ack", storage::FlushPolicy::ack, 64U << 20),
          with_policy("embedded_interval_cold", storage::FlushPolicy::interval, 0),
          with_policy("embedded_os", storage::FlushPolicy::os, 64U << 20)};
}

}  // namespace tidegate::test
