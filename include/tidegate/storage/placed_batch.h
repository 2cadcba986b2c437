// A batch with its place in the log: on its way to where it is stored, and afterwards in the tail cache.
#pragma once

#include <cstdint>

#include "tidegate/base/ids.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage {

struct PlacedBatch {
  protocol::BatchHeader header;                       // as stored: with its offset and leader epoch
  SharedBuffer front;                                 // the patched header, or the whole batch
  SharedBuffer rest;                                  // what follows; empty when `front` is everything
  protocol::StoredValuesPtr stored_values = nullptr;  // until it is stored
  std::uint64_t begin = 0;  // bytes appended to this log before it since it was opened

  std::size_t size() const { return front.size() + rest.size(); }
  // Memory that it keeps alive.
  std::size_t charge() const { return front.pinned_bytes() + rest.pinned_bytes() + sizeof(PlacedBatch); }
};

// Gives `batch` its place. The request's buffer is shared unless the batch is a small part of it or
// small itself: then it is copied out, so that a cached slice never pins many times its size.
PlacedBatch place_batch(const protocol::RecordBatch& batch, Offset base_offset, LeaderEpoch epoch);

}  // namespace tidegate::storage
