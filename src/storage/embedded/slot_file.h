// One file per data directory that says of each partition with data how far it is known to be on disk.
// Recovery starts there: damage below is reported, above it the first bad batch ends the log. A slot is
// two checksummed copies written in turn, so that a torn write leaves the older one. Not one file a shard:
// the number of shards may change between two starts, and writes to distinct slots need no lock anyway.
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
};

// A partition's place in the file. Owned by its log; used by one job at a time.
struct SlotRef {
  std::uint32_t index = 0;
  std::uint64_t sequence = 0;  // of the last copy written
};

class SlotFile {
 public:
  static constexpr std::size_t kCopyBytes = 64;
  static constexpr std::size_t kSlotBytes = 2 * kCopyBytes;

  SlotFile() = default;

  // Reads everything; a damaged copy yields to the other one.
  IoResult<void> open(Vfs& vfs, const std::string& path);
  struct Found {
    SlotRef ref;
    Slot slot;
  };
  std::optional<Found> find(const PartitionId& id) const;
  std::vector<PartitionId> partitions(std::optional<SlotState> state) const;

  // Finds or allots the partition's slot.
  SlotRef allot(const PartitionId& id);
  // Into the page cache; sync() makes it durable.
  IoResult<void> write(const PartitionId& id, SlotRef& ref, const Slot& slot);
  void release(const PartitionId& id);
  IoResult<void> sync();

 private:
  struct Entry {
    SlotRef ref;
    Slot slot;
  };
  mutable std::mutex mutex_;
  std::unordered_map<PartitionId, Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::uint32_t count_ = 0;
  std::unique_ptr<VfsFile> file_;
};

}  // namespace tidegate::storage::embedded
