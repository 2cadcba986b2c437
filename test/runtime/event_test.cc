#include "tidegate/runtime/event.h"

#include <gtest/gtest.h>

#include "support/run_task.h"

namespace tidegate {
namespace {

using std::chrono::milliseconds;

struct EventTest : ::testing::Test {
  test::ShardHarness harness;
  Event event;
  int woken = 0;
  int late = 0;
  Task<void> wait() {
    co_await event.wait();
    ++woken;
  }
  Task<void> wait_for(Duration limit) {
    auto& timers = Shard::current()->timers();
    const bool notified = co_await event.wait_until(timers, timers.clock().now() + limit);
    ++(notified ? woken : late);
  }
  int woken_now() {
    harness.settle();
    return harness.call([this] { return woken; });
  }
};

TEST_F(EventTest, NotifyAll_WakesEveryWaiterButNotInsideTheCall) {
  const int inside = harness.call([&] {
    for (int i = 0; i < 3; ++i) harness.shard().start(wait(), "test");
    event.notify_all();
    return woken;
  });
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(woken_now(), 3);
}

TEST_F(EventTest, Wait_AfterNotifyWaitsForTheNextOne) {
  harness.call([&] {
    event.notify_all();
    harness.shard().start(wait(), "test");
  });
  EXPECT_EQ(woken_now(), 0);
  harness.call([&] { event.notify_all(); });
  EXPECT_EQ(woken_now(), 1);
}

TEST_F(EventTest, WaitUntil_TellsNotifiedFromLate) {
  harness.call([&] { harness.shard().start(wait_for(milliseconds(10)), "test"); });
  harness.advance(milliseconds(10));
  EXPECT_EQ(woken_now(), 0);
  EXPECT_EQ(harness.call([&] { return late; }), 1);
  EXPECT_EQ(harness.call([&] { return event.waiters(); }), 0u);

  harness.call([&] { harness.shard().start(wait_for(milliseconds(10)), "test"); });
  harness.call([&] { event.notify_all(); });
  EXPECT_EQ(woken_now(), 1);
  EXPECT_EQ(harness.call([&] { return harness.shard().timers().armed(); }), 0u);
}

TEST_F(EventTest, WaitUntil_NotifiedAndDueInTheSameTurnCountsAsNotifiedOnce) {
  harness.call([&] { harness.shard().start(wait_for(milliseconds(10)), "test"); });
  harness.call([&] {
    event.notify_all();
    harness.manual_clock().advance(milliseconds(10));
    harness.shard().timers().run_due();
  });
  EXPECT_EQ(woken_now(), 1);
  EXPECT_EQ(harness.call([&] { return late; }), 0);
}

}  // namespace
}  // namespace tidegate
