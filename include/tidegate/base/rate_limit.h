// A token bucket for log lines that a client can trigger. One per call site (or per kind of mistake);
// used on one thread, or guarded by its owner.
#pragma once

#include <cstdint>

#include "tidegate/base/clock.h"

namespace tidegate {

class LogRateLimit {
 public:
  // At most `burst` lines at once, refilled at `per_second`.
  LogRateLimit(const Clock& clock, double per_second, double burst)
      : clock_(clock), per_second_(per_second), burst_(burst), tokens_(burst), at_(clock.now()) {}
  // True when a line may be written. `suppressed` then tells how many were left out since the last.
  bool allow(std::uint64_t& suppressed);

 private:
  const Clock& clock_;
  double per_second_;
  double burst_;
  double tokens_;
  MonoTime at_;
  std::uint64_t suppressed_ = 0;
};

}  // namespace tidegate
