// KIP-848 groups as clients see them: ConsumerGroupHeartbeat, ConsumerGroupDescribe, and the switch that
// turns the protocol on. The rules themselves are tested in test/groups.
#include <gtest/gtest.h>

#include "group_plane.h"
#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/consumer_group_describe.h"
#include "tidegate/protocol/messages/consumer_group_heartbeat.h"
#include "tidegate/protocol/messages/list_groups.h"

namespace tidegate {
namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ConsumerGroupDescribeRequest;
using protocol::ConsumerGroupDescribeResponse;
using protocol::ConsumerGroupHeartbeatRequest;
using protocol::ConsumerGroupHeartbeatResponse;
using test::GroupPlane;

class ConsumerProtocol : public ::testing::Test {
 protected:
  static ConsumerGroupHeartbeatRequest joining(const std::string& member) {
    ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names = {"t"};
    request.topic_partitions.emplace();
    return request;
  }
  ConsumerGroupHeartbeatResponse beat(const ConsumerGroupHeartbeatRequest& request,
                                      std::int16_t version = 1) {
    return plane.api.call<ConsumerGroupHeartbeatResponse>(request, version);
  }
  ConsumerGroupDescribeResponse::DescribedGroup describe(const std::string& group, std::int16_t version = 1) {
    ConsumerGroupDescribeRequest request;
    request.group_ids = {group};
    request.include_authorized_operations = true;
    return plane.api.call<ConsumerGroupDescribeResponse>(request, version).groups.at(0);
  }
  static ApiVersionsResponse versions(GroupPlane& of, std::int16_t version = 5) {
    ApiVersionsRequest request;
    request.client_software_name = "test";
    request.client_software_version = "1";
    return of.api.call<ApiVersionsResponse>(request, version);
  }
  static bool offers(const ApiVersionsResponse& response, std::int16_t key) {
    return std::ranges::any_of(response.api_keys, [key](const auto& api) { return api.api_key == key; });
  }

  GroupPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(ConsumerProtocol, OneMember_GetsEveryPartition) {
  const auto joined = beat(joining("m1"));
  ASSERT_EQ(joined.error_code, ErrorCode::none) << joined.error_message.value_or("");
  EXPECT_EQ(joined.member_id, "m1");
  EXPECT_GT(joined.member_epoch, 0);
  EXPECT_EQ(joined.heartbeat_interval_ms, 5000);
  ASSERT_TRUE(joined.assignment);
  ASSERT_EQ(joined.assignment->topic_partitions.size(), 1U);
  EXPECT_EQ(joined.assignment->topic_partitions[0].topic_id, topic->topic.id);
  EXPECT_EQ(joined.assignment->topic_partitions[0].partitions, (std::vector<std::int32_t>{0, 1, 2}));

  for (std::int16_t version = 0; version <= 1; ++version) {
    const auto told = describe("g", version);
    EXPECT_EQ(told.error_code, ErrorCode::none);
    EXPECT_EQ(told.group_state, "Stable");
    EXPECT_EQ(told.assignor_name, "uniform");
    EXPECT_NE(told.authorized_operations, std::numeric_limits<std::int32_t>::min());
    ASSERT_EQ(told.members.size(), 1U);
    EXPECT_EQ(told.members[0].client_id, "test-client");
    EXPECT_EQ(told.members[0].subscribed_topic_names, std::vector<std::string>{"t"});
    EXPECT_EQ(told.members[0].assignment.topic_partitions.at(0).topic_name, "t");
    EXPECT_EQ(told.members[0].member_type, version >= 1 ? 1 : -1);
  }
  const auto listed = plane.api.call<protocol::ListGroupsResponse>(protocol::ListGroupsRequest{});
  EXPECT_EQ(listed.groups.at(0).group_type, "consumer");
  EXPECT_EQ(listed.groups.at(0).protocol_type, "consumer");
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Stable"), 1);
}

TEST_F(ConsumerProtocol, NewPartitions_ReachTheMember) {
  const auto joined = beat(joining("m1"));
  const auto grown =
      plane.api.run([&] { return plane.api.broker().topics().add_partitions({{"t", 5}}, false); });
  ASSERT_TRUE(grown.at(0));
  plane.api.shards().settle();
  ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "m1";
  request.member_epoch = joined.member_epoch;
  const auto told = beat(request);
  EXPECT_EQ(told.error_code, ErrorCode::none);
  EXPECT_GT(told.member_epoch, joined.member_epoch);
  ASSERT_TRUE(told.assignment);
  EXPECT_EQ(told.assignment->topic_partitions.at(0).partitions.size(), 5U);
}

TEST_F(ConsumerProtocol, TopicMadeLater_ReachesTheMember) {
  auto request = joining("m1");
  request.subscribed_topic_names = {"later"};
  const auto joined = beat(request);
  ASSERT_EQ(joined.error_code, ErrorCode::none);
  plane.api.make_topic("later", 2);
  plane.api.shards().settle();
  ConsumerGroupHeartbeatRequest next;
  next.group_id = "g";
  next.member_id = "m1";
  next.member_epoch = joined.member_epoch;
  const auto told = beat(next);
  ASSERT_TRUE(told.assignment);
  EXPECT_EQ(told.assignment->topic_partitions.at(0).partitions.size(), 2U);
}

TEST_F(ConsumerProtocol, Errors) {
  EXPECT_EQ(beat(joining("")).error_code, ErrorCode::invalid_request) << "version 1: the client makes the id";
  auto request = joining("m1");
  request.group_id = "";
  EXPECT_EQ(beat(request).error_code, ErrorCode::invalid_group_id);
  request = joining("m1");
  request.member_epoch = 3;
  EXPECT_EQ(beat(request).error_code, ErrorCode::group_id_not_found);
  request = joining("m1");
  request.server_assignor = "nobody's";
  EXPECT_EQ(beat(request).error_code, ErrorCode::unsupported_assignor);
  request = joining("m1");
  request.subscribed_topic_regex = "(";
  EXPECT_EQ(beat(request).error_code, ErrorCode::invalid_regular_expression);
  EXPECT_EQ(describe("nobody").error_code, ErrorCode::group_id_not_found);
  EXPECT_EQ(describe("").error_code, ErrorCode::invalid_group_id);
  plane.settle_one("classic");
  EXPECT_EQ(describe("classic").error_code, ErrorCode::group_id_not_found) << "a group of the other type";
}

TEST_F(ConsumerProtocol, Leave_EndsTheMembership) {
  const auto joined = beat(joining("m1"));
  ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "m1";
  request.member_epoch = -1;
  EXPECT_EQ(beat(request).error_code, ErrorCode::none);
  request.member_epoch = joined.member_epoch;
  EXPECT_EQ(beat(request).error_code, ErrorCode::unknown_member_id);
}

TEST_F(ConsumerProtocol, CommitsCarryTheMemberEpoch) {
  const auto joined = beat(joining("m1"));
  auto commit = GroupPlane::commit_request("g", topic, 0, 5);
  commit.member_id = "m1";
  commit.generation_id_or_member_epoch = joined.member_epoch;
  EXPECT_EQ(plane.commit(commit), ErrorCode::none);
  commit.generation_id_or_member_epoch = joined.member_epoch - 1;
  EXPECT_EQ(plane.commit(commit), ErrorCode::stale_member_epoch);
  commit.member_id = "m2";
  EXPECT_EQ(plane.commit(commit), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerProtocol, Offered_AsTheConfigurationSays) {
  const auto on = versions(plane);
  EXPECT_TRUE(offers(on, 68));
  EXPECT_TRUE(offers(on, 69));
  ASSERT_EQ(on.supported_features.size(), 1U);
  EXPECT_EQ(on.supported_features[0].name, "group.version");
  EXPECT_EQ(on.supported_features[0].max_version, 1);
  ASSERT_EQ(on.finalized_features.size(), 1U);
  EXPECT_EQ(on.finalized_features[0].max_version_level, 1);
  EXPECT_TRUE(versions(plane, 3).supported_features.empty()) << "its minimum is 0";

  GroupPlane off({{"group.coordinator.rebalance.protocols", "classic"}});
  const auto none = versions(off);
  EXPECT_FALSE(offers(none, 68));
  EXPECT_FALSE(offers(none, 69));
  EXPECT_TRUE(offers(none, 11));
  EXPECT_TRUE(none.supported_features.empty());
  EXPECT_TRUE(none.finalized_features.empty());
  EXPECT_EQ(off.api.call<ConsumerGroupHeartbeatResponse>(joining("m1")).error_code,
            ErrorCode::unsupported_version);
  ConsumerGroupDescribeRequest request;
  request.group_ids = {"g"};
  EXPECT_EQ(off.api.call<ConsumerGroupDescribeResponse>(request).groups.at(0).error_code,
            ErrorCode::unsupported_version);
}

TEST_F(ConsumerProtocol, Restart_KeepsMembersAndAssignments) {
  const auto joined = beat(joining("m1"));
  plane.api.restart_broker();
  for (int i = 0; i < 1000 && describe("g").error_code == ErrorCode::coordinator_load_in_progress; ++i) {
    plane.api.shards().settle();
  }
  ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "m1";
  request.member_epoch = joined.member_epoch;
  EXPECT_EQ(beat(request).error_code, ErrorCode::none);
  EXPECT_EQ(describe("g").members.at(0).assignment.topic_partitions.at(0).partitions.size(), 3U);
}

}  // namespace
}  // namespace tidegate
