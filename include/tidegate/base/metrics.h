// Counters, gauges and histograms that cost one relaxed add on the hot path. Each cell is per thread
// slot (a shard claims one with set_metric_slot), summed when read. admin/ turns a snapshot into
// Prometheus text; no other module knows prometheus-cpp.
//
// Names: tidegate_<module>_<thing>_<unit>; labels from fixed sets only. Register at start-up or when
// a label set first appears, keep the reference: registration takes a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tidegate {

inline constexpr unsigned kMetricSlots = 16;
// The slot that this thread adds to. Threads that never call set_metric_slot share slot 0.
unsigned metric_slot();
void set_metric_slot(unsigned slot);

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t by = 1) { cells_[metric_slot()].value.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, kMetricSlots> cells_;
};

class Gauge {
 public:
  void set(std::int64_t to) { value_.store(to, std::memory_order_relaxed); }
  void add(std::int64_t by) { value_.fetch_add(by, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Latencies in nanoseconds, in log-linear buckets (four a power of two from 1 us to 64 s).
class Histogram {
 public:
  static constexpr unsigned kBuckets = 4 * 27 + 1;
  void record(std::uint64_t nanoseconds);
  struct Snapshot {
    std::array<std::uint64_t, kBuckets> counts{};
    std::uint64_t count = 0;
    std::uint64_t sum_ns = 0;
    // Upper bound of the bucket that holds the quantile; 0 when nothing was recorded.
    std::uint64_t quantile_ns(double q) const;
  };
  Snapshot snapshot() const;
  // Inclusive upper bound of bucket `index` in nanoseconds; the last one has none (UINT64_MAX).
  static std::uint64_t upper_bound_ns(unsigned index);
  static unsigned bucket_of(std::uint64_t nanoseconds);

 private:
  struct alignas(64) Cells {
    std::array<std::atomic<std::uint64_t>, kBuckets> counts{};
    std::atomic<std::uint64_t> sum_ns{0};
  };
  std::array<std::atomic<Cells*>, kMetricSlots> slots_{};
  std::deque<std::unique_ptr<Cells>> owned_;
  mutable std::mutex mutex_;
};

enum class MetricKind { counter, gauge, histogram };

struct MetricSample {
  MetricLabels labels;
  double value = 0;               // counters and gauges
  Histogram::Snapshot histogram;  // histograms
};
struct MetricFamily {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::counter;
  std::vector<MetricSample> samples;
};

// Owns every metric of a process. References it hands out stay valid as long as it lives. The same
// name and labels give the same object. Thread-safe.
class MetricRegistry {
 public:
  Counter& counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, MetricLabels labels = {});
  Histogram& histogram(const std::string& name, const std::string& help, MetricLabels labels = {});
  // A gauge whose value is asked for at scrape time, on the scraping thread.
  void gauge_callback(const std::string& name, const std::string& help, MetricLabels labels,
                      std::function<double()> read);
  std::vector<MetricFamily> collect() const;

 private:
  struct Entry {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> callback;
  };
  struct Family {
    std::string help;
    MetricKind kind = MetricKind::counter;
    std::map<MetricLabels, Entry> entries;
  };
  Entry& entry(const std::string& name, const std::string& help, MetricKind kind, MetricLabels labels);

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace tidegate
