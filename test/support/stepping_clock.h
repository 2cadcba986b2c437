// Real time that a test can push: it flows by itself, so that real timers behave, and leaps when told.
// The wall begins at a fixed time. Thread-safe, unlike ManualClock.
#pragma once

#include <atomic>
#include <chrono>

#include "tidegate/base/clock.h"

namespace tidegate::test {

class SteppingClock final : public Clock {
 public:
  explicit SteppingClock(std::int64_t wall_ms = 1'700'000'000'000)
      : started_(real_.now()), wall_ms_(wall_ms) {}

  MonoTime now() const override { return real_.now() + Duration(leapt_ns_.load()); }
  std::int64_t wall_ms() const override {
    return wall_ms_.load() + std::chrono::duration_cast<std::chrono::milliseconds>(now() - started_).count();
  }

  void leap(Duration by) { leapt_ns_ += by.count(); }
  // The wall clock alone, as when somebody sets it.
  void set_wall_by(std::chrono::milliseconds by) { wall_ms_ += by.count(); }

 private:
  SystemClock real_;
  MonoTime started_;
  std::atomic<std::int64_t> leapt_ns_{0};
  std::atomic<std::int64_t> wall_ms_;
};

}  // namespace tidegate::test
