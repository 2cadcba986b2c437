// Keeps compaction below log.cleaner.io.max.bytes.per.second, reads and writes together, and tells it to
// end when the broker stops. Shared by all cleanings; any shard.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

class IoThrottle {
 public:
  IoThrottle(const Clock& clock, double bytes_per_second)
      : clock_(clock), bytes_per_second_(bytes_per_second), free_at_(clock.now()) {}

  // After `bytes` of I/O: waits as long as they are to take. False when stop() was called.
  Task<bool> spend(std::uint64_t bytes);
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_.load(); }
  // When the I/O of so far will have taken its time.
  MonoTime book(std::uint64_t bytes);

 private:
  const Clock& clock_;
  const double bytes_per_second_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  MonoTime free_at_;
};

}  // namespace tidegate::broker
