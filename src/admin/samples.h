// The last hour of the metrics that the overview charts: a ring of fixed size, one sample every ten
// seconds. On the admin shard.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"

namespace tidegate::admin {

inline constexpr Duration kSampleEvery = std::chrono::seconds(10);
inline constexpr std::size_t kSamples = 360;

// Rates are per second, of the time since the sample before.
struct Sample {
  std::int64_t wall_ms = 0;
  double received_bytes = 0;
  double sent_bytes = 0;
  double requests = 0;
  double errors = 0;
  // Milliseconds; 0 without requests. Produce alone, because a Fetch waits as long as its client asks it to.
  double produce_p50_ms = 0;
  double produce_p99_ms = 0;
  double connections = 0;
};

class Samples {
 public:
  // The first call makes no sample: there is nothing to compare with.
  void take(const MetricRegistry& metrics, std::int64_t wall_ms, MonoTime now);
  const std::deque<Sample>& all() const { return ring_; }

 private:
  struct Totals {
    double received = 0;
    double sent = 0;
    double requests = 0;
    double errors = 0;
    double connections = 0;
    Histogram::Snapshot produce;
  };
  static Totals totals(const MetricRegistry& metrics);
  std::deque<Sample> ring_;
  Totals before_;
  MonoTime at_{};
  bool has_before_ = false;
};

}  // namespace tidegate::admin
