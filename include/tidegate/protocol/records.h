// Record bytes inside messages: whole v2 batches, opaque to this layer. A request that was decoded
// holds one slice of its frame (std::optional<SharedBuffer>, nullopt for null); a response that is
// built holds one chunk per batch or engine read (std::optional<RecordChunks>). Neither way copies.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "tidegate/base/shared_buffer.h"

namespace tidegate::protocol {

// Consecutive pieces of one record field. Empty means "no records", which differs from null on the
// wire; Kafka's broker answers a fetch with empty, not null.
struct RecordChunks {
  std::vector<SharedBuffer> chunks;

  RecordChunks() = default;
  explicit RecordChunks(SharedBuffer bytes) { add(std::move(bytes)); }

  void add(SharedBuffer bytes) {
    if (!bytes.empty()) chunks.push_back(std::move(bytes));
  }
  std::size_t size_bytes() const {
    std::size_t sum = 0;
    for (const SharedBuffer& chunk : chunks) sum += chunk.size();
    return sum;
  }
  bool empty() const { return chunks.empty(); }
  // The bytes are compared, not where they are cut.
  friend bool operator==(const RecordChunks& a, const RecordChunks& b);
};

}  // namespace tidegate::protocol
