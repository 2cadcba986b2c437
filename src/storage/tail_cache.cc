#include "tidegate/storage/tail_cache.h"

#include <algorithm>

namespace tidegate::storage {

std::size_t Tail::find(Offset offset) const {
  const auto above = std::ranges::upper_bound(batches_, offset, {},
                                              [](const PlacedBatch& b) { return b.header.next_offset(); });
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
  const PlacedBatch& before_last = batches_[last - 1];
  return before_last.begin + before_last.size() - batches_[first].begin;
}

void TailCache::uncharge(const PlacedBatch& batch) {
  used_ -= batch.charge();
  used_gauge_.add(-static_cast<std::int64_t>(batch.charge()));
}

void TailCache::add(const std::shared_ptr<Tail>& tail, PlacedBatch batch) {
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
  for (const PlacedBatch& batch : tail.batches_) uncharge(batch);
  tail.batches_.clear();
}

}  // namespace tidegate::storage
