#include "timers.h"

#include <gtest/gtest.h>

#include <memory>

namespace tidegate::groups {
namespace {

constexpr MonoTime at(int seconds) { return {std::chrono::seconds(seconds)}; }

TEST(GroupTimers, FireInOrderOfTheirDeadlines) {
  TimerQueue queue;
  Timer first;
  Timer second;
  second.arm(queue, TimerKind::classic_join, {}, at(2));
  first.arm(queue, TimerKind::classic_session, "m", at(1));
  EXPECT_EQ(queue.next(), at(1));
  EXPECT_EQ(queue.pop_due(at(0)), nullptr);
  EXPECT_EQ(queue.pop_due(at(5)), &first);
  EXPECT_FALSE(first.armed());
  EXPECT_EQ(queue.pop_due(at(5)), &second);
  EXPECT_EQ(queue.pop_due(at(5)), nullptr);
}

TEST(GroupTimers, MovedLater_FiresAtItsNewDeadlineOnly) {
  TimerQueue queue;
  Timer timer;
  timer.arm(queue, TimerKind::classic_session, "m", at(1));
  timer.arm(queue, TimerKind::classic_session, "m", at(3));
  EXPECT_EQ(queue.next(), at(1));  // too early does no harm
  EXPECT_EQ(queue.pop_due(at(2)), nullptr);
  EXPECT_EQ(queue.next(), at(3));
  EXPECT_EQ(queue.pop_due(at(3)), &timer);
}

TEST(GroupTimers, MovedEarlier_IsSeenAtOnce) {
  TimerQueue queue;
  Timer timer;
  timer.arm(queue, TimerKind::classic_session, "m", at(5));
  timer.arm(queue, TimerKind::classic_session, "m", at(1));
  EXPECT_EQ(queue.next(), at(1));
  EXPECT_EQ(queue.pop_due(at(1)), &timer);
}

TEST(GroupTimers, GoWithTheirOwner) {
  TimerQueue queue;
  auto timer = std::make_unique<Timer>();
  timer->arm(queue, TimerKind::classic_session, "m", at(1));
  EXPECT_EQ(queue.size(), 1U);
  timer.reset();
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.pop_due(at(9)), nullptr);
}

}  // namespace
}  // namespace tidegate::groups
