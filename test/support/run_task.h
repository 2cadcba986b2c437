// Runs coroutines from a test's thread: on a shard of a pool, until they end, with a limit that only a
// hang reaches. ShardHarness is a pool with a real or a manual clock; a manual clock is turned with
// advance(), which also fires what became due.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/runtime/task.h"

namespace tidegate::test {

inline constexpr std::chrono::seconds kHangLimit{60};

namespace detail {
using Done = std::shared_ptr<std::promise<void>>;  // shared: the waiter may be gone before set_value returns

// The function, and what it captured, is gone before the test goes on.
template <class F, class Value>
Task<void> fulfil(std::optional<F> make_task, Done done, std::optional<Value>* out) {
  out->emplace(co_await (*make_task)());
  make_task.reset();
  done->set_value();
}
template <class F>
Task<void> fulfil_void(std::optional<F> make_task, Done done) {
  co_await (*make_task)();
  make_task.reset();
  done->set_value();
}
[[noreturn]] inline void hung() {
  std::fputs("a task under test did not end in time\n", stderr);
  std::abort();  // its coroutine still refers to the test's locals
}
}  // namespace detail

// Calls `make_task` on the shard and waits for the Task it returns. `make_task` and what it refers to
// stay alive until then, so a lambda coroutine with captures is fine here.
template <class F>
auto run_on_shard(ShardPool& pool, unsigned index, F make_task) ->
    typename tidegate::detail::TaskValue<std::invoke_result_t<F&>>::type {
  using Value = typename tidegate::detail::TaskValue<std::invoke_result_t<F&>>::type;
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  std::optional<F> function(std::move(make_task));
  if constexpr (std::is_void_v<Value>) {
    pool.at(index).spawn(detail::fulfil_void(std::move(function), std::move(done)), "test");
    if (future.wait_for(kHangLimit) != std::future_status::ready) detail::hung();
  } else {
    std::optional<Value> value;
    pool.at(index).spawn(detail::fulfil(std::move(function), std::move(done), &value), "test");
    if (future.wait_for(kHangLimit) != std::future_status::ready) detail::hung();
    return std::move(*value);
  }
}

// Calls the plain function `fn` on the shard, by way of its queue, and waits for its value.
template <class F>
auto call_on_shard(ShardPool& pool, unsigned index, F fn) -> std::invoke_result_t<F&> {
  using Value = std::invoke_result_t<F&>;
  auto task = std::make_shared<std::packaged_task<Value()>>(std::ref(fn));
  auto future = task->get_future();
  pool.at(index).post([task = std::move(task)] { (*task)(); });
  if (future.wait_for(kHangLimit) != std::future_status::ready) detail::hung();
  return future.get();
}

struct RealClock {};

// A running ShardPool and what it needs. Members are destroyed after the pool has stopped.
class ShardHarness {
 public:
  // With a manual clock.
  explicit ShardHarness(unsigned shards = 1) : ShardHarness(shards, manual_clock_) {}
  ShardHarness(unsigned shards, RealClock) : ShardHarness(shards, system_clock_) {}
  ~ShardHarness() { stop(); }

  ShardPool& pool() { return *pool_; }
  Shard& shard(unsigned index = 0) { return pool_->at(index); }
  MetricRegistry& metrics() { return metrics_; }
  const Clock& clock() const { return clock_; }
  ManualClock& manual_clock() { return manual_clock_; }

  template <class F>
  auto run(F make_task, unsigned shard = 0) {
    return run_on_shard(*pool_, shard, std::move(make_task));
  }
  template <class F>
  auto call(F fn, unsigned shard = 0) {
    return call_on_shard(*pool_, shard, std::move(fn));
  }
  // Turns the manual clock and fires, on every shard, what became due. Every shard first ends what it is
  // at, and the clock turns on shard 0 between two handlers: one that has just answered the test would
  // otherwise note the later time. (Another shard may still be in a handler that began meanwhile.)
  void advance(Duration by) {
    settle(1);
    auto turn = [this, by] { manual_clock_.advance(by); };
    call(turn, 0);
    for (unsigned i = 0; i < pool_->size(); ++i) {
      auto fire = [this, i] {
        while (pool_->at(i).timers().run_due() > 0) {
        }
      };
      call(fire, i);
    }
  }
  // Lets everything that is ready on the shards run: `rounds` trips through every shard's queue.
  void settle(int rounds = 4) {
    for (int round = 0; round < rounds; ++round) {
      for (unsigned i = 0; i < pool_->size(); ++i) {
        auto nothing = [] {};
        call(nothing, i);
      }
    }
  }
  void stop() { pool_->stop(); }

 private:
  ShardHarness(unsigned shards, const Clock& clock)
      : clock_(clock),
        pool_(std::make_unique<ShardPool>(ShardPoolOptions{.shards = shards}, clock, metrics_)) {
    pool_->start();
  }

  ManualClock manual_clock_;
  SystemClock system_clock_;
  const Clock& clock_;
  MetricRegistry metrics_;
  std::unique_ptr<ShardPool> pool_;
};

}  // namespace tidegate::test
