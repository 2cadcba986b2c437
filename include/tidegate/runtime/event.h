// Meeting points for coroutines of one shard. Nothing here is thread-safe: wait and signal on the same
// shard; another shard posts to it first.
#pragma once

#include <cstddef>
#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/task.h"
#include "tidegate/runtime/timers.h"

namespace tidegate {

// Many waiters, woken all together. Waiters are resumed by way of the executor, never inside
// notify_all(), so the notifier's invariants hold when they run.
class Event {
 public:
  Event();
  ~Event();  // resumes nobody: waiters must have ended
  Event(const Event&) = delete;

  void notify_all();
  // Returns after the next notify_all().
  Task<void> wait();
  // True when notified, false when `deadline` came first. MonoTime::max() never comes.
  Task<bool> wait_until(Timers& timers, MonoTime deadline);
  std::size_t waiters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tidegate
