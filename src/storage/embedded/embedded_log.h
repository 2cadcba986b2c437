// One partition of the embedded engine. Lives on its owner shard; what blocks is sent to a lane as a job
// of its own and judged when it comes back. Offsets: log start <= durable end <= written end <= log end.
// Readers see what is written, below the high watermark, which is the durable end under flush=ack and
// the written end otherwise.
//
// Sources: embedded_log.cc (life, offsets, listener), log_append.cc (queue, jobs, rolling), log_sync.cc
// (durability, failures, repair), log_read.cc, log_search.cc (by time, headers), log_trim.cc,
// log_replace.cc (compaction).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "context.h"
#include "recovery.h"
#include "segment_reader.h"
#include "segment_rewrite.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/storage/engine.h"
#include "tidegate/storage/tail_cache.h"

namespace tidegate::storage::embedded {

class EmbeddedLog;

// What the logs of one shard share.
struct LogShard {
  LogShard(Shard& the_shard, EngineContext& the_context, std::size_t cache_bytes)
      : shard(the_shard),
        context(the_context),
        cache(cache_bytes, the_context.metrics.cache_bytes),
        refusal_lines(the_context.clock, 0.1, 3),
        damage_lines(the_context.clock, 0.1, 3) {}
  Shard& shard;
  EngineContext& context;
  TailCache cache;
  // Logs with written bytes that no sync covers yet (interval and os).
  std::vector<std::shared_ptr<EmbeddedLog>> dirty;
  // Jobs of this shard's logs that have not come back.
  std::size_t jobs = 0;
  // A disk that is full refuses every append, and clients read damage again and again: the daemon's log
  // says so now and then.
  LogRateLimit refusal_lines;
  LogRateLimit damage_lines;
};

class EmbeddedLog final : public PartitionLog, public std::enable_shared_from_this<EmbeddedLog> {
 public:
  // `recovered` without segments is a log that was never written.
  EmbeddedLog(LogShard& shard, PartitionId id, LogConfig config, RecoveredLog recovered,
              std::shared_ptr<SparseIndex> active_index);
  ~EmbeddedLog() override;

  Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) override;
  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<ReadResult>> read(Offset from, ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override { return epochs_->back().epoch; }
  std::span<const EpochStart> epochs() const override { return *epochs_; }
  Task<Result<TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) override;
  Task<Result<TimestampedOffset>> max_timestamp(Offset end) override;
  Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                std::size_t max_batches) override;
  Task<Result<Offset>> trim_before(Offset offset) override;
  std::size_t size_bytes() const override;
  std::vector<CleanableRange> cleanable(Offset end) const override;
  Task<Result<void>> replace(CleanableRange range, BatchSource batches) override;
  Task<Result<void>> flush() override;
  void set_listener(std::function<void(const LogOffsets&)> listener) override {
    listener_ = std::move(listener);
  }

  void apply_config(const LogConfig& config) { config_ = config; }
  // Syncs what is written, in the background: interval, os, and a crowd of open files.
  void request_sync();
  bool in_dirty_list() const { return in_dirty_list_; }
  void left_dirty_list() { in_dirty_list_ = false; }
  MonoTime dirty_since() const { return dirty_since_; }
  // Drops segments that are too old or too many. `age_now_ms` is the wall clock without its jumps.
  Task<void> retain(std::int64_t age_now_ms);
  // Deletes dropped files whose delay is over, all of them with `at_once`.
  void delete_dropped(bool at_once);
  // The topic is gone: everything fails from now on.
  void remove();
  // Before stop(): lets the queue run dry, syncs, writes indexes and the slot. No call may follow.
  Task<void> close();
  bool is_idle() const { return !busy_ && !syncing_ && !replacing_ && queue_.empty(); }

 private:
  struct Segment {
    FileRef file;
    Offset base = 0;
    Offset end = 0;  // written so far; of a sealed one its successor's base
    std::uint64_t size = 0;
    MonoTime opened;   // segment.ms counts from here
    MonoTime written;  // the last time, in this run; records without a timestamp age from here
    std::shared_ptr<SparseIndex> index;  // nullptr: not in memory
    bool index_is_certain = false;       // made from the file in this run
    bool index_sealed = false;           // the index file has its closing entry
    std::uint32_t generation = 0;  // 0: as it was appended; else compaction made it, and it may have gaps
  };
  struct PendingAppend {
    Appended value;
    std::optional<Error> error;
    bool done = false;
    Resume resume;
  };
  using PendingPtr = std::shared_ptr<PendingAppend>;
  struct QueuedAppend {
    std::vector<PlacedBatch> batches;
    std::size_t bytes = 0;
    PendingPtr pending;
  };
  enum class Stage { written, durable };
  struct DurableWaiter {
    Offset end = 0;
    Stage stage = Stage::durable;
    std::optional<Error> error;
    Resume resume;
  };
  // Where a sequential reader will go on.
  struct Cursor {
    Offset offset = -1;
    Offset segment = 0;
    std::uint64_t position = 0;
  };
  // A segment as a disk thread needs it.
  struct SegmentView {
    FileRef file;
    Offset base = 0;
    Offset end = 0;
    std::uint64_t size = 0;
    bool gaps = false;
    std::shared_ptr<SparseIndex> index;
    EpochTable epochs;
  };

  // log_append.cc
  Result<PendingPtr> begin_append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches);
  Task<Result<Appended>> finish_append(Result<PendingPtr> pending);
  void pump();
  std::unique_ptr<LogJob> plan_job();
  bool must_roll(const PlacedBatch& batch, const Segment* active, std::uint64_t active_bytes) const;
  void plan_index_writes(LogJob& job);
  bool may_write_inline(const LogJob& job);
  void send_job(std::unique_ptr<LogJob> job);
  void on_job_done(std::unique_ptr<LogJob> job, JobOutcome outcome);
  void on_job_good(std::unique_ptr<LogJob> job, JobOutcome outcome);
  void on_job_failed(const LogJob& job, const JobOutcome& outcome);
  void commit(LogJob& job);
  void note_dirty(const JobOutcome& outcome);

  // log_sync.cc
  void on_sync_done(std::unique_ptr<LogJob> job, JobOutcome outcome);
  // Fails what is queued and in flight; the log end goes back to the written end.
  void fail_appends(const Error& error);
  // The files cannot be trusted above `to`: back there, and refuse until the disk has proved itself.
  void break_log(const Error& error, DurableEnd to);
  void cut_memory();
  void start_repair();
  Task<void> repair();
  // Until everything below `end` has come so far; its failure when it is lost instead.
  Task<Result<void>> wait_until(Offset end, Stage stage);
  Offset reached(Stage stage) const { return stage == Stage::durable ? durable_.offset : written_end_; }
  bool sync_is_awaited() const;
  DurableEnd written_place() const;
  // What a read that met damage answers; counts it and tells the operator.
  Error damaged_at(Offset offset, const char* how);
  void wake_waiters();
  void fail_waiters(Offset above, const Error& error);
  void wake_idle();

  // embedded_log.cc
  Result<void> check_usable() const;
  void tell();
  Segment* find_segment(Offset offset);
  Segment* segment_with_base(Offset base);
  Segment make_segment(Offset base, std::uint32_t generation = 0) const;
  std::string index_path(const Segment& segment) const;
  Offset high_watermark() const;
  void resume_all(std::vector<Resume> resumes);

  // log_read.cc
  std::optional<SegmentRead> plan_read(Segment& segment, Offset from, const ReadLimits& limits);
  Task<Result<void>> load_index(Offset base, bool distrust_file);
  bool still_has(Offset base, const FileRef& file);
  void keep_cursor(Offset segment, const SegmentReadResult& result);

  // log_search.cc
  Task<Result<SegmentView>> view_segment(Offset base);
  // Bases of the segments with offsets in [from, end).
  std::vector<Offset> segments_within(Offset from, Offset end) const;
  template <class Value, class Search>
  Task<Result<Value>> search_steady(Search search);
  Task<Result<TimestampedOffset>> find_time(std::int64_t timestamp_ms, Offset end);
  Task<Result<TimestampedOffset>> find_latest(Offset end);
  Task<Result<std::vector<protocol::BatchHeader>>> find_headers(Offset from, Offset end,
                                                                std::size_t max_batches);

  // log_replace.cc
  std::unique_ptr<SegmentRewrite> plan_rewrite(const CleanableRange& range);
  Task<Result<void>> fill(std::shared_ptr<SegmentRewrite> rewrite, BatchSource batches);
  Task<Result<void>> rewrite_range(std::shared_ptr<SegmentRewrite> rewrite, BatchSource batches);
  std::vector<CompactedSegment> compacted_with(const SegmentRewrite& rewrite) const;
  void swap_in(SegmentRewrite& rewrite);

  // log_trim.cc
  Task<Result<void>> raise_log_start(Offset offset);
  void drop_below_start();
  void drop_segment(Segment segment);

  LogShard& home_;
  EngineContext& context_;
  const PartitionId id_;
  const std::string dir_;
  LogConfig config_;
  EpochTable epochs_;
  // Vectors: an empty deque costs half a kilobyte, and there may be 100,000 logs.
  std::vector<std::unique_ptr<Segment>> segments_;
  std::shared_ptr<Tail> tail_;
  Offset log_start_ = 0;
  Offset log_end_ = 0;
  Offset written_end_ = 0;
  DurableEnd durable_;
  std::uint64_t appended_ = 0;  // bytes since opening, queued ones included
  std::size_t size_bytes_ = 0;

  std::vector<QueuedAppend> queue_;
  std::size_t queued_bytes_ = 0;
  std::vector<QueuedAppend> in_job_;    // without their batches: those are in the job
  std::vector<std::size_t> job_steps_;  // of the job in flight: which step each batch is in
  bool busy_ = false;                   // a write job is under way
  bool syncing_ = false;                // a sync-only job is under way
  bool sync_again_ = false;
  bool roll_next_ = false;
  bool slot_dirty_ = false;  // the slot on disk says so
  bool broken_ = false;      // since a failed sync
  bool repairing_ = false;
  bool raise_epoch_at_repair_ = false;  // readers saw what was cut
  bool removed_ = false;
  bool closing_ = false;
  bool replacing_ = false;
  std::uint64_t replaced_ = 0;  // how often segments were swapped for compacted ones
  std::uint32_t next_generation_ = 1;
  bool in_dirty_list_ = false;
  Error broken_by_;
  DurableEnd cut_to_;             // where a broken log goes back to
  std::vector<FileRef> orphans_;  // files of failed jobs that must be gone before the log goes on
  MonoTime retry_repair_;
  MonoTime dirty_since_;
  std::vector<FilePtr> unsynced_;
  bool unsynced_names_ = false;
  std::vector<DurableWaiter*> waiters_;
  std::vector<Resume> idle_waiters_;
  std::array<Cursor, 4> cursors_;
  std::size_t next_cursor_ = 0;
  struct Dropped {
    FileRef file;
    std::string index_path;
    MonoTime delete_at;
  };
  std::vector<Dropped> dropped_;
  std::function<void(const LogOffsets&)> listener_;
};

}  // namespace tidegate::storage::embedded
