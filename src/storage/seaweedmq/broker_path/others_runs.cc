#include "others_runs.h"

#include <algorithm>
#include <utility>

namespace tidegate::storage::seaweedmq {

std::uint64_t OthersRun::bytes() const {
  if (sifted->count == 0) return 0;
  return sifted->bytes * static_cast<std::uint64_t>(count) / sifted->count;
}

void OthersRuns::cut_front(OthersRun& run, std::int64_t count) {
  run.first += static_cast<std::size_t>(count);
  run.base += count;
  run.count -= count;
}

void OthersRuns::add(const Chunk& chunk, SiftedChunk sifted) {
  if (sifted.count == 0) return;
  const auto count = static_cast<std::int64_t>(sifted.count);
  pending_count_ += count;
  pending_.push_back({.chunk = chunk,
                      .sifted = std::make_shared<const SiftedChunk>(std::move(sifted)),
                      .count = count,
                      .base = pending_.empty() ? 0 : pending_.back().end()});
}

void OthersRuns::fix(Offset at, std::int64_t count) {
  while (count > 0 && !pending_.empty()) {
    OthersRun& front = pending_.front();
    OthersRun fixed = front;
    fixed.count = std::min(count, front.count);
    fixed.base = at;
    at += fixed.count;
    count -= fixed.count;
    pending_count_ -= fixed.count;
    if (fixed.count == front.count) {
      pending_.pop_front();
    } else {
      cut_front(front, fixed.count);
    }
    fixed_.push_back(std::move(fixed));
  }
}

void OthersRuns::unfix(Offset from) {
  while (!fixed_.empty() && fixed_.back().end() > from) {
    OthersRun last = fixed_.back();
    if (last.base >= from) {
      fixed_.pop_back();
    } else {
      fixed_.back().count = from - last.base;
      cut_front(last, from - last.base);
    }
    pending_count_ += last.count;
    last.base = pending_.empty() ? 0 : pending_.front().base - last.count;
    pending_.push_front(std::move(last));
  }
}

std::int64_t OthersRuns::count_from(Offset from) const {
  std::int64_t count = pending_count_;
  for (auto run = fixed_.rbegin(); run != fixed_.rend() && run->end() > from; ++run)
    count += run->end() - std::max(run->base, from);
  return count;
}

std::optional<OthersRun> OthersRuns::find(Offset offset, Offset own_end) const {
  const auto fixed = std::ranges::upper_bound(fixed_, offset, {}, &OthersRun::end);
  if (fixed != fixed_.end()) {
    OthersRun run = *fixed;
    if (run.base < offset) cut_front(run, offset - run.base);
    return run;
  }
  if (pending_.empty()) return std::nullopt;
  const Offset moved = own_end - pending_.front().base;
  const auto found = std::ranges::upper_bound(pending_, offset - moved, {}, &OthersRun::end);
  if (found == pending_.end()) return std::nullopt;
  OthersRun run = *found;
  run.base += moved;
  if (run.base < offset) cut_front(run, offset - run.base);
  return run;
}

std::uint64_t OthersRuns::bytes_between(Offset from, Offset end, Offset own_end) const {
  std::uint64_t bytes = 0;
  for (auto run = find(from, own_end); run && run->base < end; run = find(run->end(), own_end))
    bytes += run->bytes();
  return bytes;
}

}  // namespace tidegate::storage::seaweedmq
