// What the parts of one engine share. Made before start(), alive until the engine is destroyed; every
// member is thread-safe or never changes.
#pragma once

#include <atomic>
#include <memory>

#include "file_cache.h"
#include "kv.h"
#include "partition_facts.h"
#include "slot_file.h"
#include "syncer.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/storage/embedded/embedded_engine.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

struct StorageMetrics {
  explicit StorageMetrics(MetricRegistry& registry)
      : fsync_latency(registry.histogram("tidegate_storage_fsync_seconds", "Time of a sync to disk")),
        appended_bytes(
            registry.counter("tidegate_storage_appended_bytes_total", "Record bytes written to segments")),
        cache_hits(
            registry.counter("tidegate_storage_cache_hits_total", "Reads answered from the tail cache")),
        cache_misses(
            registry.counter("tidegate_storage_cache_misses_total", "Reads that went to segment files")),
        cache_bytes(registry.gauge("tidegate_storage_cache_bytes", "Memory held by the tail cache")),
        dirty_partitions(registry.gauge("tidegate_storage_dirty_partitions", "Logs with unsynced bytes")),
        open_partitions(registry.gauge("tidegate_storage_open_partitions", "Logs that are open")),
        append_failures(
            registry.counter("tidegate_storage_append_failures_total", "Groups of appends that failed")),
        corrupt_reads(
            registry.counter("tidegate_storage_corrupt_reads_total", "Reads that met damaged batches")),
        recovered_cuts(
            registry.counter("tidegate_storage_recovered_cuts_total", "Logs whose torn tail was cut")) {}
  Histogram& fsync_latency;
  Counter& appended_bytes;
  Counter& cache_hits;
  Counter& cache_misses;
  Gauge& cache_bytes;
  Gauge& dirty_partitions;
  Gauge& open_partitions;
  Counter& append_failures;
  Counter& corrupt_reads;
  Counter& recovered_cuts;
};

struct EngineContext {
  EngineContext(EmbeddedOptions the_options, std::unique_ptr<Vfs> the_vfs, std::unique_ptr<Kv> the_kv,
                BlockingPool& the_pool, const Clock& the_clock, MetricRegistry& registry)
      : options(std::move(the_options)),
        vfs(std::move(the_vfs)),
        kv(std::move(the_kv)),
        pool(the_pool),
        clock(the_clock),
        metrics(registry),
        files(*vfs, options.open_file_limit, registry),
        facts(*kv),
        syncer(*this) {}

  const EmbeddedOptions options;
  const std::unique_ptr<Vfs> vfs;
  const std::unique_ptr<Kv> kv;
  BlockingPool& pool;
  const Clock& clock;
  StorageMetrics metrics;
  FileCache files;
  SlotFile slots;
  PartitionFacts facts;
  Syncer syncer;
};

}  // namespace tidegate::storage::embedded
