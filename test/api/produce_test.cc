#include <gtest/gtest.h>

#include "data_plane.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::from_producer;
using test::make_batch;

class Produce : public ::testing::Test {
 protected:
  DataPlane plane;
};

TEST_F(Produce, Records_ComeBackFromFetchWithTheirOffsets) {
  const auto topic = plane.api.make_topic("t", 8);
  for (std::int32_t partition = 0; partition < 8; ++partition) {
    const auto first = plane.produce(topic, partition, make_batch(3).bytes);
    ASSERT_EQ(first.error_code, ErrorCode::none) << first.error_message.value_or("");
    EXPECT_EQ(first.base_offset, 0);
    EXPECT_EQ(first.log_append_time_ms, -1);
    EXPECT_EQ(first.log_start_offset, 0);
    EXPECT_EQ(plane.produce(topic, partition, make_batch(2).bytes).base_offset, 3);

    const auto fetched = plane.fetch_one(topic, partition, 0);
    EXPECT_EQ(fetched.error_code, ErrorCode::none);
    EXPECT_EQ(fetched.high_watermark, 5);
    EXPECT_EQ(fetched.last_stable_offset, 5);
    EXPECT_EQ(fetched.log_start_offset, 0);
    const auto batches = DataPlane::batches(fetched);
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].header.base_offset, 0);
    EXPECT_EQ(batches[1].header.base_offset, 3);
    EXPECT_EQ(batches[1].header.records_count, 2);
    EXPECT_TRUE(protocol::batch_crc_is_valid(batches[1].bytes, batches[1].header));
  }
}

}  // namespace
}  // namespace tidegate
