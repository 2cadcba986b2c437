// What is counted as work for somebody, by a clock that stands still but for what the test calls work.
#include "tidegate/runtime/work_time.h"

#include <gtest/gtest.h>

#include <memory>

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

TEST_F(Work, CallToAnotherShard_CountsThereAndBack) {
  const auto step = [this](Duration time) { take(time); };
  bool ended = false;
  const auto calls = [&]() -> Task<void> {
    auto plain = [step] { step(1ms); };
    co_await submit_to(harness.shard(1), plain);
    auto task = [step]() -> Task<void> {
      step(2ms);
      co_return;
    };
    co_await submit_to(harness.shard(1), task);
    step(4ms);
    ended = true;
  };
  harness.call([&] {
    const WorkScope scope(work);
    harness.shard().start(calls(), "test");
  });
  while (!harness.call([&] { return ended; })) harness.settle(1);
  EXPECT_EQ(work->take(), 7ms);
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
}

}  // namespace
}  // namespace tidegate
