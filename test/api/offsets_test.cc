// ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
#include <gtest/gtest.h>

#include "data_plane.h"
#include "tidegate/protocol/messages/delete_records.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/offset_for_leader_epoch.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::make_batch;

class Offsets : public ::testing::Test {
 protected:
  using Found = protocol::ListOffsetsResponse::ListOffsetsPartitionResponse;
  Found list(std::int64_t timestamp, std::int16_t version = 11, std::int32_t epoch = -1,
             std::int32_t partition = 0) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    request.topics.push_back({.name = "t", .partitions = {{partition, epoch, timestamp}}});
    return plane.api.call<protocol::ListOffsetsResponse>(request, version).topics.at(0).partitions.at(0);
  }
  auto delete_records(Offset offset, const std::string& name = "t", std::int32_t partition = 0) {
    protocol::DeleteRecordsRequest request;
    request.topics.push_back({.name = name, .partitions = {{partition, offset}}});
    return plane.api.call<protocol::DeleteRecordsResponse>(request).topics.at(0).partitions.at(0);
  }

  DataPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

constexpr std::int64_t kTime = 1'700'000'000'000;

TEST_F(Offsets, Ends_OfTheLog) {
  plane.produce(topic, 0, make_batch(5).bytes);
  for (std::int16_t version = 1; version <= 11; ++version) {
    const auto latest = list(-1, version);
    EXPECT_EQ(latest.error_code, ErrorCode::none);
    EXPECT_EQ(latest.offset, 5);
    EXPECT_EQ(latest.timestamp, -1);
    EXPECT_EQ(latest.leader_epoch, version >= 4 ? 0 : -1);
    EXPECT_EQ(list(-2, version).offset, 0);
  }
}

TEST_F(Offsets, ByTime_IsTheFirstAtOrAfter) {
  plane.produce(topic, 0, make_batch(5, {}, kTime).bytes);
  plane.produce(topic, 0, make_batch(5, {}, kTime + 100).bytes);
  EXPECT_EQ(list(0).offset, 0);
  EXPECT_EQ(list(0).timestamp, kTime);
  EXPECT_EQ(list(kTime + 3).offset, 3);
  EXPECT_EQ(list(kTime + 50).offset, 5);
  EXPECT_EQ(list(kTime + 50).timestamp, kTime + 100);
  const auto none = list(kTime + 500);
  EXPECT_EQ(none.error_code, ErrorCode::none);
  EXPECT_EQ(none.offset, -1);
  EXPECT_EQ(none.timestamp, -1);
}

TEST_F(Offsets, LargestTimestamp) {
  EXPECT_EQ(list(-3).offset, -1);
  plane.produce(topic, 0, make_batch(5, {}, kTime + 100).bytes);
  plane.produce(topic, 0, make_batch(5, {}, kTime).bytes);
  EXPECT_EQ(list(-3).offset, 4);
  EXPECT_EQ(list(-3).timestamp, kTime + 104);
}

TEST_F(Offsets, WithoutTiers_LocalIsAllThereIs) {
  plane.produce(topic, 0, make_batch(5).bytes);
  EXPECT_EQ(list(-4).offset, 0);
  EXPECT_EQ(list(-5).offset, -1);
  EXPECT_EQ(list(-5).error_code, ErrorCode::none);
  EXPECT_EQ(list(-6).offset, -1);
  EXPECT_EQ(list(-6).error_code, ErrorCode::none);
}

TEST_F(Offsets, SpecialValues_NeedTheirVersion) {
  const std::pair<std::int64_t, std::int16_t> since[] = {{-3, 7}, {-4, 8}, {-5, 9}, {-6, 11}};
  for (const auto& [timestamp, version] : since) {
    EXPECT_EQ(list(timestamp, static_cast<std::int16_t>(version - 1)).error_code,
              ErrorCode::unsupported_version);
    EXPECT_EQ(list(timestamp, version).error_code, ErrorCode::none);
  }
  EXPECT_EQ(list(-7).error_code, ErrorCode::unsupported_version);
}

TEST_F(Offsets, Mistakes_AreToldPerPartition) {
  EXPECT_EQ(list(-1, 11, 5).error_code, ErrorCode::unknown_leader_epoch);
  EXPECT_EQ(list(-1, 11, -1, 3).error_code, ErrorCode::unknown_topic_or_partition);
  protocol::ListOffsetsRequest request;
  request.topics.push_back({.name = "t", .partitions = {{0, -1, -1}, {1, -1, -1}, {0, -1, -2}}});
  request.topics.push_back({.name = "nowhere", .partitions = {{0, -1, -1}}});
  const auto response = plane.api.call<protocol::ListOffsetsResponse>(request);
  EXPECT_EQ(response.topics[0].partitions[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::none);
  EXPECT_EQ(response.topics[0].partitions[2].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.topics[1].partitions[0].error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(Offsets, EpochEnds) {
  plane.produce(topic, 0, make_batch(5).bytes);
  protocol::OffsetForLeaderEpochRequest request;
  request.topics.push_back({.topic = "t", .partitions = {{0, -1, 0}, {0, -1, 3}, {0, 9, 0}, {7, -1, 0}}});
  for (std::int16_t version = 2; version <= 4; ++version) {
    const auto answers =
        plane.api.call<protocol::OffsetForLeaderEpochResponse>(request, version).topics.at(0).partitions;
    EXPECT_EQ(answers[0].error_code, ErrorCode::none);
    EXPECT_EQ(answers[0].leader_epoch, 0);
    EXPECT_EQ(answers[0].end_offset, 5);
    EXPECT_EQ(answers[1].end_offset, -1);
    EXPECT_EQ(answers[1].leader_epoch, -1);
    EXPECT_EQ(answers[2].error_code, ErrorCode::unknown_leader_epoch);
    EXPECT_EQ(answers[3].error_code, ErrorCode::unknown_topic_or_partition);
  }
}

TEST_F(Offsets, DeleteRecords_MovesTheLogStart) {
  plane.produce(topic, 0, make_batch(5).bytes);
  plane.produce(topic, 0, make_batch(5).bytes);
  EXPECT_EQ(delete_records(7).low_watermark, 7);
  EXPECT_EQ(list(-2).offset, 7);
  EXPECT_EQ(plane.fetch_one(topic, 0, 6).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(plane.fetch_one(topic, 0, 7).log_start_offset, 7);
  EXPECT_EQ(delete_records(3).low_watermark, 7);
  EXPECT_EQ(delete_records(-1).low_watermark, 10);
  EXPECT_EQ(delete_records(11).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(delete_records(11).low_watermark, -1);
  EXPECT_EQ(delete_records(-2).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(delete_records(0, "nowhere").error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(delete_records(0, "t", 3).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(Offsets, Housekeeping_DropsWhatIsTooOldNowAndThen) {
  const auto old = plane.api.make_topic("old", 1, {{"retention.ms", "1000"}});
  plane.produce(old, 0, make_batch(5).bytes);
  for (int i = 0; i < 3; ++i) {
    plane.api.shards().advance(std::chrono::minutes(6));
    plane.api.shards().settle(8);
  }
  const auto fetched = plane.fetch_one(old, 0, 5);
  EXPECT_EQ(fetched.error_code, ErrorCode::none);
  EXPECT_EQ(fetched.log_start_offset, 5);
}

TEST_F(Offsets, DeleteRecords_LeavesCompactedTopicsAlone) {
  plane.api.make_topic("compacted", 1, {{"cleanup.policy", "compact"}});
  EXPECT_EQ(delete_records(0, "compacted").error_code, ErrorCode::policy_violation);
}

}  // namespace
}  // namespace tidegate
