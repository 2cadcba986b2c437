// Base offset and leader epoch are the only bytes of a batch that an engine writes. They lie outside
// the CRC. Request buffers are never changed: the header is copied, patched, and the rest shared.
// Called by engines on any shard.
#pragma once

#include "tidegate/base/bytes.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::storage {

struct BatchPosition {
  Offset base_offset = 0;
  LeaderEpoch leader_epoch = kNoEpoch;
};

// Writes the two fields into `batch`, which holds at least the 61 header bytes.
void patch_batch(MutableByteView batch, BatchPosition position);
// A patched copy of the 61 header bytes in front of `batch`.
SharedBuffer patched_header(ByteView batch, BatchPosition position);
// A patched copy of the whole batch.
SharedBuffer patched_copy(ByteView batch, BatchPosition position);

}  // namespace tidegate::storage
