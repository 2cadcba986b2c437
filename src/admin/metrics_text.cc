#include "metrics_text.h"

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace tidegate::admin {
namespace {

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return prometheus::MetricType::Counter;
    case MetricKind::gauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

// Four buckets a power of two are kept; one a power is served, to bound the size of a scrape.
prometheus::ClientMetric::Histogram histogram_of(const Histogram::Snapshot& snapshot) {
  prometheus::ClientMetric::Histogram out;
  out.sample_count = snapshot.count;
  out.sample_sum = static_cast<double>(snapshot.sum_ns) / 1e9;
  std::uint64_t cumulative = 0;
  for (unsigned i = 0; i < Histogram::kBuckets; ++i) {
    cumulative += snapshot.counts[i];
    const bool last = i == Histogram::kBuckets - 1;
    if (!last && i % 4 != 0) continue;
    const double bound = last ? std::numeric_limits<double>::infinity()
                              : static_cast<double>(Histogram::upper_bound_ns(i) + 1) / 1e9;
    out.bucket.push_back({cumulative, bound});
  }
  return out;
}

// The registry of tidegate/base as prometheus-cpp sees it.
class Bridge final : public prometheus::Collectable {
 public:
  explicit Bridge(const MetricRegistry& metrics) : metrics_(metrics) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    for (const auto& family : metrics_.collect()) {
      prometheus::MetricFamily copy;
      copy.name = family.name;
      copy.help = family.help;
      copy.type = type_of(family.kind);
      for (const auto& sample : family.samples) {
        prometheus::ClientMetric metric;
        for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
        switch (family.kind) {
          case MetricKind::counter:
            metric.counter.value = sample.value;
            break;
          case MetricKind::gauge:
            metric.gauge.value = sample.value;
            break;
          case MetricKind::histogram:
            metric.histogram = histogram_of(sample.histogram);
            break;
        }
        copy.metric.push_back(std::move(metric));
      }
      out.push_back(std::move(copy));
    }
    return out;
  }

 private:
  const MetricRegistry& metrics_;
};

}  // namespace

std::string metrics_text(const MetricRegistry& metrics, const std::string& version) {
  prometheus::Registry build;
  prometheus::BuildGauge()
      .Name("tidegate_build_info")
      .Help("Always 1; the label says which version runs.")
      .Register(build)
      .Add({{"version", version}})
      .Set(1);
  auto families = Bridge(metrics).Collect();
  for (auto& family : build.Collect()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tidegate::admin
