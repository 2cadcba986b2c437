#include "tidegate/base/clock.h"

#include <ctime>

namespace tidegate {

MonoTime SystemClock::now() const {
  // Unlike CLOCK_MONOTONIC it goes on while the machine sleeps: a lease that ran out meanwhile has run out.
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec)};
}

std::int64_t SystemClock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace tidegate
