#include "tail_cache.h"

#include <algorithm>
#include <cstring>

#include "tidegate/storage/batch_patch.h"

namespace tidegate::storage::embedded {

namespace {

// Below this a copy is cheaper than a block and an I/O vector of its own.
constexpr std::size_t kSmallBatch = 2048;
// A slice smaller than this part of the buffer that it pins is copied out.
constexpr std::size_t kPinnedShare = 4;

// Gathers runs of small batches into one chunk.
class ChunkList {
 public:
  explicit ChunkList(ReadResult& out) : out_(out) {}
  void add(const StoredBatch& batch) {
    out_.size_bytes += batch.size();
    ++out_.batches;
    out_.next_offset = batch.header.next_offset();
    if (batch.rest.empty() && batch.size() <= kSmallBatch) {
      run_.push_back(&batch);
      run_bytes_ += batch.size();
      return;
    }
    flush();
    out_.chunks.push_back(batch.front);
    if (!batch.rest.empty()) out_.chunks.push_back(batch.rest);
  }
  void flush() {
    if (run_.size() == 1) {
      out_.chunks.push_back(run_.front()->front);
    } else if (!run_.empty()) {
      MutableBuffer joined(run_bytes_);
      std::size_t at = 0;
      for (const StoredBatch* batch : run_) {
        std::memcpy(joined.data() + at, batch->front.data(), batch->front.size());
        at += batch->front.size();
      }
      out_.chunks.push_back(std::move(joined).freeze());
    }
    run_.clear();
    run_bytes_ = 0;
  }

 private:
  ReadResult& out_;
  std::vector<const StoredBatch*> run_;
  std::size_t run_bytes_ = 0;
};

}  // namespace

StoredBatch store_batch(const protocol::RecordBatch& batch, Offset base_offset, LeaderEpoch epoch) {
  const BatchPosition position{.base_offset = base_offset, .leader_epoch = epoch};
  StoredBatch stored;
  stored.header = batch.header;
  stored.header.base_offset = base_offset;
  stored.header.partition_leader_epoch = epoch;
  const std::size_t size = batch.bytes.size();
  if (size <= kSmallBatch || size < batch.bytes.pinned_bytes() / kPinnedShare) {
    stored.front = patched_copy(batch.bytes, position);
  } else {
    stored.front = patched_header(batch.bytes, position);
    stored.rest = batch.bytes.slice(protocol::kBatchHeaderBytes, size - protocol::kBatchHeaderBytes);
  }
  return stored;
}

std::size_t Tail::find(Offset offset) const {
  const auto above = std::upper_bound(batches_.begin(), batches_.end(), offset, [](Offset o, const StoredBatch& b) {
    return o < b.header.next_offset();
  });
  return static_cast<std::size_t>(above - batches_.begin());
}

ReadResult Tail::read(Offset from, const ReadLimits& limits) const {
  ReadResult result;
  result.next_offset = from;
  ChunkList chunks(result);
  for (std::size_t i = find(from); i < batches_.size(); ++i) {
    const StoredBatch& batch = batches_[i];
    if (batch.header.next_offset() > limits.end) break;
    const bool first = result.batches == 0;
    if (result.size_bytes + batch.size() > limits.max_bytes && !(first && limits.at_least_one_batch)) break;
    chunks.add(batch);
  }
  chunks.flush();
  return result;
}

std::size_t Tail::bytes_between(Offset from, Offset end) const {
  const std::size_t first = find(from);
  const std::size_t last = find(end);  // the batch that holds `end`, which does not count
  if (first >= batches_.size() || last <= first) return 0;
  const StoredBatch& before_last = batches_[last - 1];
  return before_last.begin + before_last.size() - batches_[first].begin;
}

void TailCache::uncharge(const StoredBatch& batch) {
  used_ -= batch.charge();
  used_gauge_.add(-static_cast<std::int64_t>(batch.charge()));
}

void TailCache::add(const std::shared_ptr<Tail>& tail, StoredBatch batch) {
  const std::size_t charge = batch.charge();
  if (charge > budget_ / 2) {
    clear(*tail);  // what is cached has to reach up to the last batch
    return;
  }
  used_ += charge;
  used_gauge_.add(static_cast<std::int64_t>(charge));
  tail->batches_.push_back(std::move(batch));
  order_.push_back(tail);
  while (!order_.empty()) {
    const auto front = order_.front().lock();
    if (used_ <= budget_ && front && !front->batches_.empty()) break;
    if (front && !front->batches_.empty()) {
      uncharge(front->batches_.front());
      front->batches_.pop_front();
    }
    order_.pop_front();
  }
}

void TailCache::drop_from(Tail& tail, Offset end) {
  while (!tail.batches_.empty() && tail.batches_.back().header.next_offset() > end) {
    uncharge(tail.batches_.back());
    tail.batches_.pop_back();
  }
}

void TailCache::drop_below(Tail& tail, Offset end) {
  while (!tail.batches_.empty() && tail.batches_.front().header.next_offset() <= end) {
    uncharge(tail.batches_.front());
    tail.batches_.pop_front();
  }
}

void TailCache::clear(Tail& tail) {
  for (const StoredBatch& batch : tail.batches_) uncharge(batch);
  tail.batches_.clear();
}

}  // namespace tidegate::storage::embedded
