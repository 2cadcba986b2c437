#include "compaction/partition_cleaner.h"

#include "memory_log_fixture.h"

namespace tidegate::broker {
namespace {

class PartitionCleanerTest : public test::MemoryLogFixture {
 protected:
  PartitionCleanerTest() : throttle_(harness_.clock(), 1e15) {}

  Result<CleaningReport> clean(DirtyStretch stretch, std::size_t map_bytes = 100'000) {
    return clean(stretch, map_bytes, throttle_);
  }
  Result<CleaningReport> clean(DirtyStretch stretch, std::size_t map_bytes, IoThrottle& throttle) {
    const CleaningMeans means{.blocking = pool_,
                              .throttle = throttle,
                              .map_bytes = map_bytes,
                              .map_load = 0.9,
                              .secret = {.first = 1, .second = 2},
                              .read_bytes = 300};
    const SieveRules rules{.now_ms = test::kFirstTimestamp, .delete_retention_ms = 0};
    return harness_.run([&] { return clean_partition(log_, stretch, rules, means); });
  }

  IoThrottle throttle_;
};

TEST_F(PartitionCleanerTest, OnePassLeavesTheLastOfEachKey) {
  put_many(60, 5);
  const Offset end = sealed_end();
  const auto report = clean({.first_dirty = 0, .end = end});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->cleaned_to, end);
  EXPECT_EQ(report->records.records_kept, 5U);
  EXPECT_EQ(report->records.records_dropped, static_cast<std::uint64_t>(end - 5));
  EXPECT_GT(report->bytes_read, report->bytes_written);
  std::vector<Offset> expected;
  for (Offset offset = end - 5; offset < 60; ++offset) expected.push_back(offset);
  EXPECT_EQ(offsets_left(), expected);
}

TEST_F(PartitionCleanerTest, SmallMapTakesSeveralPassesToTheSameEnd) {
  put_many(60, 20);
  const Offset end = sealed_end();
  DirtyStretch stretch{.first_dirty = 0, .end = end};
  int passes = 0;
  for (; stretch.first_dirty < end && passes < 100; ++passes) {
    const auto report = clean(stretch, 8 * KeyOffsets::kSlotBytes);
    ASSERT_TRUE(report);
    ASSERT_GT(report->cleaned_to, stretch.first_dirty) << "each pass gets further";
    stretch.first_dirty = report->cleaned_to;
  }
  EXPECT_GT(passes, 3);
  std::vector<Offset> expected;
  for (Offset offset = end - 20; offset < 60; ++offset) expected.push_back(offset);
  EXPECT_EQ(offsets_left(), expected);
}

TEST_F(PartitionCleanerTest, TombstonesGoOnceTheyMay) {
  put("a");
  put("b");
  put("a", test::kFirstTimestamp, true);
  put_many(20, 4);
  const Offset end = sealed_end();
  ASSERT_TRUE(clean({.first_dirty = 0, .end = end}));
  const auto left = offsets_left();
  EXPECT_EQ(left.at(0), 1);
  EXPECT_EQ(left.at(1), 2) << "the tombstone's horizon is set now";
  // With a retention of 0 the horizon has come; it need not be dirty any more.
  put_many(20, 4);
  ASSERT_TRUE(clean({.first_dirty = end, .end = sealed_end()}));
  EXPECT_EQ(offsets_left().at(0), 1);
  EXPECT_GT(offsets_left().at(1), 2);
}

TEST_F(PartitionCleanerTest, StoppedThrottle_ChangesNothing) {
  put_many(60, 5);
  IoThrottle stopped(harness_.clock(), 1e15);
  stopped.stop();
  const auto report = clean({.first_dirty = 0, .end = sealed_end()}, 100'000, stopped);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::request_timed_out);
  EXPECT_EQ(offsets_left().size(), 60U);
}

TEST_F(PartitionCleanerTest, WithoutAPlaceToStart_SaysWhatTheLogSays) {
  put_many(60, 5);
  harness_.run([&] { return log_->trim_before(30); });
  const auto report = clean({.first_dirty = 0, .end = sealed_end()});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::offset_out_of_range);
}

TEST(IoThrottle, BooksTheTimeThatBytesTake) {
  ManualClock clock;
  IoThrottle throttle(clock, 1000);
  EXPECT_EQ(throttle.book(500), clock.now() + std::chrono::milliseconds(500));
  EXPECT_EQ(throttle.book(1000), clock.now() + std::chrono::milliseconds(1500));
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(throttle.book(100), clock.now() + std::chrono::milliseconds(100))
      << "an idle time is not saved up";
  // An absurd rate does not overflow the clock.
  EXPECT_LT(IoThrottle(clock, 1e-300).book(1'000'000), MonoTime::max());
}

}  // namespace
}  // namespace tidegate::broker
