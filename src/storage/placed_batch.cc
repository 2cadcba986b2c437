#include "tidegate/storage/placed_batch.h"

#include "small_batch.h"
#include "tidegate/storage/batch_patch.h"

namespace tidegate::storage {

namespace {
// A slice smaller than this part of the buffer that it pins is copied out.
constexpr std::size_t kPinnedShare = 4;
}  // namespace

PlacedBatch place_batch(const protocol::RecordBatch& batch, Offset base_offset, LeaderEpoch epoch) {
  const BatchPosition position{.base_offset = base_offset, .leader_epoch = epoch};
  PlacedBatch placed;
  placed.header = batch.header;
  placed.stored_values = batch.stored_values;
  placed.header.base_offset = base_offset;
  placed.header.partition_leader_epoch = epoch;
  const std::size_t size = batch.bytes.size();
  if (size <= kSmallBatch || size < batch.bytes.pinned_bytes() / kPinnedShare) {
    placed.front = patched_copy(batch.bytes, position);
  } else {
    placed.front = patched_header(batch.bytes, position);
    placed.rest = batch.bytes.slice(protocol::kBatchHeaderBytes, size - protocol::kBatchHeaderBytes);
  }
  return placed;
}

}  // namespace tidegate::storage
