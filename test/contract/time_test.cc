// Offsets by time: exact to the record, also inside compressed and append-time batches.
#include "contract_test.h"

namespace tidegate::test {
namespace {

using protocol::Compression;
using protocol::TimestampType;

class TimeContract : public ContractTest {
 protected:
  void expect_found(const Result<storage::TimestampedOffset>& found, Offset offset, std::int64_t timestamp) {
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->offset, offset);
    EXPECT_EQ(found->timestamp, timestamp);
    EXPECT_EQ(found->leader_epoch, offset < 0 ? kNoEpoch : 0);
  }
};
TIDEGATE_CONTRACT_SUITE(TimeContract);

TEST_P(TimeContract, OffsetForTime_IsExactToTheRecord) {
  for (const auto codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    auto log = new_log();
    log.must_append(batch_at({100, 110, 120}, {.compression = codec}));
    log.must_append(batch_at({130, 140, 150}, {.compression = codec}));
    expect_found(log.offset_for_time(0), 0, 100);
    expect_found(log.offset_for_time(100), 0, 100);
    expect_found(log.offset_for_time(101), 1, 110);
    expect_found(log.offset_for_time(110), 1, 110);
    expect_found(log.offset_for_time(121), 3, 130);
    expect_found(log.offset_for_time(145), 5, 150);
    expect_found(log.offset_for_time(150), 5, 150);
    expect_found(log.offset_for_time(151), -1, -1);
  }
}

TEST_P(TimeContract, TimesOutOfOrder_GiveTheFirstOffsetNotTheFirstTime) {
  auto log = new_log();
  log.must_append(batch_at({500, 100, 300}));
  log.must_append(batch_at({200, 600, 400}));
  expect_found(log.offset_for_time(200), 0, 500);
  expect_found(log.offset_for_time(501), 4, 600);
  expect_found(log.max_timestamp(), 4, 600);
}

TEST_P(TimeContract, AppendTime_CountsForEveryRecordOfTheBatch) {
  auto log = new_log();
  log.must_append(protocol::stamp_append_time(batch_at({1, 2, 3}), 1000));
  log.must_append(protocol::stamp_append_time(batch_at({9, 8, 7}, {.compression = Compression::zstd}), 2000));
  expect_found(log.offset_for_time(2), 0, 1000);
  expect_found(log.offset_for_time(1001), 3, 2000);
  expect_found(log.offset_for_time(2000), 3, 2000);
  expect_found(log.offset_for_time(2001), -1, -1);
  expect_found(log.max_timestamp(), 3, 2000);
}

TEST_P(TimeContract, End_BoundsTheSearch) {
  auto log = new_log();
  log.must_append(batch_at({100, 110, 120}));
  log.must_append(batch_at({130, 140, 150}));
  expect_found(log.offset_for_time(125, 3), -1, -1);
  expect_found(log.offset_for_time(125, 4), 3, 130);
  expect_found(log.offset_for_time(135, 4), -1, -1);
  expect_found(log.max_timestamp(3), 2, 120);
  expect_found(log.max_timestamp(5), 4, 140);
  expect_found(log.max_timestamp(0), -1, -1);
}

TEST_P(TimeContract, LogStart_BoundsTheSearch) {
  auto log = new_log(small_segments());
  log.must_append(batch_at({900, 110, 120}));
  log.must_append(batch_at({130, 140, 150}));
  ASSERT_TRUE(log.trim_before(1));
  expect_found(log.offset_for_time(0), 1, 110);
  expect_found(log.offset_for_time(151), -1, -1);
  expect_found(log.max_timestamp(), 5, 150);
  ASSERT_TRUE(log.trim_before(5));
  expect_found(log.offset_for_time(100), 5, 150);
  ASSERT_TRUE(log.trim_before(6));
  expect_found(log.offset_for_time(0), -1, -1);
  expect_found(log.max_timestamp(), -1, -1);
}

TEST_P(TimeContract, MaxTimestamp_IsTheEarliestOfTheLargest) {
  auto log = new_log();
  expect_found(log.max_timestamp(), -1, -1);
  log.must_append(batch_at({10, 70, 70, 20}));
  log.must_append(batch_at({70, 60}));
  expect_found(log.max_timestamp(), 1, 70);
  log.must_append(batch_at({71}));
  expect_found(log.max_timestamp(), 6, 71);
}

TEST_P(TimeContract, ManySegments_AreSearchedThrough) {
  auto log = new_log(small_segments(2048));
  std::int64_t time = 1000;
  for (int i = 0; i < 100; ++i, time += 30) {
    log.must_append(batch_at({time, time + 10, time + 20},
                             {.compression = i % 2 ? Compression::lz4 : Compression::none}));
  }
  for (Offset offset = 0; offset < 300; offset += 7) {
    const std::int64_t at = 1000 + 10 * offset;
    expect_found(log.offset_for_time(at), offset, at);
    expect_found(log.offset_for_time(at - 9), offset, at);
  }
  expect_found(log.max_timestamp(), 299, 1000 + 2990);
}

TEST_P(TimeContract, EmptyLog_HasNoTimes) {
  auto log = new_log();
  expect_found(log.offset_for_time(0), -1, -1);
  expect_found(log.max_timestamp(), -1, -1);
}

}  // namespace
}  // namespace tidegate::test
