// What the direct logs of one shard share, and how they are to behave.
#pragma once

#include <chrono>
#include <cstddef>

#include "backend.h"
#include "chunk_reader.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/memory_budget.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/storage/tail_cache.h"
#include "write_budget.h"

namespace tidegate::storage::seaweedmq {

struct DirectOptions {
  // Appends of a partition gather for so long, or until so many bytes are there, before they are uploaded.
  Duration linger = std::chrono::milliseconds(5);
  std::size_t gather_bytes = 256U << 10;
  // Chunks a second that all partitions together begin, each of which is a metadata write; zero: no limit.
  double metadata_writes_per_second = 0;
  // What gathered behind an upload goes in one chunk up to this size (one append is never divided).
  std::size_t max_chunk_bytes = 4U << 20;
  // A file's entry says where a batch begins about every so many bytes of its chunks.
  std::size_t mark_bytes = 256U << 10;
  std::size_t max_chunks_per_file = 64;
  std::uint64_t max_file_bytes = 64U << 20;
  // Appends of one partition that wait; past it append() answers throttling_quota_exceeded.
  std::size_t append_queue_bytes = 64U << 20;
  // The same for all partitions of a shard together.
  std::size_t append_queues_bytes = 256U << 20;
  // Chunks of layout `record` of a shard that are being built and sent, whose batches are inflated for it;
  // past it a partition's next chunk waits. The chunks of 16 partitions are built at any time.
  std::size_t building_bytes = 256U << 20;
  // How long one append may be tried before it fails.
  Duration give_up_after = std::chrono::seconds(20);
  Duration first_backoff = std::chrono::milliseconds(20);
  Duration longest_backoff = std::chrono::seconds(2);
  // Sealed files that a take-over may have to list.
  std::size_t listed_files = 16;
  std::size_t list_page = 256;
  // So many small files beside each other become one; fewer, when it gets half as large as a file may be.
  std::size_t merge_files = 8;
  std::size_t merge_files_at_most = 256;
  // How often the files of a partition that brokers write are looked for, while somebody reads it.
  Duration watch_others = std::chrono::seconds(1);
  // Chunks that one read fetches at a time.
  std::size_t parallel_chunks = 4;
  // And those that are fetched for the read that is likely to follow.
  std::size_t ahead_chunks = 4;
};

struct DirectMetrics {
  explicit DirectMetrics(MetricRegistry& registry)
      : cache_bytes(registry.gauge("tidegate_seaweedmq_cache_bytes", "Memory held by the tail cache")),
        cache_hits(
            registry.counter("tidegate_seaweedmq_cache_hits_total", "Reads answered from the tail cache")),
        cache_misses(
            registry.counter("tidegate_seaweedmq_cache_misses_total", "Reads that went to volume servers")),
        chunks(registry.counter("tidegate_seaweedmq_chunks_uploaded_total",
                                "Chunks that volume servers have taken")),
        chunk_bytes(registry.counter("tidegate_seaweedmq_chunk_bytes_total", "Bytes of those chunks")),
        commits(
            registry.counter("tidegate_seaweedmq_commits_total", "Metadata writes that committed appends")),
        merges(registry.counter("tidegate_seaweedmq_merges_total", "Times that small log files became one")),
        retries(registry.counter("tidegate_seaweedmq_retries_total",
                                 "Uploads and metadata writes that were tried again")),
        opaque_batches(registry.counter("tidegate_seaweedmq_opaque_batches_total",
                                        "Batches that layout record had to keep whole")),
        stretched(
            registry.counter("tidegate_seaweedmq_stretched_lingers_total",
                             "Chunks that gathered longer to stay within the budget of metadata writes")),
        append_failures(registry.counter("tidegate_seaweedmq_append_failures_total",
                                         "Times that waiting appends of a log failed")),
        ring_changes(
            registry.counter("tidegate_seaweedmq_ring_changes_total",
                             "Times that filers with stores of their own came or went, and leases were "
                             "taken anew")),
        others_records(registry.counter("tidegate_seaweedmq_others_records_total",
                                        "Records read that others have stored, as they are")),
        lost_ranges(registry.counter("tidegate_seaweedmq_lost_ranges_total",
                                     "Log files that went away without us, by which a log became shorter")) {}
  Gauge& cache_bytes;
  Counter& cache_hits;
  Counter& cache_misses;
  Counter& chunks;
  Counter& chunk_bytes;
  Counter& commits;
  Counter& merges;
  Counter& retries;
  Counter& opaque_batches;
  Counter& stretched;
  Counter& append_failures;
  Counter& ring_changes;
  Counter& others_records;
  Counter& lost_ranges;
};

struct LogShard {
  LogShard(Shard& the_shard, Backend the_backend, const Clock& the_clock, std::uint64_t seed,
           DirectOptions the_options, DirectMetrics& the_metrics, WriteBudget& the_budget,
           std::size_t tail_bytes, std::size_t chunk_bytes)
      : shard(the_shard),
        backend(the_backend),
        clock(the_clock),
        rng(seed),
        options(the_options),
        metrics(the_metrics),
        budget(the_budget),
        tails(tail_bytes, the_metrics.cache_bytes),
        chunks(the_backend.volumes, the_shard, chunk_bytes, the_metrics.others_records),
        failure_lines(the_clock, 0.1, 3) {}

  // Waits somewhat longer than `backoff`, and doubles it.
  Task<void> back_off(Duration& backoff) {
    const auto jitter =
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(backoff.count()) / 2 + 1));
    const Duration wait = backoff + Duration(jitter);
    backoff = std::min(backoff * 2, options.longest_backoff);
    co_await shard.timers().sleep_until(clock.now() + wait);
  }

  // Whatever else the shard has to do comes first.
  Task<void> give_way() {
    auto park = [this](Resume resume) { shard.post([later = std::move(resume)]() mutable { later(); }); };
    co_await suspend(park);
  }

  Shard& shard;
  const Backend backend;
  const Clock& clock;
  SeededRng rng;
  const DirectOptions options;
  DirectMetrics& metrics;
  WriteBudget& budget;
  TailCache tails;
  ChunkReader chunks;
  LogRateLimit failure_lines;
  MemoryBudget building{options.building_bytes};
  // Bytes of appends of all logs that wait.
  std::size_t waiting_bytes = 0;
  // Coroutines of this shard's logs that are under way.
  std::size_t jobs = 0;
  // Publish sessions that were begun: each has a number of its own.
  std::uint32_t publish_sessions = 0;
};

}  // namespace tidegate::storage::seaweedmq
