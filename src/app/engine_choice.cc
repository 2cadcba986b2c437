#include "engine_choice.h"

#include "tidegate/broker/server_config.h"
#include "tidegate/storage/embedded/embedded_engine.h"
#include "tidegate/storage/memory/memory_engine.h"

namespace tidegate::app {
namespace {

storage::FlushPolicy flush_policy(const std::string& name) {
  if (name == "interval") return storage::FlushPolicy::interval;
  if (name == "os") return storage::FlushPolicy::os;
  return storage::FlushPolicy::ack;  // the table allows no other word
}

}  // namespace

std::unique_ptr<storage::Engine> make_engine(const ConfigValues& config, ShardPool& shards, BlockingPool& blocking,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics) {
  if (config.text("engine") == "memory") {
    storage::MemoryEngineOptions options;
    options.max_bytes = static_cast<std::size_t>(config.integer("memory.engine.max.bytes"));
    return storage::make_memory_engine(options, shards, clock, rng, metrics);
  }
  storage::EmbeddedOptions options;
  options.data_dir = broker::server_data_dir(config);
  options.flush = flush_policy(config.text("storage.flush"));
  options.flush_interval_ms = config.integer("storage.flush.interval.ms");
  options.open_file_limit = static_cast<std::size_t>(config.integer("storage.open.files.max"));
  options.tail_cache_bytes = static_cast<std::size_t>(config.integer("storage.cache.bytes"));
  options.syncfs_threshold = static_cast<std::size_t>(config.integer("storage.syncfs.threshold"));
  return storage::make_embedded_engine(options, shards, blocking, clock, rng, metrics);
}

}  // namespace tidegate::app
