// One trip of a log to the disk: the writes of a group of appends, and the sync behind them. Made on the
// owner shard, done on a blocking thread (or, small and without sync, on the shard), judged on the shard.
// At most one write job and one sync-only job of a log are under way.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "file_cache.h"
#include "slot_file.h"
#include "sparse_index.h"
#include "tidegate/base/clock.h"
#include "tidegate/storage/placed_batch.h"

namespace tidegate::storage::embedded {

struct EngineContext;

// Bytes for one segment file.
struct WriteStep {
  FileRef file;
  bool create = false;
  std::uint64_t position = 0;
  std::vector<ByteView> views;  // into the job's batches
  std::uint64_t bytes = 0;
};

struct IndexWrite {
  std::string path;
  SparseIndex::Flush flush;
};

struct LogJob {
  PartitionId id;
  std::string dir;
  std::vector<PlacedBatch> batches;
  std::vector<WriteStep> steps;
  std::vector<IndexWrite> index_writes;
  // Synced besides the files that the steps write.
  std::vector<FilePtr> unsynced;
  bool sync_dirs = false;
  bool sync = false;
  // What the slot says, on disk, before the first write, when it does not say so already; after the sync;
  // and after one that failed.
  std::optional<Slot> slot_before;
  Slot slot_after;
  Slot slot_broken;
  bool slot_marked = false;  // slot_before was tried, with
  std::optional<IoError> mark_error;
};

struct JobOutcome {
  enum class Kind { done, write_failed, sync_failed };
  Kind kind = Kind::done;
  IoError error;
  // After write_failed: what was written could not be taken back, so the file may not be written again.
  bool residue = false;
  std::vector<FilePtr> written;  // now with bytes that are in no sync yet, unless the job synced
  bool made_files = false;
};

// Writes the jobs' slot_before, with one sync for all of them.
void mark_slots(EngineContext& context, std::span<LogJob* const> jobs);
// Marks the slot, unless that was done, and writes the steps. After a failure nothing of the job is left
// in the files, but for `residue`.
JobOutcome write_job(EngineContext& context, LogJob& job);
// Syncs one job's files and directories.
void sync_job(EngineContext& context, LogJob& job, JobOutcome& outcome);
// After its sync, also a failed one: tells the slot.
void settle_job(EngineContext& context, LogJob& job, JobOutcome& outcome);
// Makes the partition's names durable: its directory and those above up to the data directory.
IoResult<void> sync_dirs(EngineContext& context, const std::string& partition_dir);

}  // namespace tidegate::storage::embedded
