// What is counted as work for somebody, by a clock that stands still but for what the test calls work.
#include "tidegate/runtime/work_time.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "support/run_task.h"
#include "tidegate/runtime/event.h"

namespace tidegate {
namespace {

using namespace std::chrono_literals;

class Work : public ::testing::Test {
 protected:
  void take(Duration time) { harness.manual_clock().advance(time); }

  test::ShardHarness harness{2};
  std::shared_ptr<WorkTime> work = std::make_shared<WorkTime>();
};

TEST_F(Work, Scope_CountsItsTimeOnce) {
  harness.call([&] {
    {
      const WorkScope scope(work);
      take(5ms);
    }
    take(7ms);
  });
  EXPECT_EQ(work->take(), 5ms);
  EXPECT_EQ(work->take(), 0ms);
}

TEST_F(Work, InnerScope_IsNotTheOuterOnesTime) {
  const auto other = std::make_shared<WorkTime>();
  harness.call([&] {
    const WorkScope outer(work);
    take(1ms);
    {
      const WorkScope inner(other);
      take(10ms);
      const WorkScope nobody(nullptr);
      take(20ms);
    }
    take(2ms);
  });
  EXPECT_EQ(work->take(), 3ms);
  EXPECT_EQ(other->take(), 30ms);
}

TEST_F(Work, Settle_AddsWhatTheScopeHasTakenSoFar) {
  harness.call([&] {
    WorkScope::settle();  // nobody's
    const WorkScope scope(work);
    take(4ms);
    WorkScope::settle();
    EXPECT_EQ(work->take(), 4ms);
    take(1ms);
  });
  EXPECT_EQ(work->take(), 1ms);
  EXPECT_EQ(WorkScope::current_work(), nullptr);
}

Task<void> work_wait_work(Event* event, std::function<void(Duration)> take, bool* ended) {
  take(1ms);
  co_await event->wait();
  take(2ms);
  co_await event->wait();
  take(4ms);
  *ended = true;
}

TEST_F(Work, Coroutine_CountsAgainWhenItGoesOnAndNotWhileItWaits) {
  Event event;
  bool ended = false;
  const auto step = [this](Duration time) { take(time); };
  harness.call([&] {
    const WorkScope scope(work);
    harness.shard().start(work_wait_work(&event, step, &ended), "test");
  });
  EXPECT_EQ(work->take(), 1ms);
  take(100ms);
  harness.call([&] { event.notify_all(); });
  harness.settle();
  EXPECT_EQ(work->take(), 2ms);
  take(100ms);
  harness.call([&] { event.notify_all(); });
  harness.settle();
  EXPECT_EQ(work->take(), 4ms);
  EXPECT_TRUE(ended);
}

TEST_F(Work, OneThatIsWokenByAnother_CountsForItself) {
  Event event;
  bool ended = false;
  const auto step = [this](Duration time) { take(time); };
  const auto waker = std::make_shared<WorkTime>();
  harness.call([&] {
    const WorkScope scope(work);
    harness.shard().start(work_wait_work(&event, step, &ended), "test");
  });
  harness.call([&] {
    const WorkScope scope(waker);
    take(10ms);
    event.notify_all();
    take(20ms);
  });
  harness.settle();
  EXPECT_EQ(work->take(), 3ms);
  EXPECT_EQ(waker->take(), 30ms);
  harness.call([&] { event.notify_all(); });
  harness.settle();
  EXPECT_TRUE(ended);
}

// Whose time it is, rather than how much: both shards run at once for a moment, and read one clock.
TEST_F(Work, CallToAnotherShard_CountsThereAndBack) {
  std::vector<std::shared_ptr<WorkTime>> seen;
  std::atomic<bool> ended = false;
  const auto calls = [&]() -> Task<void> {
    auto plain = [] { return WorkScope::current_work(); };
    seen.push_back(co_await submit_to(harness.shard(1), plain));
    seen.push_back(WorkScope::current_work());
    auto task = [this]() -> Task<std::shared_ptr<WorkTime>> {
      // There and parked, and on after that.
      auto back = [] {};
      co_await submit_to(harness.shard(0), back);
      co_return WorkScope::current_work();
    };
    seen.push_back(co_await submit_to(harness.shard(1), task));
    seen.push_back(WorkScope::current_work());
    ended = true;
  };
  harness.call([&] {
    const WorkScope scope(work);
    harness.shard().start(calls(), "test");
  });
  while (!ended) harness.settle(1);
  EXPECT_EQ(seen, std::vector(4, work));
  const auto of_shard = [&](unsigned shard) {
    return harness.call([] { return WorkScope::current_work(); }, shard);
  };
  EXPECT_EQ(of_shard(0), nullptr);
  EXPECT_EQ(of_shard(1), nullptr);
}

TEST_F(Work, ParkedCoroutineOfAStoppedShard_IsLetGo) {
  auto event = std::make_unique<Event>();
  bool ended = false;
  const std::weak_ptr<WorkTime> seen = work;
  harness.call([&] {
    const WorkScope scope(work);
    harness.shard().start(work_wait_work(event.get(), [](Duration) {}, &ended), "test");
  });
  work.reset();
  EXPECT_FALSE(seen.expired());
  harness.call([&] { event.reset(); });
  harness.settle();
  EXPECT_TRUE(seen.expired());
  EXPECT_FALSE(ended);
  harness.pool().stop(1ms);  // it never ends: not worth a wait
}

}  // namespace
}  // namespace tidegate
