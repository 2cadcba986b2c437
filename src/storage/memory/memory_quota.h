// The one limit of the memory engine: bytes held by all shards together. Thread-safe.
// A refused charge changes nothing.
#pragma once

#include <atomic>
#include <cstddef>

namespace tidegate::storage {

class MemoryQuota {
 public:
  explicit MemoryQuota(std::size_t limit_bytes) : limit_(limit_bytes) {}
  MemoryQuota(const MemoryQuota&) = delete;

  bool try_charge(std::size_t bytes) {
    std::size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  std::size_t limit() const { return limit_; }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace tidegate::storage
