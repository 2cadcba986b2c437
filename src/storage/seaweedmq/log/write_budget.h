// How many metadata writes a second this gateway asks of the filers: every append that is to become a chunk
// takes the next free place, and waits until its time has come. With few partitions there is always one free;
// the more of them write, the longer each gathers, and the larger its chunks get. Any thread.
#pragma once

#include <algorithm>
#include <mutex>

#include "tidegate/base/clock.h"

namespace tidegate::storage::seaweedmq {

class WriteBudget {
 public:
  // Zero: no limit.
  explicit WriteBudget(double per_second)
      : interval_(per_second > 0
                      ? std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / per_second))
                      : Duration(0)) {}

  // The time of the next free place, which is taken by that. Places that nobody took in the last moment can
  // be made up for.
  MonoTime take(MonoTime now) {
    if (interval_ == Duration(0)) return now;
    const std::lock_guard lock(mutex_);
    next_ = std::max(next_, now - kMadeUp);
    const MonoTime place = std::max(next_, now);
    next_ = next_ + interval_;
    return place;
  }

 private:
  static constexpr Duration kMadeUp = std::chrono::milliseconds(50);
  const Duration interval_;
  std::mutex mutex_;
  MonoTime next_;
};

}  // namespace tidegate::storage::seaweedmq
