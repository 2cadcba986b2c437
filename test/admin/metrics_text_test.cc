#include "metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::admin {
namespace {

using testing::HasSubstr;

TEST(MetricsText, CountersAndGauges_CarryHelpTypeAndLabels) {
  MetricRegistry registry;
  registry.counter("tidegate_server_requests_total", "Requests answered.", {{"api", "Fetch"}}).add(3);
  registry.gauge("tidegate_server_connections", "Open connections.").set(-2);
  registry.gauge_callback("tidegate_asked", "Asked at scrape time.", {}, [] { return 1.5; });
  const auto text = metrics_text(registry, "1.2.3");
  EXPECT_THAT(text, HasSubstr("# HELP tidegate_server_requests_total Requests answered.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE tidegate_server_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_server_requests_total{api=\"Fetch\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_server_connections -2\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_asked 1.5\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_build_info{version=\"1.2.3\"} 1\n"));
}

TEST(MetricsText, Histogram_IsCumulativeInSeconds) {
  MetricRegistry registry;
  auto& latency = registry.histogram("tidegate_request_seconds", "Latency.");
  latency.record(500);            // 0.5 us
  latency.record(3'000);          // 3 us
  latency.record(1'000'000'000);  // 1 s
  const auto text = metrics_text(registry, "x");
  EXPECT_THAT(text, HasSubstr("tidegate_request_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_request_seconds_bucket{le=\"1.024e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_request_seconds_bucket{le=\"4.096e-06\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tidegate_request_seconds_bucket{le=\"+Inf\"} 3\n"));
}

}  // namespace
}  // namespace tidegate::admin
