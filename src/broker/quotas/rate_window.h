// The rate of one thing over the last seconds, as Kafka measures what its quotas are about: a number of
// samples of equal length, the oldest of which are forgotten. Pure; whoever owns one serialises calls.
#pragma once

#include <cstddef>
#include <vector>

#include "tidegate/base/clock.h"

namespace tidegate::broker {

struct WindowShape {
  std::size_t samples = 11;                   // quota.window.num; at least 2
  Duration sample = std::chrono::seconds(1);  // quota.window.size.seconds
  Duration whole() const { return sample * static_cast<std::int64_t>(samples); }
  // What a client that was quiet may use at once and still keep to `bound` a second.
  double burst(double bound) const {
    return bound * std::chrono::duration<double>(sample * static_cast<std::int64_t>(samples - 1)).count();
  }
};

class RateWindow {
 public:
  explicit RateWindow(const WindowShape& shape) : sums_(shape.samples) {}

  // `shape` is the same in every call. A `now` before an earlier call's counts as that one's.
  // A negative `value` takes back what was recorded.
  void record(const WindowShape& shape, double value, MonoTime now);
  // Kafka's throttle time: how much longer the time would have to be for what was used in it to be `bound` a
  // second; 0: the rate is not above. Samples that are forgotten may end it sooner, and one that has waited
  // so long before the window is full may have to wait again.
  Duration excess(const WindowShape& shape, double bound, MonoTime now);
  // Nothing that was recorded counts any more.
  bool is_idle(const WindowShape& shape, MonoTime now) const;
  // What counts now.
  double sum(const WindowShape& shape, MonoTime now);

 private:
  // Opens the sample of `now` and forgets those that are too old.
  void turn(const WindowShape& shape, MonoTime now);

  std::vector<double> sums_;  // ring; newest_ is the sample of newest_start_
  std::size_t newest_ = 0;
  MonoTime newest_start_{};
  bool begun_ = false;  // something was recorded
};

}  // namespace tidegate::broker
