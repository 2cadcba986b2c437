// DescribeGroups, ListGroups and DeleteGroups.
#include <gtest/gtest.h>

#include "group_plane.h"
#include "tidegate/protocol/messages/delete_groups.h"
#include "tidegate/protocol/messages/describe_groups.h"
#include "tidegate/protocol/messages/list_groups.h"

namespace tidegate {
namespace {

using protocol::DeleteGroupsRequest;
using protocol::DeleteGroupsResponse;
using protocol::DescribeGroupsRequest;
using protocol::DescribeGroupsResponse;
using protocol::ListGroupsRequest;
using protocol::ListGroupsResponse;
using test::GroupPlane;
using test::text_of;

class GroupIntrospection : public ::testing::Test {
 protected:
  DescribeGroupsResponse::DescribedGroup describe(const std::string& group, std::int16_t version = 6) {
    DescribeGroupsRequest request;
    request.groups = {group};
    request.include_authorized_operations = version >= 3;
    return plane.api.call<DescribeGroupsResponse>(request, version).groups.at(0);
  }
  std::vector<std::string> list(std::vector<std::string> states, std::vector<std::string> types = {}) {
    ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    const auto response = plane.api.call<ListGroupsResponse>(request);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    std::vector<std::string> ids;
    for (const auto& group : response.groups) ids.push_back(group.group_id);
    return ids;
  }
  ErrorCode remove(const std::string& group) {
    DeleteGroupsRequest request;
    request.groups_names = {group};
    return plane.api.call<DeleteGroupsResponse>(request).results.at(0).error_code;
  }
  using Ids = std::vector<std::string>;

  GroupPlane plane;
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(GroupIntrospection, Describe_ShowsStateAndMembers) {
  plane.api.session().peer_address = "127.0.0.1";
  const auto joined = plane.settle_one("g");
  for (std::int16_t version = 0; version <= 6; ++version) {
    SCOPED_TRACE(version);
    const auto told = describe("g", version);
    EXPECT_EQ(told.error_code, ErrorCode::none);
    EXPECT_EQ(told.group_id, "g");
    EXPECT_EQ(told.group_state, "Stable");
    EXPECT_EQ(told.protocol_type, "consumer");
    EXPECT_EQ(told.protocol_data, "range");
    ASSERT_EQ(told.members.size(), 1U);
    EXPECT_EQ(told.members[0].member_id, joined.member_id);
    EXPECT_EQ(told.members[0].client_id, "test-client");
    EXPECT_EQ(told.members[0].client_host, "/127.0.0.1");
    EXPECT_EQ(text_of(told.members[0].member_metadata), "meta");
    EXPECT_EQ(text_of(told.members[0].member_assignment), "for " + joined.member_id);
    EXPECT_EQ(told.authorized_operations, version >= 3 ? 0xd48 : std::numeric_limits<std::int32_t>::min());
  }
}

TEST_F(GroupIntrospection, Describe_OfWhatIsNotThere) {
  for (std::int16_t version = 0; version <= 6; ++version) {
    const auto told = describe("nobody", version);
    EXPECT_EQ(told.group_state, "Dead") << version;
    EXPECT_EQ(told.error_code, version >= 6 ? ErrorCode::group_id_not_found : ErrorCode::none) << version;
    EXPECT_EQ(told.error_message.has_value(), version >= 6) << version;
  }
}

TEST_F(GroupIntrospection, List_ShowsEveryGroupOfEveryShard) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(plane.commit("c" + std::to_string(i), topic, 0, 1), ErrorCode::none);
  plane.settle_one("live");
  for (std::int16_t version = 0; version <= 5; ++version) {
    const auto response = plane.api.call<ListGroupsResponse>(ListGroupsRequest{}, version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.groups.size(), 11U) << version;
    EXPECT_EQ(response.groups[0].group_id, "c0");
    EXPECT_EQ(response.groups[0].protocol_type, "");
    EXPECT_EQ(response.groups[0].group_state, version >= 4 ? "Empty" : "");
    EXPECT_EQ(response.groups[0].group_type, version >= 5 ? "classic" : "");
    EXPECT_EQ(response.groups[10].group_id, "live");
    EXPECT_EQ(response.groups[10].protocol_type, "consumer");
    EXPECT_EQ(response.groups[10].group_state, version >= 4 ? "Stable" : "");
  }
}

TEST_F(GroupIntrospection, List_Filters) {
  ASSERT_EQ(plane.commit("offsets", topic, 0, 1), ErrorCode::none);
  plane.settle_one("live");
  EXPECT_EQ(list({}), (Ids{"live", "offsets"}));
  EXPECT_EQ(list({"Stable"}), Ids{"live"});
  EXPECT_EQ(list({"stable", "EMPTY"}), (Ids{"live", "offsets"}));
  EXPECT_EQ(list({"Dead"}), Ids{});
  EXPECT_EQ(list({}, {"Classic"}), (Ids{"live", "offsets"}));
  EXPECT_EQ(list({}, {"consumer"}), Ids{});
  EXPECT_EQ(list({"Empty"}, {"classic"}), Ids{"offsets"});
}

TEST_F(GroupIntrospection, MembersIdsThatWereOnlyGivenOut_MakeNoGroup) {
  plane.new_member("g");
  EXPECT_EQ(list({}), Ids{});
  EXPECT_EQ(describe("g").error_code, ErrorCode::group_id_not_found);
}

TEST_F(GroupIntrospection, Delete_TakesEmptyGroupsAndTheirOffsets) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  EXPECT_EQ(remove("g"), ErrorCode::none);
  EXPECT_EQ(remove("g"), ErrorCode::group_id_not_found);
  EXPECT_EQ(list({}), Ids{});
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, -1);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Empty"), 0);
}

TEST_F(GroupIntrospection, Delete_OfAGroupWithMembersIsRefused) {
  const auto joined = plane.settle_one("g");
  EXPECT_EQ(remove("g"), ErrorCode::non_empty_group);
  plane.leave("g", joined.member_id);
  EXPECT_EQ(remove("g"), ErrorCode::none);
}

TEST_F(GroupIntrospection, Delete_AnswersEveryNameInEveryVersion) {
  for (std::int16_t version = 0; version <= 3; ++version) {
    ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
    DeleteGroupsRequest request;
    request.groups_names = {"nobody", "g"};
    const auto response = plane.api.call<DeleteGroupsResponse>(request, version);
    ASSERT_EQ(response.results.size(), 2U);
    EXPECT_EQ(response.results[0].error_code, ErrorCode::group_id_not_found);
    EXPECT_EQ(response.results[0].error_message.has_value(), version >= 3);
    EXPECT_EQ(response.results[1].group_id, "g");
    EXPECT_EQ(response.results[1].error_code, ErrorCode::none);
  }
}

}  // namespace
}  // namespace tidegate
