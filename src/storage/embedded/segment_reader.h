// Reads from one segment file: finds the batch that holds an offset and reads whole batches from there
// into one buffer, every one of them checked. Any thread; with `cached_only` it never waits for the disk.
#pragma once

#include "batch_walker.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::embedded {

struct SegmentRead {
  WalkRange range;  // from a known batch at or before `from` to the segment's end
  // The start cannot be wrong (a sequential reader's, or an index made from the segment just now): what
  // does not fit there is damage.
  bool certain_start = false;
  Offset from = 0;
  ReadLimits limits;
  EpochTable epochs;
};

struct SegmentReadResult {
  enum class Kind {
    data,
    nothing,      // the limits allow no batch
    passed,       // compaction left nothing from `from` to the segment's end
    damaged,      // `from` is in a damaged stretch
    wrong_start,  // range.position is not where range.expected begins: the index is wrong, or damage
  };
  Kind kind = Kind::nothing;
  SharedBuffer bytes;
  std::size_t batches = 0;
  Offset next_offset = 0;
  std::uint64_t next_position = 0;
};

IoResult<SegmentReadResult> read_segment(VfsFile& file, const SegmentRead& read, bool cached_only);

}  // namespace tidegate::storage::embedded
