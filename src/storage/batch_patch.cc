#include "tidegate/storage/batch_patch.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage {

namespace {

// Field positions in the v2 header: base offset 0-7, length 8-11, partition leader epoch 12-15.
constexpr std::size_t kBaseOffsetAt = 0;
constexpr std::size_t kLeaderEpochAt = 12;

template <class Int>
void put_big_endian(MutableByteView bytes, std::size_t at, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = sizeof(Int); i-- > 0;) {
    bytes[at + i] = static_cast<std::uint8_t>(bits & 0xff);
    bits = static_cast<std::make_unsigned_t<Int>>(bits >> 8);
  }
}

SharedBuffer patched_front(ByteView batch, std::size_t length, BatchPosition position) {
  TIDEGATE_ASSERT(batch.size() >= protocol::kBatchHeaderBytes);
  MutableBuffer copy(length);
  std::copy_n(batch.data(), length, copy.data());
  patch_batch(copy.bytes(), position);
  return std::move(copy).freeze();
}

}  // namespace

void patch_batch(MutableByteView batch, BatchPosition position) {
  TIDEGATE_ASSERT(batch.size() >= protocol::kBatchHeaderBytes);
  put_big_endian(batch, kBaseOffsetAt, position.base_offset);
  put_big_endian(batch, kLeaderEpochAt, position.leader_epoch);
}

SharedBuffer patched_header(ByteView batch, BatchPosition position) {
  return patched_front(batch, protocol::kBatchHeaderBytes, position);
}

SharedBuffer patched_copy(ByteView batch, BatchPosition position) {
  return patched_front(batch, batch.size(), position);
}

}  // namespace tidegate::storage
