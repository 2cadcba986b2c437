#include "quotas/rate_window.h"

#include <algorithm>
#include <cmath>

namespace tidegate::broker {

void RateWindow::turn(const WindowShape& shape, MonoTime now) {
  if (is_idle(shape, now)) {
    std::ranges::fill(sums_, 0.0);
    newest_ = 0;
    newest_start_ = now;
    begun_ = true;
    return;
  }
  while (newest_start_ + shape.sample <= now) {
    newest_ = (newest_ + 1) % sums_.size();
    sums_[newest_] = 0;
    newest_start_ = newest_start_ + shape.sample;
  }
}

bool RateWindow::is_idle(const WindowShape& shape, MonoTime now) const {
  return !begun_ || now - newest_start_ >= shape.whole();
}

void RateWindow::record(const WindowShape& shape, double value, MonoTime now) {
  turn(shape, now);
  sums_[newest_] += value;
}

double RateWindow::sum(const WindowShape& shape, MonoTime now) {
  turn(shape, now);
  double sum = 0;
  for (const double each : sums_) sum += each;
  return sum;
}

// The sum is spread over all samples but one and what has passed of the newest, however long the client has
// been there: one that has just begun may use as much as one that was always there.
Duration RateWindow::excess(const WindowShape& shape, double bound, MonoTime now) {
  const double used = sum(shape, now);
  const auto full = static_cast<std::int64_t>(shape.samples - 1);
  const Duration spread = shape.sample * full + std::max(now - newest_start_, Duration{0});
  const double over_s = used / bound - std::chrono::duration<double>(spread).count();
  if (over_s <= 0) return Duration{0};
  constexpr double kMost = 1e9;  // seconds: what no Duration overflows with
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(over_s, kMost)));
}

}  // namespace tidegate::broker
