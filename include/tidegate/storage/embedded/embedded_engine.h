// The durable local engine: record batches verbatim in segment files, everything else in RocksDB, one
// data directory. app/ makes one; everyone else sees storage/engine.h. What is on disk:
// docs/storage-format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

struct EmbeddedOptions {
  std::string data_dir;
  // ack: what is acknowledged or visible survives power loss. interval: survives a killed process, and
  // power loss but for the last flush_interval_ms. os: survives a killed process; the kernel decides.
  FlushPolicy flush = FlushPolicy::ack;
  std::int64_t flush_interval_ms = 1000;
  // Segment files kept open. Files with unsynced bytes are never closed and may pass it for a while.
  std::size_t open_file_limit = 4096;
  // Recently appended batches kept in memory, all shards together.
  std::size_t tail_cache_bytes = 64U << 20;
  // Appends of one partition that wait for the disk; past it append() answers throttling_quota_exceeded.
  std::size_t append_queue_bytes = 64U << 20;
  // Up to so many partitions are synced one by one side by side; more go into one syncfs.
  std::size_t syncfs_threshold = 8;
  // With interval and os: an append up to this size is written on the shard itself.
  std::size_t inline_write_bytes = 128U << 10;
  // Disk space reserved ahead for the segment that is written; 0: none.
  std::size_t segment_preallocate_bytes = 0;
};

// Nothing is touched before start(). Errors there are one line for the operator.
std::unique_ptr<Engine> make_embedded_engine(EmbeddedOptions options, ShardPool& shards, BlockingPool& pool,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics);

}  // namespace tidegate::storage
