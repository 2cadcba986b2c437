#include "tidegate/base/rate_limit.h"

#include <algorithm>

namespace tidegate {

bool LogRateLimit::allow(std::uint64_t& suppressed) {
  const MonoTime now = clock_.now();
  const double elapsed = std::chrono::duration<double>(now - at_).count();
  at_ = now;
  tokens_ = std::min(burst_, tokens_ + elapsed * per_second_);
  if (tokens_ < 1) {
    ++suppressed_;
    return false;
  }
  tokens_ -= 1;
  suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

}  // namespace tidegate
