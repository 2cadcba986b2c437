// Admission of request memory on one shard: a request is charged before its body is read. While a
// caller waits here its socket is not read, so TCP pushes back on the client. FIFO: a large request is
// not starved by small ones. Shard-local.
#pragma once

#include <cstddef>
#include <memory>

#include "tidegate/runtime/task.h"

namespace tidegate {

class MemoryBudget;

// Bytes taken from a budget; given back when destroyed, on the budget's shard. Move-only.
class MemoryLease {
 public:
  MemoryLease() = default;
  MemoryLease(MemoryLease&& other) noexcept;
  MemoryLease& operator=(MemoryLease&& other) noexcept;
  ~MemoryLease();

  std::size_t size() const { return bytes_; }
  // Gives back all but `bytes` (at most size()).
  void shrink_to(std::size_t bytes);
  void release();

 private:
  friend class MemoryBudget;
  MemoryLease(MemoryBudget* budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {}
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_bytes);
  ~MemoryBudget();

  // Waits for room. A request larger than the whole budget is admitted alone.
  Task<MemoryLease> acquire(std::size_t bytes);
  // Now or not at all.
  bool try_acquire(std::size_t bytes, MemoryLease& out);

  std::size_t used() const;
  std::size_t limit() const;
  std::size_t waiters() const;

 private:
  friend class MemoryLease;
  void give_back(std::size_t bytes);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate
