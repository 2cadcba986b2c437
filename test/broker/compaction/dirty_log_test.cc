#include "compaction/dirty_log.h"

#include "memory_log_fixture.h"

namespace tidegate::broker {
namespace {

using test::kFirstTimestamp;

class DirtyLogTest : public test::MemoryLogFixture {
 protected:
  std::optional<DirtyLog> assess(Offset first_dirty, CompactionSettings settings = {},
                                 std::int64_t now_ms = kFirstTimestamp, Offset stable_end = 1'000'000) {
    auto assessed = harness_.run([&] { return assess_log(log_, first_dirty, stable_end, settings, now_ms); });
    EXPECT_TRUE(assessed);
    return assessed ? *assessed : std::nullopt;
  }
};

TEST_F(DirtyLogTest, OnlyClosedSegmentsAreDirty) {
  EXPECT_FALSE(assess(0));
  put("a");
  EXPECT_FALSE(assess(0));
  put_many(20, 5);
  const auto dirty = assess(0);
  ASSERT_TRUE(dirty);
  EXPECT_EQ(dirty->stretch.first_dirty, 0);
  EXPECT_EQ(dirty->stretch.end, sealed_end());
  EXPECT_LT(dirty->stretch.end, 21);
  EXPECT_DOUBLE_EQ(dirty->ratio, 1.0);
  EXPECT_FALSE(dirty->overdue);
}

TEST_F(DirtyLogTest, RatioIsOfWhatWasNotCleaned) {
  put_many(30, 5);
  const Offset end = sealed_end();
  const auto dirty = assess(end - end / 3);
  ASSERT_TRUE(dirty);
  EXPECT_NEAR(dirty->ratio, 1.0 / 3, 0.1);
  EXPECT_FALSE(dirty->due(0.5));
  EXPECT_TRUE(dirty->due(0.1));
  EXPECT_FALSE(assess(end)) << "nothing is dirty";
}

TEST_F(DirtyLogTest, StopsAtTheLastStableOffset) {
  put_many(30, 5);
  const auto dirty = assess(0, {}, kFirstTimestamp, sealed_end() - 1);
  ASSERT_TRUE(dirty);
  EXPECT_LT(dirty->stretch.end, sealed_end());
  EXPECT_FALSE(assess(0, {}, kFirstTimestamp, 1));
}

TEST_F(DirtyLogTest, YoungRecordsWaitForMinLag) {
  for (int i = 0; i < 10; ++i) put("old", kFirstTimestamp);
  for (int i = 0; i < 10; ++i) put("young", kFirstTimestamp + 5000);
  const auto dirty = assess(0, {.min_lag_ms = 1000}, kFirstTimestamp + 5500);
  ASSERT_TRUE(dirty);
  EXPECT_LE(dirty->stretch.end, 10);
  EXPECT_FALSE(assess(0, {.min_lag_ms = 10'000}, kFirstTimestamp + 5500));
  EXPECT_EQ(assess(0, {.min_lag_ms = 500}, kFirstTimestamp + 5500)->stretch.end, sealed_end());
}

TEST_F(DirtyLogTest, OldRecordsAreOverdueByMaxLag) {
  put_many(30, 5);
  const Offset first = sealed_end() - 3;
  EXPECT_FALSE(assess(first, {.max_lag_ms = 1000}, kFirstTimestamp + 1000)->overdue);
  const auto dirty = assess(first, {.max_lag_ms = 1000}, kFirstTimestamp + 1001);
  EXPECT_TRUE(dirty->overdue);
  EXPECT_TRUE(dirty->due(1.0));
}

TEST_F(DirtyLogTest, CheckpointsSurviveAndOnlyTheWholeCount) {
  auto keep = [this]() -> Task<std::optional<CleanerCheckpoint>> {
    auto before = co_await load_checkpoint(engine_->meta(), id_);
    EXPECT_TRUE(before && !*before);
    const CleanerCheckpoint written{.first_dirty = 42, .epoch = 3};
    EXPECT_TRUE(co_await store_checkpoint(engine_->meta(), id_, written));
    auto after = co_await load_checkpoint(engine_->meta(), id_);
    co_return after ? *after : std::nullopt;
  };
  const auto kept = harness_.run(keep);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->first_dirty, 42);
  EXPECT_EQ(kept->epoch, 3);
  for (const char* bad : {"", "1", "1 ", "1 4", "1 4 ", "1 4 3 ", "2 4 3", "1 -4 3", "1 x 3"}) {
    EXPECT_FALSE(CleanerCheckpoint::decode(bad)) << bad;
  }
}

TEST_F(DirtyLogTest, CheckpointOfAnotherLogBeginsAnew) {
  put_many(30, 5);
  const auto apply = [&](CleanerCheckpoint checkpoint) {
    return harness_.call([&] { return checkpoint.apply(*log_); });
  };
  EXPECT_EQ(apply({.first_dirty = 12, .epoch = 0}), 12);
  EXPECT_EQ(apply({.first_dirty = 31, .epoch = 0}), 0) << "above the log's end";
  EXPECT_EQ(apply({.first_dirty = 12, .epoch = -1}), 0) << "a later epoch began below it";
  harness_.run([&] { return log_->trim_before(20); });
  EXPECT_EQ(apply({.first_dirty = 12, .epoch = 0}), 20);
}

}  // namespace
}  // namespace tidegate::broker
