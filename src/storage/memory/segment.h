// A run of batches of one partition: the unit that retention drops and compaction rewrites. Lives on
// the partition's owner shard, inside a MemoryLog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/storage/batch_patch.h"

namespace tidegate::storage {

// A batch as it is kept. `header` has the assigned offset and epoch.
struct StoredBatch {
  protocol::BatchHeader header;
  // All bytes of the batch. When `patched_head` is not empty, it stands for the first 61 of them.
  SharedBuffer bytes;
  SharedBuffer patched_head;
  std::size_t charged_bytes = 0;  // what it counts against the quota

  std::size_t size_bytes() const { return bytes.size(); }
  // For the record readers, which take offsets from the header.
  protocol::RecordBatch as_batch() const { return {.header = header, .bytes = bytes}; }
};

// Places `batch`: shares its bytes, or copies them when they are small or pin four times their size.
StoredBatch store_batch(const protocol::RecordBatch& batch, BatchPosition position);
// Keeps `batch` as it stands, offsets and all.
StoredBatch store_verbatim(const protocol::RecordBatch& batch);
// What store_batch() would charge.
std::size_t charge_of(const protocol::RecordBatch& batch);

class Segment {
 public:
  Segment(Offset base, MonoTime opened) : base_(base), end_(base), opened_(opened) {}

  void append(StoredBatch batch, std::int64_t wall_ms);
  // Forgets batches that end below `offset`; returns the quota bytes they held.
  std::size_t drop_before(Offset offset);
  // Other batches for the same offsets.
  void replace(std::vector<StoredBatch> batches);
  std::size_t charged_bytes() const;

  Offset base() const { return base_; }
  Offset end() const { return end_; }
  MonoTime opened() const { return opened_; }
  std::size_t size_bytes() const { return total_bytes_ - dropped_bytes_; }
  bool empty() const { return first_ == batches_.size(); }
  std::span<const StoredBatch> batches() const { return std::span(batches_).subspan(first_); }
  // Largest header timestamp; kNoTimestamp when no batch has one.
  std::int64_t max_timestamp() const { return max_timestamp_; }
  // What retention goes by: the youngest record, or the last append where records carry no time.
  std::int64_t youngest_ms() const { return max_timestamp_ >= 0 ? max_timestamp_ : last_append_ms_; }

  // Index in batches() of the first batch that ends above `offset`.
  std::size_t find(Offset offset) const;
  // Bytes of the batches that hold offsets in [from, end).
  std::size_t bytes_between(Offset from, Offset end) const;

 private:
  void add(StoredBatch batch);

  Offset base_;
  Offset end_;
  MonoTime opened_;
  std::int64_t last_append_ms_ = 0;
  std::int64_t max_timestamp_ = protocol::kNoTimestamp;
  std::vector<StoredBatch> batches_;
  std::vector<std::size_t> starts_;  // bytes in front of each batch, dropped ones included
  std::size_t first_ = 0;            // batches below are dropped: their buffers are gone
  std::size_t total_bytes_ = 0;
  std::size_t dropped_bytes_ = 0;
};

}  // namespace tidegate::storage
