// The end of each log in memory: batches stay here from the moment they are committed until the shard's
// budget pushes the oldest out, so that consumers near the end cause no request to a volume server. And what
// reads give back, gathered from batches wherever they come from. One TailCache a shard; used on it alone.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "stored_batch.h"
#include "tidegate/base/metrics.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

// Fills a ReadResult batch by batch; runs of small ones are joined, because each buffer costs more than they.
class ReadBuilder {
 public:
  ReadBuilder(Offset from, ReadLimits limits) : limits_(limits) { result_.next_offset = from; }

  // False when the limits allow no further batch: then it was not taken.
  bool add(const protocol::BatchHeader& header, const SharedBuffer& front, const SharedBuffer& rest);
  std::size_t size_bytes() const { return result_.size_bytes; }
  std::size_t batches() const { return result_.batches; }
  Offset next_offset() const { return result_.next_offset; }
  ReadResult take();

 private:
  void join_run();
  ReadLimits limits_;
  ReadResult result_;
  std::vector<SharedBuffer> run_;
  std::size_t run_bytes_ = 0;
};

// One partition's part: without gaps up to the last batch that was committed, or empty.
class Tail {
 public:
  bool holds(Offset offset) const {
    return !batches_.empty() && offset >= batches_.front().header.base_offset &&
           offset < batches_.back().header.next_offset();
  }
  // Up to the limits.
  void read(Offset from, ReadBuilder& into) const;
  // Bytes from the batch that holds `from`, which is held, to the last that ends at or below `end`.
  std::size_t bytes_between(Offset from, Offset end) const;

 private:
  friend class TailCache;
  std::size_t find(Offset offset) const;
  std::deque<StoredBatch> batches_;
};

class TailCache {
 public:
  TailCache(std::size_t budget_bytes, Gauge& used) : budget_(budget_bytes), used_gauge_(used) {}
  ~TailCache() { used_gauge_.add(-static_cast<std::int64_t>(used_)); }

  void add(const std::shared_ptr<Tail>& tail, StoredBatch batch);
  // Batches that end at or below `end` are not what the log holds any more.
  void drop_below(Tail& tail, Offset end);
  void clear(Tail& tail);
  std::size_t used() const { return used_; }

 private:
  void uncharge(const StoredBatch& batch);
  std::size_t budget_;
  std::size_t used_ = 0;
  Gauge& used_gauge_;
  // One entry a batch in the order of committing; an entry whose tail has become shorter is passed over.
  std::deque<std::weak_ptr<Tail>> order_;
};

}  // namespace tidegate::storage::seaweedmq
