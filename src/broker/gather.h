// Runs tasks of one shard side by side and waits for all of them. A task may outlive the waiting
// coroutine (shutdown), so results go into memory that the tasks share, never into its frame.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

class Gather {
 public:
  // Starts `task` on the current shard; it has run to its first suspension when this returns.
  void add(Task<void> task, std::string_view what) {
    ++state_->running;
    Shard::current()->start(run(state_, std::move(task)), what);
  }

  // Call once, after the last add().
  Task<void> all() {
    const auto state = state_;
    if (state->running == 0) co_return;
    auto park = [&state](Resume resume) { state->waiter = std::move(resume); };
    co_await suspend(park);
  }

 private:
  struct State {
    std::size_t running = 0;
    Resume waiter;
  };
  static Task<void> run(std::shared_ptr<State> state, Task<void> task) {
    co_await std::move(task);
    if (--state->running == 0 && state->waiter) {
      Resume waiter = std::move(state->waiter);
      waiter();
    }
  }
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace tidegate::broker
