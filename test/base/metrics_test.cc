#include "tidegate/base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace tidegate {
namespace {

TEST(Metrics, SameNameAndLabels_AreOneCounter) {
  MetricRegistry registry;
  registry.counter("tidegate_x_total", "help", {{"api", "Fetch"}}).add(2);
  registry.counter("tidegate_x_total", "help", {{"api", "Fetch"}}).add(3);
  registry.counter("tidegate_x_total", "help", {{"api", "Produce"}}).add(7);
  const auto families = registry.collect();
  ASSERT_EQ(families.size(), 1U);
  ASSERT_EQ(families[0].samples.size(), 2U);
  EXPECT_EQ(families[0].samples[0].value, 5);
  EXPECT_EQ(families[0].samples[1].value, 7);
}

TEST(Metrics, Counter_SumsOverThreads) {
  Counter counter;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&counter, t] {
      set_metric_slot(t);
      for (int i = 0; i < 1000; ++i) counter.add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000U);
}

TEST(Metrics, HistogramBuckets_CoverEveryValueInOrder) {
  for (std::uint64_t value :
       {0ULL, 1ULL, 1023ULL, 1024ULL, 1279ULL, 1280ULL, 5000ULL, 1'000'000ULL, 1'000'000'000ULL}) {
    const unsigned bucket = Histogram::bucket_of(value);
    EXPECT_LE(value, Histogram::upper_bound_ns(bucket)) << value;
    if (bucket > 0) EXPECT_GT(value, Histogram::upper_bound_ns(bucket - 1)) << value;
  }
  EXPECT_EQ(Histogram::bucket_of(UINT64_MAX), Histogram::kBuckets - 1);
}

TEST(Metrics, Quantile_IsTheUpperBoundOfItsBucket) {
  Histogram histogram;
  for (int i = 0; i < 99; ++i) histogram.record(2000);
  histogram.record(5'000'000);
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 100U);
  EXPECT_GE(snapshot.quantile_ns(0.5), 2000U);
  EXPECT_LT(snapshot.quantile_ns(0.5), 2600U);
  EXPECT_GE(snapshot.quantile_ns(1.0), 5'000'000U);
}

}  // namespace
}  // namespace tidegate
