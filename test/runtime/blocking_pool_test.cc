#include "tidegate/runtime/blocking_pool.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "support/run_task.h"

namespace tidegate {
namespace {

BlockingPoolOptions one_thread_each(std::size_t queue_limit = 4096) {
  return {.threads = {1, 1, 1, 1, 1, 1}, .queue_limit = queue_limit};
}

TEST(BlockingPool, Run_WorksOnALaneThreadAndResumesOnTheShard) {
  test::ShardHarness harness;
  BlockingPool blocking(one_thread_each(), harness.metrics());
  const bool ok = harness.run([&]() -> Task<bool> {
    auto work = [] { return std::make_unique<bool>(Shard::current() == nullptr); };
    const auto away = co_await blocking.run(Lane::disk_read, work);
    auto nothing = [] {};
    co_await blocking.run(Lane::cpu, nothing);
    co_return *away&& Shard::current() == &harness.shard();
  });
  EXPECT_TRUE(ok);
}

TEST(BlockingPool, TryPost_RefusesWhenTheQueueIsFullAndRunStillGetsThrough) {
  test::ShardHarness harness;
  std::latch started(1);
  std::latch release(1);
  bool ran = false;
  BlockingPool blocking(one_thread_each(2), harness.metrics());
  ASSERT_TRUE(blocking.try_post(Lane::http, [&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  EXPECT_TRUE(blocking.try_post(Lane::http, [] {}));
  EXPECT_TRUE(blocking.try_post(Lane::http, [] {}));
  EXPECT_EQ(blocking.queued(Lane::http), 2u);
  EXPECT_FALSE(blocking.try_post(Lane::http, [&] { ran = true; }));
  int value = 0;
  auto waits = [&]() -> Task<void> {
    auto work = [] { return 5; };
    value = co_await blocking.run(Lane::http, work);
  };
  harness.call([&] { harness.shard().start(waits(), "test"); });
  EXPECT_EQ(blocking.queued(Lane::http), 3u);
  EXPECT_EQ(harness.call([&] { return value; }), 0);  // the shard itself is not held up
  release.count_down();
  harness.stop();
  EXPECT_EQ(value, 5);
  EXPECT_FALSE(ran);
}

TEST(BlockingPool, HungLane_DoesNotDelayAnother) {
  test::ShardHarness harness;
  std::latch release(1);
  BlockingPool blocking(one_thread_each(), harness.metrics());
  blocking.post(Lane::log_sync, [&] { release.wait(); });
  const int value = harness.run([&]() -> Task<int> {
    auto work = [] { return 7; };
    co_return co_await blocking.run(Lane::metadata, work);
  });
  EXPECT_EQ(value, 7);
  release.count_down();
}

TEST(BlockingPool, Lane_UsesUpToItsThreadsAtOnce) {
  MetricRegistry metrics;
  std::latch together(3);  // each job waits for the two others
  BlockingPool blocking({.threads = {1, 3, 1, 1, 1, 1}}, metrics);
  for (int i = 0; i < 3; ++i) blocking.post(Lane::log_sync, [&] { together.arrive_and_wait(); });
  together.wait();
}

TEST(BlockingPool, Destructor_FinishesWhatIsQueued) {
  MetricRegistry metrics;
  std::atomic<int> ran = 0;
  {
    BlockingPool blocking(one_thread_each(), metrics);
    for (int i = 0; i < 500; ++i) blocking.post(Lane::cpu, [&] { ++ran; });
  }
  EXPECT_EQ(ran, 500);
}

TEST(BlockingPool, ReplyToAStoppedShard_IsDropped) {
  MetricRegistry metrics;
  const SystemClock clock;
  std::latch started(1);
  std::latch release(1);
  ShardPool pool({.shards = 1}, clock, metrics);
  {
    BlockingPool blocking(one_thread_each(), metrics);
    pool.start();
    auto waits = [&]() -> Task<void> {
      auto work = [&] {
        started.count_down();
        release.wait();
      };
      co_await blocking.run(Lane::cpu, work);
    };
    pool.at(0).spawn(waits(), "test");
    started.wait();
    pool.stop(std::chrono::milliseconds(1));
    release.count_down();
  }
  EXPECT_EQ(pool.at(0).live_tasks(), 1u);  // destroyed with the pool, not resumed
}

}  // namespace
}  // namespace tidegate
