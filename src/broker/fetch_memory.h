// Memory for the records of Fetch answers on one shard: charged before they are read, given back when the
// answer has been written. Nobody takes it all: one answer, and all answers that one connection has not
// taken yet, get at most a quarter of it, so that a few slow readers leave room for the others. Called by
// fetch_path on the connection's shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "tidegate/base/metrics.h"
#include "tidegate/runtime/memory_budget.h"

namespace tidegate::broker {

struct FetchMemoryMetrics {
  explicit FetchMemoryMetrics(MetricRegistry& metrics);
  Gauge& bytes;
  Gauge& waiting;
  Counter& refused;
};

// What one answer is charged for. Move-only; on its shard.
class FetchCharge {
 public:
  FetchCharge() = default;
  FetchCharge(FetchCharge&& other) noexcept { *this = std::move(other); }
  FetchCharge& operator=(FetchCharge&& other) noexcept;
  ~FetchCharge() { release(); }

  std::size_t size() const { return shared_.size(); }
  // To what was really read: less than planned, or more when the first batch alone is larger.
  void set(std::size_t bytes);
  void release();

 private:
  friend class FetchMemory;
  Gauge* gauge_ = nullptr;
  std::shared_ptr<MemoryBudget> of_connection_;  // outlives own_
  MemoryLease own_;
  MemoryLease shared_;
};

class FetchMemory {
 public:
  // The least that is worth reading when there is less room than wanted.
  static constexpr std::size_t kWorthReading = std::size_t{16} << 10;

  FetchMemory(std::size_t limit_bytes, FetchMemoryMetrics& metrics);

  std::size_t largest_answer() const { return share_; }
  // First come, first served; each connection's turn counts once it has room within its own share. At
  // the deadline a part of `bytes` when there is room for one, otherwise nothing (size() 0), as when
  // `wait` is given up. `connection` 0: none, without a share of its own.
  Task<FetchCharge> admit(std::uint64_t connection, std::size_t bytes, MonoTime deadline, MemoryWait& wait);
  std::size_t used() const { return budget_.used(); }

 private:
  using Shares = std::unordered_map<std::uint64_t, std::weak_ptr<MemoryBudget>>;
  std::shared_ptr<MemoryBudget> share_of(std::uint64_t connection);

  std::size_t share_;
  FetchMemoryMetrics& metrics_;
  MemoryBudget budget_;
  std::shared_ptr<Shares> shares_ = std::make_shared<Shares>();  // of connections that hold or want some
};

}  // namespace tidegate::broker
