// A circuit breaker: after some failures in a row calls to an endpoint are refused at once, for a time
// that grows with jitter up to two seconds; then one call goes through to try. So a dead server costs
// nobody a deadline, and one that is back is found within seconds. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"

namespace tidegate::storage::seaweedmq {

class Breaker {
 public:
  static constexpr int kFailuresToOpen = 3;
  static constexpr Duration kFirstPause = std::chrono::milliseconds(100);
  static constexpr Duration kLongestPause = std::chrono::seconds(2);

  // `open` counts the open breakers of a kind.
  Breaker(const Clock& clock, std::uint64_t seed, Gauge& open)
      : clock_(clock), open_gauge_(open), rng_(seed) {}
  ~Breaker();
  Breaker(const Breaker&) = delete;

  // Whether a call may begin. One that may must be followed by exactly one of the two below. A trial
  // that never reports (its caller was destroyed) stops being one after the longest pause.
  bool allow();
  void succeeded();
  // True when this opened it, or kept it open.
  bool failed();
  bool is_open() const;

 private:
  const Clock& clock_;
  Gauge& open_gauge_;
  mutable std::mutex mutex_;
  SeededRng rng_;
  int failures_ = 0;
  bool open_ = false;
  Duration pause_{0};
  MonoTime try_at_{};
};

}  // namespace tidegate::storage::seaweedmq
