#include "segment.h"

#include <gtest/gtest.h>

#include "support/batches.h"

namespace tidegate::storage {
namespace {

protocol::RecordBatch first_slice_of(const std::vector<protocol::RecordBatch>& batches) {
  std::vector<SharedBuffer> parts;
  for (const auto& batch : batches) parts.push_back(batch.bytes);
  auto split = protocol::split_batches(test::joined(parts));
  EXPECT_TRUE(split);
  return split->batches.front();
}

TEST(StoreBatch, LargeBatch_SharesTheBytes) {
  const auto batch = test::sized_batch(100'000);
  const StoredBatch stored = store_batch(batch, {.base_offset = 7, .leader_epoch = 0});
  EXPECT_EQ(stored.bytes.data(), batch.bytes.data());
  EXPECT_EQ(stored.patched_head.size(), protocol::kBatchHeaderBytes);
  EXPECT_GE(stored.charged_bytes, batch.bytes.pinned_bytes());
  EXPECT_EQ(stored.header.base_offset, 7);
}

TEST(StoreBatch, SliceOfMoreThanAQuarter_PinsItsBufferAndPaysForIt) {
  const auto slice = first_slice_of({test::sized_batch(50'000, 1), test::sized_batch(100'000, 2)});
  const StoredBatch stored = store_batch(slice, {});
  EXPECT_EQ(stored.bytes.data(), slice.bytes.data());
  EXPECT_GE(stored.charged_bytes, 150'000U);
}

TEST(StoreBatch, SliceOfLessThanAQuarter_IsCopiedOut) {
  const auto slice = first_slice_of({test::sized_batch(20'000, 1), test::sized_batch(100'000, 2)});
  const StoredBatch stored = store_batch(slice, {});
  EXPECT_NE(stored.bytes.data(), slice.bytes.data());
  EXPECT_TRUE(stored.patched_head.empty());
  EXPECT_LT(stored.bytes.pinned_bytes(), 30'000U);
  EXPECT_LT(stored.charged_bytes, 30'000U);
}

TEST(StoreBatch, SmallBatch_IsOneCopy) {
  const auto batch = test::batch_of({"small"});
  const StoredBatch stored = store_batch(batch, {.base_offset = 9});
  EXPECT_NE(stored.bytes.data(), batch.bytes.data());
  EXPECT_TRUE(stored.patched_head.empty());
}

TEST(StoreBatch, Charge_IsWhatWasAnnounced) {
  for (const std::size_t size : {10U, 2000U, 100'000U}) {
    const auto batch = test::sized_batch(size);
    EXPECT_EQ(store_batch(batch, {}).charged_bytes, charge_of(batch));
    EXPECT_EQ(store_verbatim(batch).charged_bytes, charge_of(batch));
  }
}

class SegmentTest : public testing::Test {
 protected:
  // Batches of two records at 10, 12, 14, ...
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      const auto batch = test::numbered_batch("v", 0, 2);
      size_ = batch.bytes.size();
      segment_.append(store_batch(batch, {.base_offset = segment_.end()}), 1000 + i);
    }
  }
  Segment segment_{10, MonoTime{}};
  std::size_t size_ = 0;
};

TEST_F(SegmentTest, Find_GivesTheBatchThatEndsAbove) {
  fill(5);
  EXPECT_EQ(segment_.find(0), 0U);
  EXPECT_EQ(segment_.find(10), 0U);
  EXPECT_EQ(segment_.find(11), 0U);
  EXPECT_EQ(segment_.find(12), 1U);
  EXPECT_EQ(segment_.find(19), 4U);
  EXPECT_EQ(segment_.find(20), 5U);
}

TEST_F(SegmentTest, BytesBetween_CountsWholeBatchesBelowTheEnd) {
  fill(5);
  EXPECT_EQ(segment_.bytes_between(0, 100), 5 * size_);
  EXPECT_EQ(segment_.bytes_between(12, 16), 2 * size_);
  EXPECT_EQ(segment_.bytes_between(13, 17), 2 * size_) << "the one of 13 is read, the one over 17 is not";
  EXPECT_EQ(segment_.bytes_between(20, 100), 0U);
  EXPECT_EQ(segment_.bytes_between(12, 12), 0U);
  EXPECT_EQ(segment_.bytes_between(13, 13), 0U);
}

TEST_F(SegmentTest, Dropped_BatchesAreGoneWithTheirBytes) {
  fill(5);
  const std::size_t charged = segment_.charged_bytes();
  const std::size_t freed = segment_.drop_before(15);
  EXPECT_EQ(segment_.batches().size(), 3U) << "15 lies in the third";
  EXPECT_EQ(segment_.size_bytes(), 3 * size_);
  EXPECT_EQ(freed + segment_.charged_bytes(), charged);
  EXPECT_EQ(segment_.bytes_between(10, 100), 3 * size_);
  EXPECT_EQ(segment_.find(16), 1U);
  EXPECT_EQ(segment_.drop_before(15), 0U);
  EXPECT_GT(segment_.drop_before(20), 0U);
  EXPECT_TRUE(segment_.empty());
  EXPECT_EQ(segment_.size_bytes(), 0U);
  EXPECT_EQ(segment_.end(), 20);
}

TEST_F(SegmentTest, Replaced_KeepsItsEnds) {
  fill(5);
  segment_.drop_before(12);
  auto kept = test::numbered_batch("kept", 0, 1, {.base_offset = 15});
  std::vector<StoredBatch> stored;
  stored.push_back(store_verbatim(kept));
  const std::size_t charge = stored.front().charged_bytes;
  EXPECT_LT(charge, segment_.charged_bytes());
  segment_.replace(std::move(stored));
  EXPECT_EQ(segment_.charged_bytes(), charge);
  EXPECT_EQ(segment_.base(), 10);
  EXPECT_EQ(segment_.end(), 20);
  EXPECT_EQ(segment_.size_bytes(), kept.bytes.size());
  EXPECT_EQ(segment_.find(10), 0U);
  EXPECT_EQ(segment_.find(16), 1U);
}

}  // namespace
}  // namespace tidegate::storage
