#include "rpc/breaker.h"

#include <gtest/gtest.h>

namespace tidegate::storage::seaweedmq {
namespace {

struct BreakerTest : ::testing::Test {
  ManualClock clock;
  Gauge open;
  Breaker breaker{clock, 1, open};
  void fail(int times) {
    for (int i = 0; i < times; ++i) breaker.failed();
  }
};

TEST_F(BreakerTest, FewFailures_LeaveItClosed) {
  fail(Breaker::kFailuresToOpen - 1);
  EXPECT_TRUE(breaker.allow());
  EXPECT_FALSE(breaker.is_open());
  EXPECT_EQ(open.value(), 0);
}

TEST_F(BreakerTest, SuccessInBetween_BeginsTheCountAgain) {
  fail(Breaker::kFailuresToOpen - 1);
  breaker.succeeded();
  fail(Breaker::kFailuresToOpen - 1);
  EXPECT_FALSE(breaker.is_open());
}

TEST_F(BreakerTest, FailuresInARow_OpenIt) {
  fail(Breaker::kFailuresToOpen);
  EXPECT_TRUE(breaker.is_open());
  EXPECT_FALSE(breaker.allow());
  EXPECT_EQ(open.value(), 1);
}

TEST_F(BreakerTest, AfterThePause_OneMayTry) {
  fail(Breaker::kFailuresToOpen);
  clock.advance(Breaker::kFirstPause);
  EXPECT_TRUE(breaker.allow());
  EXPECT_FALSE(breaker.allow());
  breaker.succeeded();
  EXPECT_TRUE(breaker.allow());
  EXPECT_TRUE(breaker.allow());
  EXPECT_EQ(open.value(), 0);
}

TEST_F(BreakerTest, PauseGrowsAndStaysBounded) {
  fail(Breaker::kFailuresToOpen);
  for (int i = 0; i < 20; ++i) {
    clock.advance(Breaker::kLongestPause);
    ASSERT_TRUE(breaker.allow()) << i;
    breaker.failed();
    ASSERT_FALSE(breaker.allow()) << i;
  }
  clock.advance(Breaker::kLongestPause / 2 - std::chrono::milliseconds(1));
  EXPECT_FALSE(breaker.allow());
}

TEST_F(BreakerTest, TrialThatNeverReports_DoesNotCloseTheDoorForever) {
  fail(Breaker::kFailuresToOpen);
  clock.advance(Breaker::kFirstPause);
  ASSERT_TRUE(breaker.allow());
  clock.advance(Breaker::kLongestPause);
  EXPECT_TRUE(breaker.allow());
}

TEST(SeaweedBreakerGauge, OpenBreakerThatGoes_IsNotCountedAnyMore) {
  ManualClock clock;
  Gauge open;
  {
    Breaker breaker(clock, 1, open);
    for (int i = 0; i < Breaker::kFailuresToOpen; ++i) breaker.failed();
    EXPECT_EQ(open.value(), 1);
  }
  EXPECT_EQ(open.value(), 0);
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
