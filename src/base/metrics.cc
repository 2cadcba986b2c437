#include "tidegate/base/metrics.h"

#include <bit>

#include "tidegate/base/assert.h"

namespace tidegate {
namespace {

thread_local unsigned current_slot = 0;
constexpr unsigned kFirstPower = 10;  // 1024 ns: everything below is the first bucket

}  // namespace

unsigned metric_slot() { return current_slot; }
void set_metric_slot(unsigned slot) { current_slot = slot % kMetricSlots; }

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (const auto& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

unsigned Histogram::bucket_of(std::uint64_t nanoseconds) {
  if (nanoseconds < (1ULL << kFirstPower)) return 0;
  const auto power = static_cast<unsigned>(std::bit_width(nanoseconds)) - 1;
  const auto quarter = static_cast<unsigned>((nanoseconds >> (power - 2)) & 3);
  const unsigned bucket = (power - kFirstPower) * 4 + quarter + 1;
  return bucket < kBuckets ? bucket : kBuckets - 1;
}

std::uint64_t Histogram::upper_bound_ns(unsigned index) {
  if (index == 0) return (1ULL << kFirstPower) - 1;
  if (index >= kBuckets - 1) return UINT64_MAX;
  const unsigned power = kFirstPower + (index - 1) / 4;
  const unsigned quarter = (index - 1) % 4;
  return (1ULL << power) + (static_cast<std::uint64_t>(quarter) + 1) * (1ULL << (power - 2)) - 1;
}

void Histogram::record(std::uint64_t nanoseconds) {
  auto& slot = slots_[metric_slot()];
  Cells* cells = slot.load(std::memory_order_acquire);
  if (!cells) {
    std::lock_guard lock(mutex_);
    cells = slot.load(std::memory_order_acquire);
    if (!cells) {
      cells = owned_.emplace_back(std::make_unique<Cells>()).get();
      slot.store(cells, std::memory_order_release);
    }
  }
  cells->counts[bucket_of(nanoseconds)].fetch_add(1, std::memory_order_relaxed);
  cells->sum_ns.fetch_add(nanoseconds, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot total;
  for (const auto& slot : slots_) {
    const Cells* cells = slot.load(std::memory_order_acquire);
    if (!cells) continue;
    for (unsigned i = 0; i < kBuckets; ++i) {
      const auto count = cells->counts[i].load(std::memory_order_relaxed);
      total.counts[i] += count;
      total.count += count;
    }
    total.sum_ns += cells->sum_ns.load(std::memory_order_relaxed);
  }
  return total;
}

std::uint64_t Histogram::Snapshot::quantile_ns(double q) const {
  if (count == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count - 1)) + 1;
  std::uint64_t seen = 0;
  for (unsigned i = 0; i < kBuckets; ++i) {
    seen += counts[i];
    if (seen >= wanted) return upper_bound_ns(i);
  }
  return UINT64_MAX;
}

MetricRegistry::Entry& MetricRegistry::entry(const std::string& name, const std::string& help,
                                             MetricKind kind, MetricLabels labels) {
  auto [family, inserted] = families_.try_emplace(name);
  if (inserted) {
    family->second.help = help;
    family->second.kind = kind;
  }
  TIDEGATE_ASSERT(family->second.kind == kind);
  return family->second.entries[std::move(labels)];
}

Counter& MetricRegistry::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  auto& at = entry(name, help, MetricKind::counter, std::move(labels)).counter;
  if (!at) at = std::make_unique<Counter>();
  return *at;
}

Gauge& MetricRegistry::gauge(const std::string& name, const std::string& help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  auto& at = entry(name, help, MetricKind::gauge, std::move(labels)).gauge;
  if (!at) at = std::make_unique<Gauge>();
  return *at;
}

Histogram& MetricRegistry::histogram(const std::string& name, const std::string& help, MetricLabels labels) {
  std::lock_guard lock(mutex_);
  auto& at = entry(name, help, MetricKind::histogram, std::move(labels)).histogram;
  if (!at) at = std::make_unique<Histogram>();
  return *at;
}

void MetricRegistry::gauge_callback(const std::string& name, const std::string& help, MetricLabels labels,
                                    std::function<double()> read) {
  std::lock_guard lock(mutex_);
  entry(name, help, MetricKind::gauge, std::move(labels)).callback = std::move(read);
}

std::vector<MetricFamily> MetricRegistry::collect() const {
  std::lock_guard lock(mutex_);
  std::vector<MetricFamily> out;
  for (const auto& [name, family] : families_) {
    MetricFamily copy{name, family.help, family.kind, {}};
    for (const auto& [labels, item] : family.entries) {
      MetricSample sample{labels, 0, {}};
      if (item.callback) {
        sample.value = item.callback();
      } else if (item.counter) {
        sample.value = static_cast<double>(item.counter->value());
      } else if (item.gauge) {
        sample.value = static_cast<double>(item.gauge->value());
      } else if (item.histogram) {
        sample.histogram = item.histogram->snapshot();
      }
      copy.samples.push_back(std::move(sample));
    }
    out.push_back(std::move(copy));
  }
  return out;
}

}  // namespace tidegate
