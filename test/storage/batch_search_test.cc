#include "tidegate/storage/batch_search.h"

#include <limits>

#include <gtest/gtest.h>

#include "support/batches.h"

namespace tidegate::storage {
namespace {

constexpr OffsetRange kAll{.begin = 0, .end = std::numeric_limits<Offset>::max()};

protocol::RecordBatch placed(protocol::RecordBatch batch, Offset base) {
  batch.header.base_offset = base;
  batch.header.partition_leader_epoch = 5;
  return batch;
}

TEST(BatchSearch, FirstRecord_AtOrAfterTheTime) {
  const auto batch = placed(test::batch_at({100, 300, 200}, {.compression = protocol::Compression::lz4}), 40);
  const auto found = first_record_at_or_after(batch, 150, kAll);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->offset, 41);
  EXPECT_EQ((*found)->timestamp, 300);
  EXPECT_EQ((*found)->leader_epoch, 5);
  EXPECT_FALSE(*first_record_at_or_after(batch, 301, kAll));
}

TEST(BatchSearch, RecordsOutsideOfTheRange_ArePassedOver) {
  const auto batch = placed(test::batch_at({100, 300, 200, 400}), 40);
  EXPECT_EQ((*first_record_at_or_after(batch, 100, {.begin = 42, .end = 44}))->offset, 42);
  EXPECT_FALSE(*first_record_at_or_after(batch, 400, {.begin = 40, .end = 43}));
  EXPECT_FALSE(*first_record_at_or_after(batch, 0, {.begin = 44, .end = 50}));
  EXPECT_EQ((*latest_record(batch, {.begin = 40, .end = 43}))->offset, 41);
  EXPECT_EQ((*latest_record(batch, {.begin = 42, .end = 43}))->offset, 42);
  EXPECT_FALSE(*latest_record(batch, {.begin = 0, .end = 40}));
}

TEST(BatchSearch, LatestRecord_IsTheEarliestOfSeveral) {
  const auto batch = placed(test::batch_at({7, 9, 9, 8}), 0);
  EXPECT_EQ((*latest_record(batch, kAll))->offset, 1);
}

TEST(BatchSearch, WithoutTimestamps_ThereIsNoLatest) {
  EXPECT_FALSE(*latest_record(placed(test::batch_at({-1, -1}), 0), kAll));
}

TEST(BatchSearch, AppendTime_StandsForEveryRecord) {
  const auto batch = placed(protocol::stamp_append_time(test::batch_at({1, 2, 3}), 1000), 10);
  EXPECT_EQ((*first_record_at_or_after(batch, 999, kAll))->offset, 10);
  EXPECT_EQ((*first_record_at_or_after(batch, 999, {.begin = 12, .end = 20}))->offset, 12);
  EXPECT_EQ((*latest_record(batch, kAll))->timestamp, 1000);
}

TEST(BatchSearch, ExtremeTimestamps_DoNotOverflow) {
  auto batch = placed(test::batch_at({0, 1}), 0);
  // As a hostile client may send it: the sum of base and delta leaves 64 bits.
  batch.header.base_timestamp = std::numeric_limits<std::int64_t>::max();
  const auto found = first_record_at_or_after(batch, std::numeric_limits<std::int64_t>::max(), kAll);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->offset, 0);
  EXPECT_TRUE(latest_record(batch, kAll));
}

TEST(BatchSearch, DamagedRecords_AreAnError) {
  auto batch = test::batch_at({1, 2, 3}, {.compression = protocol::Compression::zstd});
  MutableBuffer damaged(batch.bytes.size());
  std::copy_n(batch.bytes.data(), batch.bytes.size(), damaged.data());
  for (std::size_t i = protocol::kBatchHeaderBytes; i < damaged.size(); ++i) damaged.data()[i] ^= 0x5a;
  batch.bytes = std::move(damaged).freeze();
  const auto first = first_record_at_or_after(batch, 1, kAll);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::corrupt_message);
  EXPECT_FALSE(latest_record(batch, kAll));
}

}  // namespace
}  // namespace tidegate::storage
