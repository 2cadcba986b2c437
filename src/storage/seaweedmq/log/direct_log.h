// One partition on the `direct` path: its owner writes the log files itself. Lives on its owner shard.
//
// The way of an append: offsets at the call -> the queue, where appends gather -> one upload at a time, of a
// chunk -> one commit at a time, which puts the file's entry with all chunks that were uploaded meanwhile,
// under the fence -> acknowledged. log start <= committed end (the high watermark) <= log end. Readers see
// what is committed.
//
// Sources: direct_log.cc (life, offsets, fenced changes), open_log.cc (take-over), log_write.cc (gathering,
// uploads, commits, failures), log_read.cc, log_search.cc (by time, headers), log_trim.cc (log start,
// retention), log_merge.cc and log_replace.cc (other chunks for what is stored).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chunk_writer.h"
#include "cluster/ownership.h"
#include "engine_log.h"
#include "file_index.h"
#include "format/records.h"
#include "log_shard.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/suspend.h"
#include "waiting_bytes.h"

namespace tidegate::storage::seaweedmq {

// Where a partition is.
struct LogPlace {
  PartitionId id;
  std::string directory;  // of its log files
  Layout layout = Layout::batch;
};

class DirectLog final : public EngineLog, public std::enable_shared_from_this<DirectLog> {
 public:
  // Takes the log over: reads its state and its last files. The ownership is in force already, so that nobody
  // else can change them any more.
  static Task<Result<std::shared_ptr<DirectLog>>> open(LogShard& home, LogPlace place, LogConfig config,
                                                       std::shared_ptr<Ownership> ownership);
  DirectLog(LogShard& home, LogPlace place, LogConfig config, std::shared_ptr<Ownership> ownership);
  ~DirectLog() override;

  Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) override;
  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<ReadResult>> read(Offset from, ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override { return epochs_.back().epoch; }
  std::span<const EpochStart> epochs() const override { return epochs_; }
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

  void apply_config(const LogConfig& config) override { config_ = config; }
  // Retention, roll by time, checkpoint.offset, what a take-over has to know.
  Task<void> keep_house(std::int64_t age_now_ms) override;
  void remove() override;
  // Lets the queue run dry and leaves the checkpoint.
  Task<void> close(Error why) override;
  bool is_idle() const override { return jobs_ == 0; }

 private:
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
  struct DurableWaiter {
    Offset end = 0;
    std::optional<Error> error;
    Resume resume;
  };
  // Whole appends on their way into one needle.
  struct NewChunk {
    NewChunk(Layout layout, std::size_t bytes_between_marks)
        : writer(layout), mark_bytes(bytes_between_marks) {}
    // Returns the ts_ns behind those of the batch.
    std::int64_t add(PlacedBatch batch, std::int64_t ts_ns);
    // The bytes of another chunk, whole.
    void add(const LogChunk& source, SharedBuffer bytes);
    // A batch begins there; kept when the last mark is far enough away.
    void mark(Offset offset, std::size_t position);

    ChunkWriter writer;
    const std::size_t mark_bytes;
    // Instead of what was written: bytes of other chunks.
    std::vector<SharedBuffer> raw;
    std::size_t raw_bytes = 0;
    std::vector<PlacedBatch> batches;
    std::vector<PendingPtr> appends;
    LogChunk chunk;
    std::int64_t first_ts_ns = 0;
    std::int64_t last_ts_ns = 0;
    bool failed = false;  // its appends have been told
  };
  using ChunkInWork = std::shared_ptr<NewChunk>;
  // What one transaction is to do: the file as it will be.
  struct Commit {
    LogFile file;
    bool is_new = false;
    std::vector<ChunkInWork> chunks;
  };
  // Counts a coroutine of this log for as long as it lives.
  class Job;

  // direct_log.cc
  Result<void> check_usable() const;
  Result<void> check_owner() const;
  void tell();
  static void resume_all(std::vector<Resume> resumes);
  Task<void> lock_files();
  void unlock_files();
  // One change under the fence, tried until its fate is known to be good or the time is up. Whatever it tried
  // before will not be applied later, once a further change has been made or settled.
  Task<Result<void>> fenced(FencedChange::Kind kind, std::string directory, Entry entry);
  Task<Result<void>> put_state();
  PartitionState state_now() const;

  // open_log.cc
  Task<Result<void>> recover();
  // Files from behind `after` on, up to `last` (empty: all).
  Task<Result<std::vector<LogFile>>> list_files(std::string after, std::string last);
  Result<std::vector<LogFile>> without_residue(std::vector<LogFile> files);
  // No new file gets a name or a time that has been given.
  void take_last(const std::vector<LogFile>& files);
  // The files that a take-over leaves out, once somebody needs them.
  Task<Result<void>> load_older();
  void take_epochs(const std::vector<LogFile>& files);

  // log_write.cc
  Result<PendingPtr> begin_append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches);
  static Task<Result<Appended>> finish_append(std::shared_ptr<DirectLog> self, Result<PendingPtr> pending);
  void start_uploads();
  // Work of its own: it starts in a later turn, so it owns the log and is counted from now on.
  Task<void> run_uploads(std::shared_ptr<DirectLog> self, std::unique_ptr<Job> job);
  Task<void> gather();
  // As much of the queue as fits into `chunk`.
  Task<void> fill_chunk(ChunkInWork chunk);
  Task<Result<void>> upload(ChunkInWork chunk);
  void start_commits();
  Task<void> run_commits(std::shared_ptr<DirectLog> self, std::unique_ptr<Job> job);
  Task<Result<void>> confirm_ownership();
  Commit plan_commit();
  bool must_roll(const LogFile& active, const NewChunk& chunk) const;
  void end_commit(Commit commit, Result<void> done);
  void apply_commit(Commit commit);
  // What is not committed from `from` on fails, and the log end goes back there.
  void fail_from(Offset from, const Error& error);
  void discard(std::vector<std::string> file_ids);
  void start_repair(Commit commit);
  Task<void> repair(std::shared_ptr<DirectLog> self, std::unique_ptr<Job> job, Commit commit);
  void note_failure(const Error& error);
  void wake_waiters();

  // log_read.cc
  Task<Result<ReadResult>> read_cold(Offset from, ReadLimits limits);
  // Opened, in order; empty when a needle was gone and the entries that named it have been read anew. What
  // belongs to a part can have more in it than the part.
  Task<Result<std::vector<ChunkPtr>>> open_parts(std::vector<LogPart> parts, bool headers_only = false);
  // Whoever reads on gets the next chunks from memory.
  void read_ahead(Offset from);
  Task<Result<void>> refresh_file(std::string file_id);

  // log_merge.cc
  // Files that lie beside each other and are worth a merge; empty: none.
  std::vector<LogFile> plan_merge() const;
  Task<void> merge_small();
  Task<Result<void>> merge(std::vector<LogFile> run);
  // Uploads what is in the chunks of `run` as chunks of `merged`.
  Task<Result<void>> write_merged(LogFile* merged, std::vector<LogFile> run);
  bool is_unchanged(const std::vector<LogFile>& run) const;
  void adopt_merged(LogFile merged);

  // log_replace.cc
  const LogFile* cleanable_file(const CleanableRange& range) const;
  // Uploads the batches as chunks of `file`, which stands for what `old` stands for.
  Task<Result<void>> write_replacement(LogFile* file, LogFile old, BatchSource batches);

  // log_search.cc
  // The batches of `chunks`, which follow each other; those that are there, when some are damaged.
  Task<Result<std::vector<protocol::RecordBatch>>> batches_of(std::vector<LogChunk> chunks,
                                                              bool headers_only = false);

  // log_trim.cc
  Task<void> drop_below_start();
  Task<void> retain(std::int64_t age_now_ms);
  bool rolls_by_time() const;
  Task<void> advance_listing();
  Task<void> write_checkpoint();

  LogShard& home_;
  const LogPlace place_;
  LogConfig config_;
  const std::shared_ptr<Ownership> ownership_;
  std::vector<EpochStart> epochs_;
  FileIndex index_;
  bool older_ = false;    // files in front of the index are not in it
  PartitionState state_;  // as last written
  std::shared_ptr<Tail> tail_ = std::make_shared<Tail>();
  Offset log_start_ = 0;
  Offset log_end_ = 0;
  Offset committed_end_ = 0;
  std::uint64_t committed_bytes_ = 0;  // since it was opened
  std::int64_t last_ts_ns_ = 0;
  std::optional<LogFileName> last_name_;
  std::optional<LogFileName> active_;  // the file that this owner appends to
  MonoTime active_since_;
  Offset checkpoint_ = -1;  // the last offset as checkpoint.offset has it

  std::deque<QueuedAppend> queue_;
  WaitingBytes waiting_{home_.waiting_bytes};  // in queue and chunks, not yet committed
  std::size_t queue_bytes_ = 0;
  MonoTime queued_since_;
  bool hurry_ = false;
  ChunkInWork uploading_;
  std::deque<ChunkInWork> uploaded_;
  std::vector<ChunkInWork> committing_;
  bool uploads_run_ = false;
  bool commits_run_ = false;
  bool files_locked_ = false;
  bool loading_older_ = false;
  bool putting_state_ = false;
  Offset read_to_ = -1;  // where the last cold read ended
  bool reading_ahead_ = false;
  // ETags under which changes were sent whose fate is open.
  std::set<std::string> doubts_;
  bool broken_ = false;  // a commit's fate is open; the log goes on once it is undone
  Error broken_by_;
  bool removed_ = false;
  bool closing_ = false;
  std::optional<Error> closed_by_;  // no append is taken any more
  std::size_t jobs_ = 0;
  std::vector<LogFileName> doomed_;  // files below log start that could not be erased
  std::vector<DurableWaiter*> waiters_;
  Event more_;     // appends have come, or there is a hurry
  Event changed_;  // a step of uploads, commits, locks or jobs is done
  std::function<void(const LogOffsets&)> listener_;
};

class DirectLog::Job {
 public:
  explicit Job(DirectLog& log) : log_(log) {
    ++log_.jobs_;
    ++log_.home_.jobs;
  }
  ~Job() {
    --log_.jobs_;
    --log_.home_.jobs;
    log_.changed_.notify_all();
  }
  Job(const Job&) = delete;

 private:
  DirectLog& log_;
};

}  // namespace tidegate::storage::seaweedmq
