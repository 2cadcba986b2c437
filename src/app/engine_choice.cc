#include "engine_choice.h"

#include <algorithm>

#include "inherited_offsets.h"

#include "tidegate/broker/server_config.h"
#include "tidegate/groups/record.h"
#include "tidegate/storage/embedded/embedded_engine.h"
#include "tidegate/storage/memory/memory_engine.h"
#include "tidegate/storage/seaweedmq/seaweedmq_engine.h"

namespace tidegate::app {
namespace {

storage::FlushPolicy flush_policy(const std::string& name) {
  if (name == "interval") return storage::FlushPolicy::interval;
  if (name == "os") return storage::FlushPolicy::os;
  return storage::FlushPolicy::ack;  // the table allows no other word
}

storage::SeaweedmqOptions seaweedmq_options(const ConfigValues& config) {
  const auto bytes = [&](const char* name) { return static_cast<std::size_t>(config.integer(name)); };
  const auto milliseconds = [&](const char* name) { return std::chrono::milliseconds(config.integer(name)); };
  storage::SeaweedmqOptions options;
  options.masters = config.list("seaweedmq.masters");
  options.filer_group = config.text("seaweedmq.filer.group");
  options.address_rewrite = config.list("seaweedmq.address.rewrite");
  options.tls_ca = config.text("seaweedmq.tls.ca");
  options.tls_certificate = config.text("seaweedmq.tls.certificate");
  options.tls_key = config.text("seaweedmq.tls.key");
  options.volume_https = config.boolean("seaweedmq.volume.https");
  options.jwt_write_key = config.text("seaweedmq.jwt.signing.key");
  options.jwt_read_key = config.text("seaweedmq.jwt.signing.read.key");
  options.path = config.text("seaweedmq.path");
  options.layout = config.text("seaweedmq.layout");
  options.ack = config.text("seaweedmq.ack");
  const auto policies = config.list("log.cleanup.policy");
  options.compacted_by_default = std::ranges::find(policies, "compact") != policies.end();
  options.replication = config.text("seaweedmq.replication");
  options.fsync = config.boolean("seaweedmq.fsync");
  options.linger = milliseconds("seaweedmq.linger.ms");
  options.chunk_bytes = bytes("seaweedmq.chunk.bytes");
  options.metadata_writes_per_second = config.integer("seaweedmq.metadata.writes.per.second");
  options.max_chunk_bytes = bytes("seaweedmq.chunk.max.bytes");
  options.tail_cache_bytes = bytes("storage.cache.bytes");
  options.chunk_cache_bytes = bytes("seaweedmq.chunk.cache.bytes");
  options.call_timeout = milliseconds("seaweedmq.call.timeout.ms");
  options.transfer_timeout = milliseconds("seaweedmq.transfer.timeout.ms");
  return options;
}

// A group that SeaweedFS's own Kafka gateway had goes on where it was.
storage::PositionFiles position_files(const Clock& clock) {
  storage::PositionFiles files{.scope_prefix = std::string(groups::kGroupScopes), .to_entries = {}};
  files.to_entries = [&clock](const std::vector<storage::PositionFile>& found) {
    std::vector<storage::MetaEntry> entries;
    for (const storage::PositionFile& file : found) {
      auto entry = inherited_offset(file.topic, file.partition, file.content, clock.wall_ms());
      if (entry) entries.push_back({.key = std::move(entry->first), .value = std::move(entry->second)});
    }
    return entries;
  };
  return files;
}

}  // namespace

Result<ChosenEngine> make_engine(const ConfigValues& config, ShardPool& shards, BlockingPool& blocking,
                                 const Clock& clock, Rng& rng, MetricRegistry& metrics) {
  ChosenEngine chosen;
  if (config.text("engine") == "seaweedmq") {
    auto options = seaweedmq_options(config);
    options.positions = position_files(clock);
    auto parts = storage::make_seaweedmq_engine(options, shards, clock, rng, metrics);
    if (!parts) return fail(std::move(parts.error()));
    chosen.engine = std::move(parts->engine);
    chosen.stop_waiting = std::move(parts->stop_waiting);
    chosen.cluster = parts->cluster;
    chosen.introduce = std::move(parts->introduce);
    chosen.durability = std::move(parts->durability);
    return chosen;
  }
  if (config.text("engine") == "memory") {
    storage::MemoryEngineOptions options;
    options.max_bytes = static_cast<std::size_t>(config.integer("memory.engine.max.bytes"));
    chosen.engine = storage::make_memory_engine(options, shards, clock, rng, metrics);
    return chosen;
  }
  storage::EmbeddedOptions options;
  options.data_dir = broker::server_data_dir(config);
  options.flush = flush_policy(config.text("storage.flush"));
  options.flush_interval_ms = config.integer("storage.flush.interval.ms");
  options.open_file_limit = static_cast<std::size_t>(config.integer("storage.open.files.max"));
  options.tail_cache_bytes = static_cast<std::size_t>(config.integer("storage.cache.bytes"));
  options.syncfs_threshold = static_cast<std::size_t>(config.integer("storage.syncfs.threshold"));
  chosen.engine = storage::make_embedded_engine(options, shards, blocking, clock, rng, metrics);
  return chosen;
}

}  // namespace tidegate::app
