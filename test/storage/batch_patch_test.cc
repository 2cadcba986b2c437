#include "tidegate/storage/batch_patch.h"

#include <gtest/gtest.h>

#include "support/batches.h"

namespace tidegate::storage {
namespace {

constexpr BatchPosition kPosition{.base_offset = 0x0102030405060708, .leader_epoch = 0x0a0b0c0d};

TEST(BatchPatch, WholeCopy_DiffersInTheTwoFieldsOnly) {
  const auto batch = test::numbered_batch("v", 0, 10, {.compression = protocol::Compression::zstd});
  const SharedBuffer patched = patched_copy(batch.bytes, kPosition);
  const auto header = protocol::parse_batch_header(patched);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, kPosition.base_offset);
  EXPECT_EQ(header->partition_leader_epoch, kPosition.leader_epoch);
  EXPECT_TRUE(protocol::batch_crc_is_valid(patched, *header));
  EXPECT_TRUE(std::ranges::equal(patched.bytes().subspan(8, 4), batch.bytes.bytes().subspan(8, 4)));
  EXPECT_TRUE(std::ranges::equal(patched.bytes().subspan(16), batch.bytes.bytes().subspan(16)));
  EXPECT_EQ(patched.bytes()[0], 0x01);
  EXPECT_EQ(patched.bytes()[7], 0x08);
  EXPECT_EQ(patched.bytes()[12], 0x0a);
  EXPECT_EQ(patched.bytes()[15], 0x0d);
}

TEST(BatchPatch, NegativeValues_AreTwosComplement) {
  const auto batch = test::batch_of({"v"});
  const auto header =
      protocol::parse_batch_header(patched_copy(batch.bytes, {.base_offset = -1, .leader_epoch = -1}));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, -1);
  EXPECT_EQ(header->partition_leader_epoch, -1);
}

TEST(BatchPatch, HeaderCopy_IsTheFront) {
  const auto batch = test::sized_batch(5000);
  const SharedBuffer front = patched_header(batch.bytes, kPosition);
  EXPECT_EQ(front.size(), protocol::kBatchHeaderBytes);
  const SharedBuffer whole = patched_copy(batch.bytes, kPosition);
  EXPECT_TRUE(std::ranges::equal(front.bytes(), whole.bytes().first(front.size())));
}

}  // namespace
}  // namespace tidegate::storage
