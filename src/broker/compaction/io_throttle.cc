#include "compaction/io_throttle.h"

#include <algorithm>

#include "tidegate/runtime/shard.h"

namespace tidegate::broker {
namespace {
// A wait is looked at this often, so that stopping does not wait for a slow disk budget.
constexpr Duration kStep = std::chrono::milliseconds(50);
constexpr double kMaxWaitSeconds = 3600;
}  // namespace

MonoTime IoThrottle::book(std::uint64_t bytes) {
  const double seconds = std::min(static_cast<double>(bytes) / bytes_per_second_, kMaxWaitSeconds);
  const auto takes = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  const std::lock_guard lock(mutex_);
  free_at_ = std::max(free_at_, clock_.now()) + takes;
  return free_at_;
}

Task<bool> IoThrottle::spend(std::uint64_t bytes) {
  const MonoTime until = book(bytes);
  Timers& timers = Shard::current()->timers();
  while (!stopped() && clock_.now() < until) {
    co_await timers.sleep_until(std::min(until, clock_.now() + kStep));
  }
  co_return !stopped();
}

}  // namespace tidegate::broker
