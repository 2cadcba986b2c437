// The engine that keeps Kafka topics in a SeaweedFS (docs/seaweedmq.md): log chunks on its volume servers,
// everything else in entries of its filers. app/ makes one; everyone else sees storage/engine.h.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/engine.h"
#include "tidegate/storage/seaweedmq/position_files.h"

namespace tidegate::storage {

// The settings seaweedmq.*, which docs/configuration.md explains.
struct SeaweedmqOptions {
  std::vector<std::string> masters;  // HOST:PORT[.GRPCPORT]
  std::string filer_group;
  std::vector<std::string> address_rewrite;  // FROM=TO
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;
  bool volume_https = false;
  std::string jwt_write_key;
  std::string jwt_read_key;
  std::string path = "direct";
  std::string layout = "batch";
  std::string ack = "flushed";  // on the broker path; or broker
  // log.cleanup.policy has compact: topics are, that say nothing else.
  bool compacted_by_default = false;
  std::string replication;
  bool fsync = true;
  Duration linger = std::chrono::milliseconds(5);
  std::size_t chunk_bytes = 256U << 10;
  std::int64_t metadata_writes_per_second = 1000;
  std::size_t max_chunk_bytes = 4U << 20;
  std::size_t tail_cache_bytes = 64U << 20;
  std::size_t chunk_cache_bytes = 64U << 20;
  Duration call_timeout = std::chrono::seconds(5);
  Duration transfer_timeout = std::chrono::seconds(10);
  PositionFiles positions;
};

struct SeaweedmqParts {
  // The engine's own; to be asked once it has started.
  Cluster* cluster = nullptr;
  // Its start() waits until every part of SeaweedFS that it needs is there.
  std::unique_ptr<Engine> engine;
  // On shard 0, while start() is under way: ends it soon, with an error.
  std::function<Task<void>()> stop_waiting;
  // Who this gateway is; on shard 0, before start(). No other one may have the same node id: start() waits
  // until it is free.
  std::function<void(Member)> introduce;
  // How safe data is with these options, in one line for the log.
  std::string durability;
};

// invalid_config for options that can never work. Nothing is touched before start().
Result<SeaweedmqParts> make_seaweedmq_engine(const SeaweedmqOptions& options, ShardPool& shards,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics);

}  // namespace tidegate::storage
