#include "samples.h"

#include <gtest/gtest.h>

namespace tidegate::admin {
namespace {

TEST(Samples, RatesAreOfTheTimeBetween_AndTheRingIsBounded) {
  MetricRegistry metrics;
  auto& received = metrics.counter("tidegate_server_received_bytes_total", "b");
  auto& latency =
      metrics.histogram("tidegate_server_request_seconds", "l", {{"api", "Produce"}, {"version", "9"}});
  latency.record(60'000'000'000);  // before the first sample: must not show
  Samples samples;
  MonoTime now{};
  samples.take(metrics, 0, now);
  EXPECT_TRUE(samples.all().empty());
  received.add(5000);
  latency.record(2'000'000);
  samples.take(metrics, 10'000, now = now + std::chrono::seconds(10));
  ASSERT_EQ(samples.all().size(), 1U);
  EXPECT_DOUBLE_EQ(samples.all().back().received_bytes, 500);
  EXPECT_GE(samples.all().back().produce_p99_ms, 2);
  EXPECT_LT(samples.all().back().produce_p99_ms, 3);
  for (std::size_t i = 0; i < 2 * kSamples; ++i)
    samples.take(metrics, 0, now = now + std::chrono::seconds(10));
  EXPECT_EQ(samples.all().size(), kSamples);
  EXPECT_DOUBLE_EQ(samples.all().back().produce_p99_ms, 0);
}

}  // namespace
}  // namespace tidegate::admin
