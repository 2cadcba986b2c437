// Rates over a window of samples, and the rates of many clients, by a clock that the test turns.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "quotas/client_rates.h"
#include "quotas/rate_window.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"

namespace tidegate::broker {
namespace {

using namespace std::chrono_literals;
using enum QuotaKind;

constexpr WindowShape kShape{};  // 11 samples of 1 s
const MonoTime kBegin{1000h};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

TEST(RateWindow, QuietClient_MayUseTenSecondsAtOnce) {
  RateWindow rate(kShape);
  rate.record(kShape, 1000, kBegin);
  EXPECT_EQ(rate.excess(kShape, 100, kBegin), 0s);
  rate.record(kShape, 1, kBegin);
  EXPECT_NEAR(seconds(rate.excess(kShape, 100, kBegin)), 0.01, 1e-9);
}

TEST(RateWindow, Excess_IsTheTimeAfterWhichTheRateIsTheBound) {
  // As in Kafka: X such that what was used, spread over the window and X, is the bound.
  RateWindow rate(kShape);
  rate.record(kShape, 3000, kBegin);
  EXPECT_NEAR(seconds(rate.excess(kShape, 100, kBegin)), 20, 1e-9);
  EXPECT_NEAR(seconds(rate.excess(kShape, 100, kBegin + 500ms)), 19.5, 1e-9);
  EXPECT_NEAR(seconds(rate.excess(kShape, 200, kBegin + 500ms)), 4.5, 1e-9);
}

TEST(RateWindow, SamplesAreForgottenWhenTheyAreTooOld) {
  RateWindow rate(kShape);
  rate.record(kShape, 500, kBegin);
  rate.record(kShape, 300, kBegin + 5s);
  EXPECT_EQ(rate.sum(kShape, kBegin + 10'999ms), 800);
  EXPECT_EQ(rate.sum(kShape, kBegin + 11s), 300);
  EXPECT_EQ(rate.sum(kShape, kBegin + 15'999ms), 300);
  EXPECT_EQ(rate.sum(kShape, kBegin + 16s), 0);
}

TEST(RateWindow, LongSilence_LeavesNothing) {
  RateWindow rate(kShape);
  EXPECT_TRUE(rate.is_idle(kShape, kBegin));
  rate.record(kShape, 1e9, kBegin);
  EXPECT_FALSE(rate.is_idle(kShape, kBegin + 10'999ms));
  EXPECT_TRUE(rate.is_idle(kShape, kBegin + 11s));
  rate.record(kShape, 7, kBegin + 1000h);
  EXPECT_EQ(rate.sum(kShape, kBegin + 1000h), 7);
}

TEST(RateWindow, TimeOfAnotherShardALittleBehind_CountsAsNow) {
  RateWindow rate(kShape);
  rate.record(kShape, 5, kBegin);
  rate.record(kShape, 6, kBegin - 10ms);
  EXPECT_EQ(rate.sum(kShape, kBegin - 20ms), 11);
  EXPECT_NEAR(seconds(rate.excess(kShape, 1, kBegin - 20ms)), 1, 1e-9);
}

TEST(RateWindow, TinyBound_GivesAWaitThatFitsADuration) {
  RateWindow rate(kShape);
  rate.record(kShape, 1e18, kBegin);
  EXPECT_NEAR(seconds(rate.excess(kShape, 1e-300, kBegin)), 1e9, 1);
}

// Whatever a client does that keeps to the waits, it gets its quota in the long run, and no more.
TEST(RateWindow, ClientThatKeepsToItsWaits_GetsItsQuota) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    RateWindow rate(kShape);
    constexpr double kBound = 100'000;
    MonoTime now = kBegin;
    double sent = 0;
    while (now < kBegin + 1000s) {
      const auto size = static_cast<double>(1 + rng.next() % 200'000);
      sent += size;
      rate.record(kShape, size, now);
      now = now + rate.excess(kShape, kBound, now) + std::chrono::microseconds(rng.next() % 3000);
    }
    const double achieved = sent / seconds(now - kBegin);
    EXPECT_GT(achieved, 0.9 * kBound);
    EXPECT_LT(achieved, 1.15 * kBound);
  }
}

class Rates : public ::testing::Test {
 protected:
  double kept() const { return static_cast<double>(gauge_.value()); }
  static FoundQuota quota(std::string_view user, std::string_view client_id = {}, double bound = 100) {
    return {.bound = bound, .user = user, .client_id = client_id};
  }

  Gauge gauge_;
  ClientRates rates_{kShape, 160, gauge_};
};

TEST_F(Rates, ClientsAndKinds_AreCountedApart) {
  EXPECT_NEAR(seconds(rates_.record(producer_byte_rate, quota("a", "b"), 1100, kBegin, 1h)), 1, 1e-9);
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("a", "c"), 1000, kBegin, 1h), 0s);
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("ab", ""), 1000, kBegin, 1h), 0s);
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("", "ab"), 1000, kBegin, 1h), 0s);
  EXPECT_EQ(rates_.record(consumer_byte_rate, quota("a", "b"), 1000, kBegin, 1h), 0s);
  EXPECT_NEAR(seconds(rates_.record(producer_byte_rate, quota("a", "b"), 100, kBegin, 1h)), 2, 1e-9);
  EXPECT_EQ(kept(), 5);
}

TEST_F(Rates, Wait_IsNoLongerThanTold) {
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("a"), 1e9, kBegin, 11s), 11s);
}

TEST_F(Rates, LongNames_AreToldApartByTheirEnds) {
  const std::string name(30'000, 'n');
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("", name + "1"), 1000, kBegin, 1h), 0s);
  EXPECT_EQ(rates_.record(producer_byte_rate, quota("", name + "2"), 1000, kBegin, 1h), 0s);
  EXPECT_GT(rates_.record(producer_byte_rate, quota("", name + "1"), 1, kBegin, 1h), 0s);
}

TEST_F(Rates, TryRecord_CountsNothingWhenItIsTooMuch) {
  EXPECT_EQ(rates_.try_record(consumer_byte_rate, quota("a"), 900, kBegin, 1h), 0s);
  EXPECT_NEAR(seconds(rates_.try_record(consumer_byte_rate, quota("a"), 200, kBegin, 1h)), 1, 1e-9);
  EXPECT_NEAR(seconds(rates_.try_record(consumer_byte_rate, quota("a"), 200, kBegin, 1h)), 1, 1e-9);
  EXPECT_EQ(rates_.try_record(consumer_byte_rate, quota("a"), 100, kBegin, 1h), 0s);
  // Who waits as told gets through.
  const Duration wait = rates_.try_record(consumer_byte_rate, quota("a"), 50, kBegin, 1h);
  EXPECT_GT(wait, 0s);
  EXPECT_EQ(rates_.try_record(consumer_byte_rate, quota("a"), 50, kBegin + wait, 1h), 0s);
}

TEST_F(Rates, TryRecordOfMoreThanAWindow_GoesThroughWhenNothingElseWas) {
  EXPECT_EQ(rates_.try_record(consumer_byte_rate, quota("a"), 5000, kBegin, 1h), 0s);
  EXPECT_NEAR(seconds(rates_.try_record(consumer_byte_rate, quota("a"), 0, kBegin, 1h)), 40, 1e-9);
  EXPECT_EQ(rates_.try_record(consumer_byte_rate, quota("a"), 5000, kBegin + 11s, 1h), 0s);
}

TEST_F(Rates, Add_CountsForLater) {
  rates_.add(consumer_byte_rate, quota("a"), 1200, kBegin);
  EXPECT_NEAR(seconds(rates_.try_record(consumer_byte_rate, quota("a"), 0, kBegin, 1h)), 2, 1e-9);
}

TEST_F(Rates, ManyClients_AreBoundedAndThoseBeyondShareARate) {
  for (int i = 0; i < 10'000; ++i) {
    rates_.record(producer_byte_rate, quota("", "client-" + std::to_string(i)), 1, kBegin, 1h);
  }
  EXPECT_EQ(kept(), 160);
  // The shared rates of the 16 stripes hold the others.
  Duration longest{0};
  for (int i = 20'000; i < 20'100; ++i) {
    const std::string client = "client-" + std::to_string(i);
    longest = std::max(longest, rates_.record(producer_byte_rate, quota("", client, 1), 1, kBegin, 1h));
  }
  EXPECT_GT(longest, 100s);
}

TEST_F(Rates, ShardsAtOnce_CountIntoOneRate) {
  constexpr int kShards = 4;
  constexpr int kTimes = 5000;
  std::vector<std::thread> shards;
  for (int shard = 0; shard < kShards; ++shard) {
    shards.emplace_back([&] {
      for (int i = 0; i < kTimes; ++i) {
        rates_.record(producer_byte_rate, quota("a"), 1, kBegin, 1h);
        rates_.try_record(consumer_byte_rate, quota("", "client-" + std::to_string(i % 300)), 1, kBegin, 1h);
      }
    });
  }
  for (auto& shard : shards) shard.join();
  // 20,000 at 100 a second are 200 seconds' worth.
  EXPECT_NEAR(seconds(rates_.record(producer_byte_rate, quota("a"), 0, kBegin, 1h)), 190, 1e-6);
}

TEST_F(Rates, QuietClients_MakeRoom) {
  for (int i = 0; i < 10'000; ++i) {
    rates_.record(producer_byte_rate, quota("", "client-" + std::to_string(i)), 1, kBegin, 1h);
  }
  const MonoTime later = kBegin + 11s;
  for (int i = 0; i < 1000; ++i) {
    rates_.record(producer_byte_rate, quota("", "other-" + std::to_string(i)), 1, later, 1h);
  }
  EXPECT_EQ(kept(), 160);
  // Those who have one of their own are charged with theirs alone.
  int alone = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string client = "other-" + std::to_string(i);
    if (rates_.record(producer_byte_rate, quota("", client, 0.3), 1, later, 1h) == 0s) ++alone;
  }
  EXPECT_EQ(alone, 160);
}

}  // namespace
}  // namespace tidegate::broker
