// Waiting for data, on both sides.
#include "fetch_wait.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tidegate::broker {

void FetchWatches::notify() {
  // By index: a report never removes a waiter at once, but it may be the last thing we want to rely on.
  for (std::size_t i = 0; i < watches_.size(); ++i) watches_[i].waiter->changed(watches_[i].entry);
}

std::size_t FetchWaiter::add(FetchWaiterEntry entry) {
  sum_ += entry.bytes;
  reported_ = sum_;
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

void FetchWaiter::changed(std::size_t index) {
  FetchWaiterEntry& entry = entries_[index];
  bool trouble = false;
  const std::size_t bytes = entry.look(trouble);
  sum_ += bytes - entry.bytes;
  entry.bytes = bytes;
  if (trouble) {
    report_(sum_, true);
  } else if (sum_ > reported_ && sum_ >= need_) {
    reported_ = sum_;
    report_(sum_, false);
  }
}

void FetchCollector::report(std::size_t place, std::size_t bytes, bool trouble) {
  bytes_[place] = std::max(bytes_[place], bytes);
  const std::size_t sum = std::accumulate(bytes_.begin(), bytes_.end(), std::size_t{0});
  if (!trouble && sum < min_bytes_) return;
  satisfied_ = true;
  event_.notify_all();
}

void FetchCollector::cancel() {
  cancelled_ = true;
  event_.notify_all();
}

Task<void> FetchCollector::wait_until(Timers& timers, MonoTime deadline) {
  while (!satisfied_ && !cancelled_) {
    if (!co_await event_.wait_until(timers, deadline)) co_return;
  }
}

}  // namespace tidegate::broker
