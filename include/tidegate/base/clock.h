// Time comes in through constructors. SystemClock is made in app/ (and in tests that need real time);
// everything else gets a Clock&, so that tests turn the hands themselves.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tidegate {

using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock: deadlines, timers, ages. Survives jumps of the wall clock.
struct MonoTime {
  Duration since_start{0};

  auto operator<=>(const MonoTime&) const = default;
  friend MonoTime operator+(MonoTime t, Duration d) { return {t.since_start + d}; }
  friend MonoTime operator-(MonoTime t, Duration d) { return {t.since_start - d}; }
  friend Duration operator-(MonoTime a, MonoTime b) { return a.since_start - b.since_start; }
  static MonoTime max() { return {Duration::max()}; }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  // Milliseconds since 1970-01-01 UTC: record timestamps, retention, log lines. May jump.
  virtual std::int64_t wall_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  MonoTime now() const override;
  std::int64_t wall_ms() const override;
};

// For tests: stands still until told. Any thread may read it; one advances it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_ms = 1'700'000'000'000) : wall_ms_(wall_ms) {}
  MonoTime now() const override { return {Duration(now_ns_.load())}; }
  std::int64_t wall_ms() const override { return wall_ms_.load(); }
  void advance(Duration by) {
    now_ns_ += by.count();
    wall_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }
  void set_wall_ms(std::int64_t wall_ms) { wall_ms_ = wall_ms; }

 private:
  std::atomic<std::int64_t> now_ns_{0};
  std::atomic<std::int64_t> wall_ms_;
};

}  // namespace tidegate
