#include "tidegate/runtime/shard.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/captured_log.h"
#include "support/run_task.h"
#include "tidegate/runtime/event.h"

namespace tidegate {
namespace {

TEST(Shard, Current_IsTheShardOfTheThreadAndNullElsewhere) {
  test::ShardHarness harness(2);
  EXPECT_EQ(Shard::current(), nullptr);
  EXPECT_TRUE(harness.call([&] { return harness.shard(1).is_current(); }, 1));
  EXPECT_FALSE(harness.call([&] { return harness.shard(0).is_current(); }, 1));
}

TEST(Shard, Threads_AreNamedAndHaveAMetricSlotEach) {
  test::ShardHarness harness(2);
  const auto name = harness.call(
      [] {
        char text[16] = {};
        pthread_getname_np(pthread_self(), text, sizeof text);
        return std::string(text);
      },
      1);
  EXPECT_EQ(name, "tg-shard-1");
  EXPECT_EQ(harness.call([] { return metric_slot(); }, 1), 1u);
}

TEST(Shard, Post_KeepsTheOrderOfEachPostingThread) {
  test::ShardHarness harness;
  std::vector<int> seen;
  auto post_many = [&](int base) {
    for (int i = 0; i < 5'000; ++i) harness.shard().post([&seen, base, i] { seen.push_back(base + i); });
  };
  std::thread first(post_many, 0);
  std::thread second(post_many, 10'000);
  first.join();
  second.join();
  harness.settle(1);
  ASSERT_EQ(seen.size(), 10'000u);
  int next[2] = {0, 10'000};
  for (const int value : seen) ASSERT_EQ(value, next[value / 10'000]++);
}

TEST(Shard, Start_RunsToTheFirstSuspensionAndSpawnRunsLater) {
  test::ShardHarness harness;
  Event event;
  std::vector<int> order;
  auto task = [&](int first) -> Task<void> {
    order.push_back(first);
    co_await event.wait();
    order.push_back(first + 1);
  };
  harness.call([&] {
    harness.shard().spawn(task(30), "test");
    for (int round = 0; round < 2; ++round) {  // a fresh stack, then a kept one
      harness.shard().start(task(10), "test");
      order.push_back(20);
      event.notify_all();
    }
  });
  harness.settle();
  harness.call([&] { event.notify_all(); });
  harness.settle();
  EXPECT_EQ(order, (std::vector{10, 20, 10, 20, 30, 11, 11, 31}));
  EXPECT_EQ(harness.shard().live_tasks(), 0u);
}

TEST(Shard, LiveTasks_CountsUntilTheEndAndStopWaitsForThem) {
  auto harness = std::make_unique<test::ShardHarness>(1, test::RealClock{});
  bool ended = false;
  auto task = [&]() -> Task<void> {
    auto& timers = Shard::current()->timers();
    co_await timers.sleep_until(timers.clock().now() + std::chrono::milliseconds(30));
    ended = true;
  };
  harness->shard().spawn(task(), "test");
  EXPECT_EQ(harness->shard().live_tasks(), 1u);
  harness->stop();
  EXPECT_TRUE(ended);
  EXPECT_EQ(harness->shard().live_tasks(), 0u);
}

// Each task starts the next one on another shard and ends: there is one at any time, and never for long
// where one looks.
Task<void> hop(ShardPool& pool, int hops, std::atomic<bool>& arrived) {
  if (hops == 0) {
    arrived = true;
    co_return;
  }
  Shard& next = pool.at((Shard::current()->index() + 1) % pool.size());
  next.spawn(hop(pool, hops - 1, arrived), "hop");
}

TEST(ShardPool, LiveTasks_NeverMissesOneThatHopsBetweenShards) {
  std::atomic<bool> arrived = false;
  test::ShardHarness harness(3);
  harness.shard(0).spawn(hop(harness.pool(), 30'000, arrived), "hop");
  while (harness.pool().live_tasks() > 0) {
  }
  EXPECT_TRUE(arrived);
}

TEST(ShardPool, Stop_WaitsForATaskThatHopsBetweenShards) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> arrived = false;
    auto harness = std::make_unique<test::ShardHarness>(3, test::RealClock{});
    harness->shard(0).spawn(hop(harness->pool(), 500, arrived), "hop");
    harness->stop();
    ASSERT_TRUE(arrived) << round;
  }
}

TEST(Shard, ThousandsOfTasksAtOnce_AllRunAndAllEnd) {
  test::ShardHarness harness;
  Event event;
  int ended = 0;
  auto task = [&]() -> Task<void> {
    co_await event.wait();
    ++ended;
  };
  for (int round = 0; round < 3; ++round) {
    harness.call([&] {
      for (int i = 0; i < 3'000; ++i) harness.shard().start(task(), "test");
    });
    harness.call([&] { event.notify_all(); });
    harness.settle();
  }
  EXPECT_EQ(harness.call([&] { return ended; }), 9'000);
  EXPECT_EQ(harness.shard().live_tasks(), 0u);
}

TEST(ShardDeathTest, ExceptionThatEscapesATask_EndsTheProcessWithItsName) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test::ShardHarness harness;
        auto task = []() -> Task<void> {
          throw std::runtime_error("boom");
          co_return;
        };
        harness.shard().spawn(task(), "the culprit");
        harness.settle();
      },
      "");
}

TEST(Shard, Stall_IsCountedWhenAHandlerHoldsTheShard) {
  const SystemClock clock;
  MetricRegistry metrics;
  ShardPool pool({.shards = 1, .stall_warning = std::chrono::milliseconds(5)}, clock, metrics);
  auto& stalls = metrics.counter("tidegate_runtime_shard_stalls_total",
                                 "Times that one handler held a shard longer than the warning limit.");
  pool.start();
  test::call_on_shard(pool, 0, [&] {
    const RunningLabel label("a slow handler");
    EXPECT_STREQ(Shard::current()->label(), "a slow handler");
    const MonoTime give_up = clock.now() + test::kHangLimit;
    while (stalls.value() == 0 && clock.now() < give_up) {
    }
  });
  EXPECT_EQ(stalls.value(), 1u);
  EXPECT_EQ(pool.at(0).label(), nullptr);
}

TEST(Shard, StallsInARow_AreAllCountedButNotAllLogged) {
  constexpr std::uint64_t kStalls = 10;
  const test::CapturedLog log;
  {
    const SystemClock clock;
    MetricRegistry metrics;
    ShardPool pool({.shards = 1, .stall_warning = std::chrono::milliseconds(2)}, clock, metrics);
    auto& stalls = metrics.counter("tidegate_runtime_shard_stalls_total",
                                   "Times that one handler held a shard longer than the warning limit.");
    pool.start();
    for (std::uint64_t i = 0; i < kStalls; ++i) {
      const std::uint64_t so_far = stalls.value();
      test::call_on_shard(pool, 0, [&] {
        const MonoTime give_up = clock.now() + test::kHangLimit;
        while (stalls.value() == so_far && clock.now() < give_up) {
        }
      });
    }
    EXPECT_GE(stalls.value(), kStalls);
  }
  EXPECT_GE(log.count("held up"), 1U);
  EXPECT_LT(log.count("held up"), kStalls);
}

}  // namespace
}  // namespace tidegate
