// Timers by hand, over a manual clock: no shard, no thread.
#include "tidegate/runtime/timers.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/run_task.h"
#include "tidegate/base/rng.h"

namespace tidegate {
namespace {

using std::chrono::milliseconds;

struct TimersTest : ::testing::Test {
  ManualClock clock;
  std::vector<MonoTime> told;
  Timers timers{clock, [this](MonoTime at) { told.push_back(at); }};
  MonoTime in(int ms) const { return clock.now() + milliseconds(ms); }
};

TEST_F(TimersTest, Due_FireInOrderOfDeadlineThenOfArming) {
  std::vector<int> fired;
  timers.arm(in(20), [&] { fired.push_back(20); });
  timers.arm(in(10), [&] { fired.push_back(10); });
  timers.arm(in(10), [&] { fired.push_back(11); });
  timers.arm(in(30), [&] { fired.push_back(30); });
  EXPECT_EQ(timers.run_due(), 0u);
  clock.advance(milliseconds(20));
  EXPECT_EQ(timers.run_due(), 3u);
  EXPECT_EQ(fired, (std::vector{10, 11, 20}));
  EXPECT_EQ(timers.armed(), 1u);
}

TEST_F(TimersTest, Cancel_DestroysTheCallbackAtOnceAndOnlyOnce) {
  auto held = std::make_shared<int>(1);
  const TimerId id = timers.arm(in(10), [held] {});
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_TRUE(timers.cancel(id));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(timers.cancel(id));
  EXPECT_FALSE(timers.cancel(kNoTimer));
}

TEST_F(TimersTest, Cancel_OfAnOldIdDoesNotTouchTheNextUserOfItsPlace) {
  const TimerId old = timers.arm(in(10), [] {});
  clock.advance(milliseconds(10));
  timers.run_due();
  bool fired = false;
  timers.arm(in(10), [&] { fired = true; });
  EXPECT_FALSE(timers.cancel(old));
  clock.advance(milliseconds(10));
  timers.run_due();
  EXPECT_TRUE(fired);
}

TEST_F(TimersTest, WakeAt_IsToldTheEarliestDeadlineWhenItChanges) {
  const TimerId first = timers.arm(in(10), [] {});
  timers.arm(in(20), [] {});
  timers.cancel(first);
  clock.advance(milliseconds(20));
  timers.run_due();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0].since_start, milliseconds(10));
  EXPECT_EQ(told[1].since_start, milliseconds(20));
  EXPECT_EQ(told[2], MonoTime::max());
}

TEST_F(TimersTest, Callback_MayArmAndCancelOthersAndAReArmWaitsForTheNextRound) {
  int fired = 0;
  TimerId other = timers.arm(in(10) + Duration(1), [&] { fired += 100; });
  timers.arm(in(10), [&] {
    ++fired;
    EXPECT_TRUE(timers.cancel(other));
    timers.arm(clock.now(), [&] { fired += 10; });
  });
  clock.advance(milliseconds(11));
  EXPECT_EQ(timers.run_due(), 1u);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(timers.run_due(), 1u);
  EXPECT_EQ(fired, 11);
}

TEST_F(TimersTest, Close_DropsCallbacksAndTakesNoMore) {
  auto held = std::make_shared<int>(1);
  const TimerId id = timers.arm(in(10), [held] {});
  timers.close();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(timers.arm(in(10), [held] {}), kNoTimer);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(timers.cancel(id));
}

TEST_F(TimersTest, RandomWalk_FiresExactlyWhatWasArmedAndNotCancelled) {
  SeededRng rng(7);
  std::map<TimerId, MonoTime> expected;
  int wrong = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto choice = rng.below(10);
    if (choice < 5) {
      auto id = std::make_shared<TimerId>(0);
      *id = timers.arm(in(static_cast<int>(rng.below(50))), [&, id] {
        const auto at = expected.find(*id);
        if (at == expected.end() || at->second > clock.now()) ++wrong;
        if (at != expected.end()) expected.erase(at);
      });
      expected[*id] = MonoTime{};
    } else if (choice < 8 && !expected.empty()) {
      auto at = std::next(expected.begin(), static_cast<std::ptrdiff_t>(rng.below(expected.size())));
      if (!timers.cancel(at->first)) ++wrong;
      expected.erase(at);
    } else {
      clock.advance(milliseconds(rng.below(10)));
      timers.run_due();
    }
    ASSERT_EQ(timers.armed(), expected.size());
  }
  EXPECT_EQ(wrong, 0);
}

TEST(ShardTimers, SleepUntil_ResumesWhenTheManualClockGetsThere) {
  test::ShardHarness harness;
  bool woke = false;
  auto sleeper = [&]() -> Task<void> {
    auto& timers = Shard::current()->timers();
    co_await timers.sleep_until(timers.clock().now() + milliseconds(100));
    woke = true;
  };
  harness.call([&] { Shard::current()->start(sleeper(), "test"); });
  harness.advance(milliseconds(99));
  EXPECT_FALSE(harness.call([&] { return woke; }));
  harness.advance(milliseconds(1));
  EXPECT_TRUE(harness.call([&] { return woke; }));
}

TEST(ShardTimers, RealClock_AnEarlierDeadlineArmedLaterStillFiresFirst) {
  test::ShardHarness harness(1, test::RealClock{});
  std::vector<int> order;
  auto both = [&]() -> Task<void> {
    auto& timers = Shard::current()->timers();
    const MonoTime now = timers.clock().now();
    timers.arm(now + milliseconds(20), [&] { order.push_back(2); });
    timers.arm(now + milliseconds(5), [&] { order.push_back(1); });
    co_await timers.sleep_until(now + milliseconds(25));
  };
  harness.run(both);
  EXPECT_EQ(order, (std::vector{1, 2}));
}

}  // namespace
}  // namespace tidegate
