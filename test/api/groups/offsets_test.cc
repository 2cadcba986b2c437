// OffsetCommit, OffsetFetch and OffsetDelete: forms of the versions, error codes, what becomes of offsets.
#include <gtest/gtest.h>

#include "group_plane.h"
#include "tidegate/protocol/messages/offset_delete.h"

namespace tidegate {
namespace {

using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetDeleteRequest;
using protocol::OffsetDeleteResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;
using test::GroupPlane;

class GroupOffsets : public ::testing::Test {
 protected:
  // Of the older versions: one group, by name.
  OffsetFetchResponse fetch_older(std::int16_t version, std::optional<std::vector<std::int32_t>> partitions,
                                  const std::string& group = "g") {
    OffsetFetchRequest request;
    request.group_id = group;
    request.topics.reset();
    if (partitions) request.topics.emplace().push_back({"t", *partitions});
    return plane.api.call<OffsetFetchResponse>(request, version);
  }
  void remove_topic(const broker::CatalogueTopicPtr& which) {
    const auto removed = plane.api.run([&] { return plane.api.broker().topics().remove({which->topic.id}); });
    ASSERT_TRUE(removed.at(0));
    plane.api.shards().settle();
  }

  GroupPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(GroupOffsets, EveryVersion_CommitsAndFetches) {
  Offset offset = 100;
  for (std::int16_t version = 2; version <= 10; ++version) {
    SCOPED_TRACE(version);
    auto request = GroupPlane::commit_request("g", topic, 1, ++offset);
    request.topics[0].partitions[0].committed_leader_epoch = 0;
    ASSERT_EQ(plane.commit(request, version), ErrorCode::none);
    EXPECT_EQ(plane.fetch_offset("g", topic, 1).committed_offset, offset);
  }
  for (std::int16_t version = 1; version <= 7; ++version) {
    SCOPED_TRACE(version);
    const auto response = fetch_older(version, {{1, 2}});
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.topics.size(), 1U);
    const auto& found = response.topics[0].partitions;
    EXPECT_EQ(found.at(0).committed_offset, offset);
    EXPECT_EQ(found.at(0).metadata, "m");
    EXPECT_EQ(found.at(0).committed_leader_epoch, version >= 5 ? 0 : -1);
    EXPECT_EQ(found.at(1).committed_offset, -1);
    EXPECT_EQ(found.at(1).metadata, "");
    EXPECT_EQ(found.at(1).committed_leader_epoch, -1);
    EXPECT_EQ(found.at(1).error_code, ErrorCode::none);
  }
  for (std::int16_t version = 8; version <= 10; ++version) {
    SCOPED_TRACE(version);
    const auto response =
        plane.api.call<OffsetFetchResponse>(GroupPlane::fetch_request("g", topic, 1), version);
    const auto& told = response.groups.at(0).topics.at(0);
    EXPECT_EQ(told.name, version < 10 ? "t" : "");
    EXPECT_EQ(told.topic_id, version < 10 ? TopicId{} : topic->topic.id);
    EXPECT_EQ(told.partitions.at(0).committed_offset, offset);
  }
}

TEST_F(GroupOffsets, OffsetWithoutAnEpoch_GetsTheOneThatCoversIt) {
  ASSERT_EQ(plane.commit("g", topic, 0, 5), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_leader_epoch, 0);
  EXPECT_EQ(plane.fetch_offset("g", topic, 1).committed_leader_epoch, -1) << "nothing is stored";
  auto request = GroupPlane::commit_request("g", topic, 0, 6);
  request.topics[0].partitions[0].committed_leader_epoch = 4;
  ASSERT_EQ(plane.commit(request), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_leader_epoch, 4) << "as it was committed";
}

TEST_F(GroupOffsets, AllTopics_AreAskedForWithNull) {
  const auto other = plane.api.make_topic("other", 1);
  ASSERT_EQ(plane.commit("g", topic, 2, 7), ErrorCode::none);
  ASSERT_EQ(plane.commit("g", other, 0, 8), ErrorCode::none);
  for (std::int16_t version = 2; version <= 7; ++version) {
    const auto response = fetch_older(version, std::nullopt);
    ASSERT_EQ(response.topics.size(), 2U) << version;
  }
  OffsetFetchRequest request;
  request.groups.push_back({.group_id = "g"});
  request.groups[0].topics.reset();
  request.groups.push_back({.group_id = "nobody"});
  request.groups[1].topics.reset();
  const auto response = plane.api.call<OffsetFetchResponse>(request);
  ASSERT_EQ(response.groups.size(), 2U);
  std::map<TopicId, Offset> found;
  for (const auto& each : response.groups[0].topics)
    found[each.topic_id] = each.partitions.at(0).committed_offset;
  EXPECT_EQ(found, (std::map<TopicId, Offset>{{topic->topic.id, 7}, {other->topic.id, 8}}));
  EXPECT_EQ(response.groups[1].error_code, ErrorCode::none);
  EXPECT_TRUE(response.groups[1].topics.empty());
}

TEST_F(GroupOffsets, UnknownTopicsAndPartitions) {
  auto request = GroupPlane::commit_request("g", topic, 3, 1);
  EXPECT_EQ(plane.commit(request), ErrorCode::unknown_topic_or_partition);
  request.topics[0].partitions[0].partition_index = -1;
  EXPECT_EQ(plane.commit(request), ErrorCode::unknown_topic_or_partition);
  request = GroupPlane::commit_request("g", topic, 0, 1);
  request.topics[0].name = "nowhere";
  EXPECT_EQ(plane.commit(request, 9), ErrorCode::unknown_topic_or_partition);
  request.topics[0].topic_id = TopicId{{1, 2, 3}};
  EXPECT_EQ(plane.commit(request, 10), ErrorCode::unknown_topic_id);
  EXPECT_EQ(plane.metric("tidegate_broker_offset_commits_total"), 0) << "no group was asked";

  auto fetch = GroupPlane::fetch_request("g", topic, 0);
  (*fetch.groups[0].topics)[0].topic_id = TopicId{{1, 2, 3}};
  const auto response = plane.api.call<OffsetFetchResponse>(fetch);
  EXPECT_EQ(response.groups.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(response.groups.at(0).topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_id);
  EXPECT_EQ(response.groups.at(0).topics.at(0).partitions.at(0).committed_offset, -1);
  OffsetFetchRequest by_name;
  by_name.group_id = "g";
  by_name.topics->push_back({"nowhere", {0}});
  EXPECT_EQ(plane.api.call<OffsetFetchResponse>(by_name, 7).topics.at(0).partitions.at(0).committed_offset,
            -1);
}

TEST_F(GroupOffsets, SomeTopicsUnknown_TheOthersAreCommitted) {
  auto request = GroupPlane::commit_request("g", topic, 0, 11);
  request.topics.insert(request.topics.begin(), {.name = "nowhere", .partitions = {{.partition_index = 0}}});
  request.topics[1].partitions.push_back({.partition_index = 9, .committed_offset = 1});
  request.topics[1].partitions.push_back({.partition_index = 2, .committed_offset = 12});
  const auto response = plane.api.call<OffsetCommitResponse>(request, 9);
  ASSERT_EQ(response.topics.size(), 2U);
  EXPECT_EQ(response.topics[0].partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(response.topics[1].partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(response.topics[1].partitions.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(response.topics[1].partitions.at(2).error_code, ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 11);
  EXPECT_EQ(plane.fetch_offset("g", topic, 2).committed_offset, 12);
}

TEST_F(GroupOffsets, CommitOfAMember_IsCheckedAgainstTheGroup) {
  const auto joined = plane.settle_one("g");
  auto request = GroupPlane::commit_request("g", topic, 0, 1);
  EXPECT_EQ(plane.commit(request), ErrorCode::unknown_member_id) << "a stranger while there are members";
  request.member_id = joined.member_id;
  request.generation_id_or_member_epoch = 1;
  EXPECT_EQ(plane.commit(request), ErrorCode::none);
  request.generation_id_or_member_epoch = 2;
  EXPECT_EQ(plane.commit(request), ErrorCode::illegal_generation);
  request.generation_id_or_member_epoch = 1;
  request.member_id = "stranger";
  EXPECT_EQ(plane.commit(request), ErrorCode::unknown_member_id);
  // A generation of a group that is not there.
  request.group_id = "nowhere";
  EXPECT_EQ(plane.commit(request, 8), ErrorCode::illegal_generation);
  EXPECT_EQ(plane.commit(request, 9), ErrorCode::group_id_not_found);
}

TEST_F(GroupOffsets, GroupWithoutAName_MayCommit) {
  EXPECT_EQ(plane.commit("", topic, 0, 9), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("", topic, 0).committed_offset, 9);
}

TEST_F(GroupOffsets, TooMuchMetadata) {
  auto request = GroupPlane::commit_request("g", topic, 0, 1);
  request.topics[0].partitions[0].committed_metadata = std::string(4097, 'x');
  EXPECT_EQ(plane.commit(request), ErrorCode::offset_metadata_too_large);
  request.topics[0].partitions[0].committed_metadata = std::string(4096, 'x');
  EXPECT_EQ(plane.commit(request), ErrorCode::none);
  request.topics[0].partitions[0].committed_metadata.reset();
  EXPECT_EQ(plane.commit(request), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).metadata, "");
}

TEST_F(GroupOffsets, LimitOfOffsets) {
  GroupPlane small({{"group.max.offsets", "2"}});
  const auto made = small.api.make_topic("t", 3);
  EXPECT_EQ(small.commit("g", made, 0, 1), ErrorCode::none);
  EXPECT_EQ(small.commit("g", made, 1, 1), ErrorCode::none);
  EXPECT_NE(small.commit("g", made, 2, 1), ErrorCode::none);
  EXPECT_EQ(small.commit("g", made, 1, 2), ErrorCode::none);
  EXPECT_EQ(small.metric("tidegate_broker_group_offsets"), 2);
}

// ------------------------------------------------------------------------------------ the end of them

TEST_F(GroupOffsets, DeletedTopic_TakesItsOffsetsAlong) {
  const auto other = plane.api.make_topic("other");
  ASSERT_EQ(plane.commit("g", topic, 0, 5), ErrorCode::none);
  ASSERT_EQ(plane.commit("g", other, 0, 6), ErrorCode::none);
  ASSERT_EQ(plane.commit("h", topic, 0, 7), ErrorCode::none);
  remove_topic(topic);
  const auto anew = plane.api.make_topic("t", 3);
  EXPECT_EQ(plane.fetch_offset("g", anew, 0).committed_offset, -1);
  EXPECT_EQ(plane.fetch_offset("h", anew, 0).committed_offset, -1);
  EXPECT_EQ(plane.fetch_offset("g", other, 0).committed_offset, 6);
  EXPECT_EQ(plane.metric("tidegate_broker_group_offsets"), 1);
}

TEST_F(GroupOffsets, Expire_WhenTheGroupHasBeenEmptyForLong) {
  ASSERT_EQ(plane.commit("g", topic, 0, 5), ErrorCode::none);
  plane.api.shards().advance(std::chrono::hours(24 * 6));
  plane.api.shards().settle();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 5);
  for (int i = 0; i < 3; ++i) {
    plane.api.shards().advance(std::chrono::hours(24));
    plane.api.shards().settle();
  }
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, -1);
  EXPECT_EQ(plane.metric("tidegate_broker_group_offsets"), 0);
}

// ------------------------------------------------------------------------------------- OffsetDelete

TEST_F(GroupOffsets, Delete_ForgetsTheNamedOnes) {
  ASSERT_EQ(plane.commit("g", topic, 0, 5), ErrorCode::none);
  ASSERT_EQ(plane.commit("g", topic, 1, 6), ErrorCode::none);
  OffsetDeleteRequest request;
  request.group_id = "g";
  request.topics.push_back({.name = "t", .partitions = {{0}, {7}}});
  request.topics.push_back({.name = "nowhere", .partitions = {{0}}});
  const auto response = plane.api.call<OffsetDeleteResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  ASSERT_EQ(response.topics.size(), 2U);
  EXPECT_EQ(response.topics[0].partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(response.topics[0].partitions.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(response.topics[1].partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, -1);
  EXPECT_EQ(plane.fetch_offset("g", topic, 1).committed_offset, 6);
}

TEST_F(GroupOffsets, Delete_OfAGroupThatIsNotThere) {
  OffsetDeleteRequest request;
  request.group_id = "nobody";
  request.topics.push_back({.name = "t", .partitions = {{0}}});
  const auto response = plane.api.call<OffsetDeleteResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::group_id_not_found);
  EXPECT_TRUE(response.topics.empty());
}

// As Kafka's own broker answers.
TEST_F(GroupOffsets, Delete_OfNothingThatIsThere) {
  OffsetDeleteRequest request;
  request.group_id = "nobody";
  request.topics.push_back({.name = "t", .partitions = {{3}}});
  request.topics.push_back({.name = "nowhere", .partitions = {{0}}});
  EXPECT_EQ(plane.api.call<OffsetDeleteResponse>(request).error_code, ErrorCode::group_id_not_found);
  ASSERT_EQ(plane.commit("nobody", topic, 0, 5), ErrorCode::none);
  const auto response = plane.api.call<OffsetDeleteResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  ASSERT_EQ(response.topics.size(), 2U);
  for (const auto& told : response.topics) {
    EXPECT_EQ(told.partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  }
}

TEST_F(GroupOffsets, Delete_NeedsAGroup) {
  OffsetDeleteRequest request;
  request.topics.push_back({.name = "t", .partitions = {{0}}});
  EXPECT_EQ(plane.api.call<OffsetDeleteResponse>(request).error_code, ErrorCode::invalid_group_id);
}

TEST_F(GroupOffsets, Delete_OfASubscribedTopicIsRefused) {
  auto join = GroupPlane::join_request("g", plane.new_member("g"));
  // ConsumerProtocolSubscription version 0: the topic list ["t"], no user data.
  join.protocols[0].metadata = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff};
  const auto joined = plane.join(join);
  ASSERT_EQ(plane.sync(GroupPlane::sync_request("g", joined)).error_code, ErrorCode::none);
  auto commit = GroupPlane::commit_request("g", topic, 0, 1);
  commit.member_id = joined.member_id;
  commit.generation_id_or_member_epoch = 1;
  ASSERT_EQ(plane.commit(commit), ErrorCode::none);
  OffsetDeleteRequest request;
  request.group_id = "g";
  request.topics.push_back({.name = "t", .partitions = {{0}}});
  const auto response = plane.api.call<OffsetDeleteResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  EXPECT_EQ(response.topics.at(0).partitions.at(0).error_code, ErrorCode::group_subscribed_to_topic);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 1);
}

}  // namespace
}  // namespace tidegate
