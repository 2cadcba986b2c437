#include "tail_cache.h"

#include <algorithm>
#include <cstring>

#include "tidegate/storage/batch_patch.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Below this a copy is cheaper than a buffer and an I/O vector of its own.
constexpr std::size_t kSmallBatch = 2048;
// A slice smaller than this part of the buffer that it pins is copied out.
constexpr std::size_t kPinnedShare = 4;
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

bool ReadBuilder::add(const protocol::BatchHeader& header, const SharedBuffer& front,
                      const SharedBuffer& rest) {
  const std::size_t size = front.size() + rest.size();
  const bool first_rule = limits_.at_least_one_batch && result_.batches == 0;
  const bool fits = size <= limits_.max_bytes - std::min(limits_.max_bytes, result_.size_bytes);
  if (header.next_offset() > limits_.end || (!fits && !first_rule)) return false;
  result_.size_bytes += size;
  ++result_.batches;
  result_.next_offset = header.next_offset();
  if (size <= kSmallBatch && rest.empty()) {
    run_.push_back(front);
    run_bytes_ += size;
    return true;
  }
  join_run();
  result_.chunks.push_back(front);
  if (!rest.empty()) result_.chunks.push_back(rest);
  return true;
}

void ReadBuilder::join_run() {
  if (run_.empty()) return;
  MutableBuffer joined(run_bytes_);
  std::size_t at = 0;
  for (const SharedBuffer& piece : run_) {
    std::memcpy(joined.data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  result_.chunks.push_back(std::move(joined).freeze());
  run_.clear();
  run_bytes_ = 0;
}

ReadResult ReadBuilder::take() {
  join_run();
  return std::move(result_);
}

std::size_t Tail::find(Offset offset) const {
  const auto above = std::ranges::upper_bound(batches_, offset, {},
                                              [](const StoredBatch& b) { return b.header.next_offset(); });
  return static_cast<std::size_t>(above - batches_.begin());
}

void Tail::read(Offset from, ReadBuilder& into) const {
  for (std::size_t i = find(from); i < batches_.size(); ++i) {
    if (!into.add(batches_[i].header, batches_[i].front, batches_[i].rest)) return;
  }
}

std::size_t Tail::bytes_between(Offset from, Offset end) const {
  const std::size_t first = find(from);
  const std::size_t last = find(end);  // the batch that holds `end`, which does not count
  if (first >= batches_.size() || last <= first) return 0;
  return batches_[last - 1].begin + batches_[last - 1].size() - batches_[first].begin;
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

}  // namespace tidegate::storage::seaweedmq
