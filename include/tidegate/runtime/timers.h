// Deadlines of one shard: a binary heap over the injected Clock. The real shard drives it from an Asio
// timer; tests drive it by hand (advance the ManualClock, call run_due()), because an Asio timer over
// a manual clock does not fire under io_context::poll().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/task.h"

namespace tidegate {

using TimerId = std::uint64_t;
inline constexpr TimerId kNoTimer = 0;

class Timers {
 public:
  // `wake_at` is told the earliest deadline whenever it changes (MonoTime::max() for none).
  Timers(const Clock& clock, std::function<void(MonoTime)> wake_at);
  ~Timers();

  // Calls `fire` once, at or after `deadline`, on the shard. O(log n).
  TimerId arm(MonoTime deadline, std::move_only_function<void()> fire);
  // False when it already fired or never was. The callback is destroyed before this returns.
  bool cancel(TimerId id);
  // Fires everything due now; returns how many. A callback may arm and cancel others.
  std::size_t run_due();
  // Destroys every callback uncalled and takes no more: the end of the shard.
  void close();
  MonoTime next_deadline() const;
  std::size_t armed() const;
  const Clock& clock() const;

  // Suspends the calling coroutine until `deadline`. Not cancellable: for short waits only.
  Task<void> sleep_until(MonoTime deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate
