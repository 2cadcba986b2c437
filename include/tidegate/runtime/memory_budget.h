// Admission of request memory on one shard: a request is charged before its body is read. While a
// caller waits here its socket is not read, so TCP pushes back on the client. FIFO: a large request is
// not starved by small ones. Shard-local. Also admits the records of Fetch answers (broker/fetch_memory).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/task.h"
#include "tidegate/runtime/timers.h"

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
  // Takes more without waiting, beyond the limit if need be: for memory that is in use already. Whoever
  // comes next waits until the excess is gone. Nothing on an empty lease or below size().
  void grow_to(std::size_t bytes);
  void release();

 private:
  friend class MemoryBudget;
  MemoryLease(MemoryBudget* budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {}
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

// The way to end one wait of acquire_until(), from the same shard. May outlive the wait.
class MemoryWait {
 public:
  // Ends the wait with nothing granted; does nothing when there is none.
  void give_up();

 private:
  friend class MemoryBudget;
  std::function<void()> end_;
};

class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_bytes);
  ~MemoryBudget();

  // Waits for room. A request larger than the whole budget is admitted alone.
  Task<MemoryLease> acquire(std::size_t bytes);
  // As acquire(), but not beyond `deadline`: then it takes what room there is, if that is `least` or more,
  // and otherwise nothing. Nothing as well when `wait` gives up. `wait` outlives the call.
  Task<MemoryLease> acquire_until(std::size_t bytes, std::size_t least, Timers& timers, MonoTime deadline,
                                  MemoryWait& wait);
  // Now or not at all.
  bool try_acquire(std::size_t bytes, MemoryLease& out);

  std::size_t used() const;
  std::size_t limit() const;
  std::size_t waiters() const;

 private:
  friend class MemoryLease;
  void give_back(std::size_t bytes);
  void overdraw(std::size_t bytes);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate
