// Which segments of a partition compaction has made: a list in the metadata store, one value a partition.
// One synced write of it is the moment at which a compacted segment takes the place of older ones; files
// that the list does not speak for, and files that it has replaced, are leftovers. Every call blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kv.h"
#include "tidegate/base/ids.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

struct EngineContext;

struct CompactedSegment {
  Offset base = 0;
  Offset end = 0;  // exclusive; the next segment's base
  std::uint64_t size = 0;
  std::uint32_t generation = 0;

  bool operator==(const CompactedSegment&) const = default;
};

Result<std::vector<CompactedSegment>> load_compacted(Kv& kv, const PartitionId& id);
// Durably, in the place of what was there.
Result<void> store_compacted(Kv& kv, const PartitionId& id, std::span<const CompactedSegment> segments);

struct SettledCompaction {
  std::vector<CompactedSegment> segments;  // whose files are there, ascending
  Offset end = -1;                         // everything below was synced once; -1: nothing was compacted
};
// At a start: brings files and list to one state. Leftovers are deleted and taken out of `names`, the
// directory's content; what lies below log start is forgotten.
IoResult<SettledCompaction> settle_compacted(EngineContext& context, const PartitionId& id,
                                             const std::string& dir, Offset log_start,
                                             std::vector<std::string>& names);

}  // namespace tidegate::storage::embedded
