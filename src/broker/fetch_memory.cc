// Two budgets one after the other: the connection's share, then the shard's. Who waits for its own share
// is in nobody's way.
#include "fetch_memory.h"

#include <algorithm>

#include "tidegate/runtime/shard.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kShares = 4;

// Counts one fetch among those that wait, however the wait ends.
class Waiting {
 public:
  explicit Waiting(Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
  ~Waiting() { gauge_.add(-1); }
  Waiting(const Waiting&) = delete;

 private:
  Gauge& gauge_;
};

}  // namespace

FetchMemoryMetrics::FetchMemoryMetrics(MetricRegistry& metrics)
    : bytes(metrics.gauge("tidegate_broker_fetch_memory_bytes",
                          "Records of Fetch answers being read or written")),
      waiting(
          metrics.gauge("tidegate_broker_fetches_waiting_for_memory", "Fetches that wait for such memory")),
      refused(metrics.counter("tidegate_broker_fetches_without_memory_total",
                              "Fetches answered without records because memory came too late")) {}

FetchCharge& FetchCharge::operator=(FetchCharge&& other) noexcept {
  if (this == &other) return *this;
  release();
  gauge_ = std::exchange(other.gauge_, nullptr);
  own_ = std::move(other.own_);
  shared_ = std::move(other.shared_);
  of_connection_ = std::move(other.of_connection_);
  return *this;
}

void FetchCharge::set(std::size_t bytes) {
  const auto before = static_cast<std::int64_t>(shared_.size());
  if (bytes > shared_.size()) {
    own_.grow_to(bytes);
    shared_.grow_to(bytes);
  } else {
    own_.shrink_to(bytes);
    shared_.shrink_to(bytes);
  }
  if (gauge_) gauge_->add(static_cast<std::int64_t>(shared_.size()) - before);
}

void FetchCharge::release() {
  if (Gauge* gauge = std::exchange(gauge_, nullptr)) gauge->add(-static_cast<std::int64_t>(shared_.size()));
  shared_.release();
  own_.release();
  of_connection_.reset();
}

FetchMemory::FetchMemory(std::size_t limit_bytes, FetchMemoryMetrics& metrics)
    : share_(std::max(limit_bytes / kShares, std::size_t{1})), metrics_(metrics), budget_(limit_bytes) {}

std::shared_ptr<MemoryBudget> FetchMemory::share_of(std::uint64_t connection) {
  std::weak_ptr<MemoryBudget>& known = (*shares_)[connection];
  if (auto alive = known.lock()) return alive;
  auto forget = [shares = std::weak_ptr(shares_), connection](MemoryBudget* gone) {
    delete gone;
    if (const auto alive = shares.lock()) alive->erase(connection);
  };
  std::shared_ptr<MemoryBudget> made(new MemoryBudget(share_), std::move(forget));
  known = made;
  return made;
}

Task<FetchCharge> FetchMemory::admit(std::uint64_t connection, std::size_t bytes, MonoTime deadline,
                                     MemoryWait& wait) {
  FetchCharge charge;
  Timers& timers = Shard::current()->timers();
  std::size_t planned = std::max(bytes, std::size_t{1});
  const std::size_t least = std::min(planned, kWorthReading);
  const Waiting waiting(metrics_.waiting);
  if (connection != 0) {
    charge.of_connection_ = share_of(connection);
    charge.own_ = co_await charge.of_connection_->acquire_until(planned, least, timers, deadline, wait);
    planned = charge.own_.size();
  }
  if (planned > 0) {
    charge.shared_ =
        co_await budget_.acquire_until(planned, std::min(planned, least), timers, deadline, wait);
  }
  if (charge.shared_.size() == 0) {
    metrics_.refused.add();
    charge.release();
    co_return charge;
  }
  charge.own_.shrink_to(charge.shared_.size());
  charge.gauge_ = &metrics_.bytes;
  charge.gauge_->add(static_cast<std::int64_t>(charge.size()));
  co_return charge;
}

}  // namespace tidegate::broker
