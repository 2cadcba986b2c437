// The end of each log in memory: batches stay here from the moment they are in the log until the shard's
// budget pushes the oldest out. Reads of the tail and what long polls fetch come from here, without a system
// call and without a request to another server. One TailCache a shard; used on it alone.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "tidegate/base/metrics.h"
#include "tidegate/storage/placed_batch.h"
#include "tidegate/storage/read_builder.h"

namespace tidegate::storage {

// One partition's part: without gaps up to the last batch added, or empty.
class Tail {
 public:
  bool holds(Offset offset) const {
    return !batches_.empty() && offset >= batches_.front().header.base_offset &&
           offset < batches_.back().header.next_offset();
  }
  bool empty() const { return batches_.empty(); }
  // From the batch that holds `from`, as far as the builder's limits go.
  void read(Offset from, ReadBuilder& into) const;
  // Bytes from the batch that holds `from` to the last that ends at or below `end`. `from` is held.
  std::size_t bytes_between(Offset from, Offset end) const;

 private:
  friend class TailCache;
  std::size_t find(Offset offset) const;
  std::deque<PlacedBatch> batches_;
};

class TailCache {
 public:
  TailCache(std::size_t budget_bytes, Gauge& used) : budget_(budget_bytes), used_gauge_(used) {}
  ~TailCache() { used_gauge_.add(-static_cast<std::int64_t>(used_)); }

  void add(const std::shared_ptr<Tail>& tail, PlacedBatch batch);
  // Batches at or above `end` were rolled back.
  void drop_from(Tail& tail, Offset end);
  // Batches below `end` are not what the log holds any more. Those that reach above it stay.
  void drop_below(Tail& tail, Offset end);
  void clear(Tail& tail);
  std::size_t used() const { return used_; }

 private:
  void uncharge(const PlacedBatch& batch);
  std::size_t budget_;
  std::size_t used_ = 0;
  Gauge& used_gauge_;
  // One entry a batch in the order of adding; an entry whose tail has become shorter is passed over.
  std::deque<std::weak_ptr<Tail>> order_;
};

}  // namespace tidegate::storage
