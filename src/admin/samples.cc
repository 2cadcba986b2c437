#include "samples.h"

#include <algorithm>

namespace tidegate::admin {
namespace {

bool is_produce(const MetricLabels& labels) {
  return std::ranges::find(labels, std::pair<std::string, std::string>("api", "Produce")) != labels.end();
}

double sum(const MetricFamily& family) {
  double out = 0;
  for (const auto& sample : family.samples) out += sample.value;
  return out;
}

Histogram::Snapshot difference(const Histogram::Snapshot& after, const Histogram::Snapshot& before) {
  Histogram::Snapshot out;
  for (std::size_t i = 0; i < out.counts.size(); ++i) out.counts[i] = after.counts[i] - before.counts[i];
  out.count = after.count - before.count;
  out.sum_ns = after.sum_ns - before.sum_ns;
  return out;
}

double milliseconds(const Histogram::Snapshot& snapshot, double quantile) {
  if (snapshot.count == 0) return 0;
  // The last bucket has no bound of its own.
  constexpr double kMost = 64'000;
  return std::min(kMost, static_cast<double>(snapshot.quantile_ns(quantile)) / 1e6);
}

}  // namespace

Samples::Totals Samples::totals(const MetricRegistry& metrics) {
  Totals out;
  for (const auto& family : metrics.collect()) {
    if (family.name == "tidegate_server_received_bytes_total") out.received = sum(family);
    if (family.name == "tidegate_server_sent_bytes_total") out.sent = sum(family);
    if (family.name == "tidegate_server_requests_total") out.requests = sum(family);
    if (family.name == "tidegate_server_errors_total") out.errors = sum(family);
    if (family.name == "tidegate_server_connections") out.connections = sum(family);
    if (family.name != "tidegate_server_request_seconds") continue;
    for (const auto& sample : family.samples) {
      if (!is_produce(sample.labels)) continue;
      for (std::size_t i = 0; i < out.produce.counts.size(); ++i)
        out.produce.counts[i] += sample.histogram.counts[i];
      out.produce.count += sample.histogram.count;
      out.produce.sum_ns += sample.histogram.sum_ns;
    }
  }
  return out;
}

void Samples::take(const MetricRegistry& metrics, std::int64_t wall_ms, MonoTime now) {
  Totals after = totals(metrics);
  const double seconds = std::chrono::duration<double>(now - at_).count();
  if (has_before_ && seconds > 0) {
    const auto produce = difference(after.produce, before_.produce);
    ring_.push_back({.wall_ms = wall_ms,
                     .received_bytes = (after.received - before_.received) / seconds,
                     .sent_bytes = (after.sent - before_.sent) / seconds,
                     .requests = (after.requests - before_.requests) / seconds,
                     .errors = (after.errors - before_.errors) / seconds,
                     .produce_p50_ms = milliseconds(produce, 0.5),
                     .produce_p99_ms = milliseconds(produce, 0.99),
                     .connections = after.connections});
    if (ring_.size() > kSamples) ring_.pop_front();
  }
  before_ = after;
  at_ = now;
  has_before_ = true;
}

}  // namespace tidegate::admin
