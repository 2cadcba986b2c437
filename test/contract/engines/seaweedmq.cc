// The engine of SeaweedFS over one in memory, which stays when the engine is reopened. The suite runs with
// large caches and no linger, and with none and small everything, in both layouts: what a reader sees must
// not depend on any of these.
#include <map>
#include <mutex>

#include "engine.h"
#include "engine_factory.h"
#include "memory_backend.h"

namespace tidegate::test {

namespace {

using namespace storage::seaweedmq;

// One for each directory that the suite has made.
std::shared_ptr<MemoryCluster> cluster_of(const EngineEnvironment& environment) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<MemoryCluster>> clusters;
  const std::lock_guard lock(mutex);
  auto& cluster = clusters[environment.dir.string()];
  if (!cluster) cluster = std::make_shared<MemoryCluster>();
  return cluster;
}

EngineFactory with_options(std::string name, EngineOptions options) {
  const auto make = [=](const EngineEnvironment& environment) -> std::unique_ptr<storage::Engine> {
    auto cluster = cluster_of(environment);
    auto client = std::make_shared<MemoryClient>(*cluster);
    auto source = std::make_unique<MemorySource>(std::move(cluster), std::move(client));
    return std::make_unique<SeaweedmqEngine>(options, std::move(source), environment.shards,
                                             environment.clock, environment.rng, environment.metrics);
  };
  return {.name = std::move(name), .make = make};
}

}  // namespace

std::vector<EngineFactory> contract_engines() {
  EngineOptions plain;
  plain.direct.linger = Duration(0);
  EngineOptions cold;
  cold.direct.linger = std::chrono::milliseconds(1);
  cold.direct.max_chunk_bytes = 2000;
  cold.direct.max_chunks_per_file = 5;
  cold.direct.listed_files = 2;
  cold.direct.list_page = 3;
  cold.tail_cache_bytes = 0;
  cold.chunk_cache_bytes = 20'000;
  EngineOptions plain_records = plain;
  plain_records.topics.layout = Layout::record;
  EngineOptions cold_records = cold;
  cold_records.topics.layout = Layout::record;
  return {with_options("seaweedmq", plain), with_options("seaweedmq_cold", cold),
          with_options("seaweedmq_record", plain_records),
          with_options("seaweedmq_record_cold", cold_records)};
}

}  // namespace tidegate::test
