#include "tidegate/runtime/submit.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/run_task.h"

namespace tidegate {
namespace {

TEST(Submit, PlainFunction_RunsOnTheTargetAndTheCallerGoesOnAtHome) {
  test::ShardHarness harness(2);
  const bool ok = harness.run([&]() -> Task<bool> {
    auto which = [] { return Shard::current()->index(); };
    const unsigned there = co_await submit_to(harness.shard(1), which);
    co_return there == 1 && Shard::current()->index() == 0;
  });
  EXPECT_TRUE(ok);
}

TEST(Submit, Task_MayAwaitThereAndMoveOnlyValuesComeBack) {
  test::ShardHarness harness(2, test::RealClock{});
  auto value = harness.run([&]() -> Task<std::unique_ptr<int>> {
    auto work = [](int x) -> Task<std::unique_ptr<int>> {
      auto& timers = Shard::current()->timers();
      co_await timers.sleep_until(timers.clock().now() + std::chrono::milliseconds(1));
      co_return std::make_unique<int>(x + static_cast<int>(Shard::current()->index()));
    };
    auto call = [work] { return work(41); };
    co_return co_await submit_to(harness.shard(1), call);
  });
  EXPECT_EQ(*value, 42);
}

TEST(Submit, SameShard_RunsInlineWithoutATripThroughTheQueue) {
  test::ShardHarness harness;
  bool queued_ran = false;
  const bool inline_run = harness.run([&]() -> Task<bool> {
    harness.shard().post([&] { queued_ran = true; });
    auto fn = [&] { return !queued_ran; };
    const bool first = co_await submit_to(harness.shard(), fn);
    auto task = [&]() -> Task<bool> { co_return !queued_ran; };
    const bool second = co_await submit_to(harness.shard(), task);
    co_return first&& second;
  });
  EXPECT_TRUE(inline_run);
  harness.settle();
  EXPECT_TRUE(queued_ran);
}

Task<void> append_on(Shard& target, std::vector<int>* seen, int value, std::atomic<int>* done) {
  auto fn = [seen, value] { seen->push_back(value); };
  co_await submit_to(target, fn);
  ++*done;
}

// One call in transit at a time: everything else goes through the waiting list.
TEST(Submit, Order_IsFifoPerPairAlsoWhenCallsWaitForTheirTurn) {
  const SystemClock clock;
  MetricRegistry metrics;
  ShardPool pool({.shards = 3, .max_submits_in_flight = 1}, clock, metrics);
  pool.start();
  constexpr int kCalls = 2'000;
  std::vector<int> seen;
  std::atomic<int> done = 0;
  for (unsigned from = 0; from < 2; ++from) {
    test::call_on_shard(pool, from, [&, from] {
      for (int i = 0; i < kCalls; ++i) {
        pool.at(from).start(append_on(pool.at(2), &seen, static_cast<int>(from) * kCalls + i, &done), "test");
      }
    });
  }
  pool.stop();
  ASSERT_EQ(done, 2 * kCalls);
  ASSERT_EQ(seen.size(), 2u * kCalls);
  int next[2] = {0, kCalls};
  for (const int value : seen) ASSERT_EQ(value, next[value / kCalls]++);
}

Task<int> bounce(ShardPool* pool, unsigned index, int depth) {
  if (depth == 0) co_return 0;
  auto deeper = [pool, index, depth] { return bounce(pool, 1 - index, depth - 1); };
  const int below = co_await submit_to(pool->at(1 - index), deeper);
  co_return below + 1;
}
Task<void> bounce_many(ShardPool* pool, unsigned index, std::atomic<int>* sum) {
  *sum += co_await bounce(pool, index, 20);
}

TEST(Submit, NestedCallsBackAndForth_CannotLockUpWithOnePlaceInTransit) {
  const SystemClock clock;
  MetricRegistry metrics;
  ShardPool pool({.shards = 2, .max_submits_in_flight = 1}, clock, metrics);
  pool.start();
  std::atomic<int> sum = 0;
  for (unsigned index = 0; index < 2; ++index) {
    test::call_on_shard(pool, index, [&, index] {
      for (int i = 0; i < 50; ++i) pool.at(index).start(bounce_many(&pool, index, &sum), "test");
    });
  }
  pool.stop(test::kHangLimit);
  EXPECT_EQ(sum, 2 * 50 * 20);
}

struct Tracker {
  std::atomic<int>* alive;
  explicit Tracker(std::atomic<int>* counter) : alive(counter) { ++*alive; }
  Tracker(Tracker&& other) noexcept : alive(other.alive) { ++*alive; }
  ~Tracker() { --*alive; }
};

Task<void> call_forever(Shard& target, std::atomic<int>* alive) {
  Tracker mine(alive);
  auto stuck = [tracker = Tracker(alive)]() -> Task<void> {
    auto& timers = Shard::current()->timers();
    co_await timers.sleep_until(MonoTime::max() - std::chrono::hours(1));
  };
  co_await submit_to(target, std::move(stuck));
}

// A manual clock never gets to the sleeper's deadline: the pool stops with both sides suspended.
TEST(Submit, PoolStoppedWithCallsUnderWay_DestroysCallerAndCalleeOnce) {
  std::atomic<int> alive = 0;
  {
    const ManualClock clock;
    MetricRegistry metrics;
    ShardPool pool({.shards = 2, .max_submits_in_flight = 2}, clock, metrics);
    pool.start();
    test::call_on_shard(pool, 0, [&] {
      for (int i = 0; i < 10; ++i) pool.at(0).start(call_forever(pool.at(1), &alive), "test");
    });
    pool.stop(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace tidegate
