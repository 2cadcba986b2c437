// One file per data directory that says of each partition with data how far it is known to be on disk.
// Recovery starts there: damage below is reported, above it the first bad batch ends the log. A slot is
// two checksummed copies; the one that is on disk for sure is never written, so that no crash takes both.
// Not one file a shard: the number of shards may change between two starts. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tidegate/base/ids.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

// The end of what is durable: an offset, and the place in the files that it stands for.
struct DurableEnd {
  Offset offset = 0;
  Offset segment = 0;  // base offset of the segment that holds `position`
  std::uint64_t position = 0;

  bool operator==(const DurableEnd&) const = default;
};

enum class SlotState : std::uint8_t {
  free = 0,
  clean = 1,  // the files end exactly there
  dirty = 2,  // more may have been written behind it
};

struct Slot {
  SlotState state = SlotState::free;
  DurableEnd end;
  // A sync failed: of what lies behind the end the page cache may show what the disk has not.
  bool broken = false;
};

// What a run of the engine notes in each slot that it writes.
struct RunMark {
  std::uint32_t boot = 0;       // of the machine's boot id; 0: not known, and equal to none
  bool shows_unsynced = false;  // readers get batches that no sync covers yet
};

class SlotFile {
 public:
  static constexpr std::size_t kCopyBytes = 64;
  static constexpr std::size_t kSlotBytes = 2 * kCopyBytes;

  SlotFile() = default;

  // Reads everything; a damaged copy yields to the other one. What was read is on disk afterwards.
  IoResult<void> open(Vfs& vfs, const std::string& data_dir, RunMark run);
  struct Found {
    Slot slot;
    RunMark run;  // that wrote it
  };
  std::optional<Found> find(const PartitionId& id) const;
  std::vector<PartitionId> partitions(std::optional<SlotState> state) const;
  bool is_of_this_boot(const RunMark& run) const { return run.boot != 0 && run.boot == run_.boot; }

  // The partition has a slot from now on.
  void allot(const PartitionId& id);
  // Into the page cache; sync() makes it durable. Without effect for a partition that has no slot (any
  // more). One partition's slot is written by one thread at a time.
  IoResult<void> write(const PartitionId& id, const Slot& slot);
  void release(const PartitionId& id);
  // Everything written before the call is on disk when it returns; those who wait together share a sync.
  IoResult<void> sync();

 private:
  struct Entry {
    std::uint32_t index = 0;
    std::uint64_t sequence = 0;    // of the last copy written
    unsigned copy = 0;             // which one that was
    std::uint64_t written_at = 0;  // syncs begun by then: a later one covers it
    Slot slot;
    RunMark run;
  };
  void read(ByteView bytes);
  IoResult<void> write_entry(const PartitionId& id, Entry& entry);
  IoResult<void> rewrite_all();

  mutable std::mutex mutex_;  // of everything below but the file
  std::mutex write_mutex_;    // taken before mutex_; one write at a time
  std::mutex sync_mutex_;     // taken before the others
  std::unordered_map<PartitionId, Entry> entries_;
  std::vector<Entry> free_;
  std::uint32_t count_ = 0;
  std::uint64_t syncs_begun_ = 1;
  std::uint64_t synced_ = 1;  // the last sync that succeeded
  bool unsound_ = false;      // since a failed sync: what counts as clean may not be on disk
  RunMark run_;
  std::unique_ptr<VfsFile> file_;
};

}  // namespace tidegate::storage::embedded
