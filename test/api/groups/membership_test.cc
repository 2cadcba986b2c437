// JoinGroup, SyncGroup, Heartbeat and LeaveGroup as clients see them: forms of the versions, error codes,
// requests that wait. The rules themselves are tested in test/groups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "group_plane.h"

namespace tidegate {
namespace {

using test::bytes_of;
using test::GroupPlane;
using test::text_of;
using ::testing::StartsWith;

class Membership : public ::testing::Test {
 protected:
  GroupPlane plane;
};

TEST_F(Membership, FirstMember_IsToldItsIdThenLeads) {
  const std::string member = plane.new_member("g");
  EXPECT_THAT(member, StartsWith("test-client-"));
  const auto joined = plane.join(GroupPlane::join_request("g", member));
  EXPECT_EQ(joined.error_code, ErrorCode::none);
  EXPECT_EQ(joined.generation_id, 1);
  EXPECT_EQ(joined.leader, member);
  EXPECT_EQ(joined.member_id, member);
  EXPECT_EQ(joined.protocol_type, "consumer");
  EXPECT_EQ(joined.protocol_name, "range");
  ASSERT_EQ(joined.members.size(), 1U);
  EXPECT_EQ(text_of(joined.members[0].metadata), "meta");
  const auto synced = plane.sync(GroupPlane::sync_request("g", joined));
  EXPECT_EQ(synced.error_code, ErrorCode::none);
  EXPECT_EQ(text_of(synced.assignment), "for " + member);
  EXPECT_EQ(synced.protocol_type, "consumer");
  EXPECT_EQ(synced.protocol_name, "range");
  EXPECT_EQ(plane.heartbeat("g", member, 1), ErrorCode::none);
}

TEST_F(Membership, EveryVersion_JoinsSyncsBeatsAndLeaves) {
  for (std::int16_t version = 0; version <= 9; ++version) {
    SCOPED_TRACE(version);
    const std::string group = "v" + std::to_string(version);
    auto request = GroupPlane::join_request(group);
    auto joined = plane.join(request, version);
    if (version >= 4) {
      EXPECT_EQ(joined.error_code, ErrorCode::member_id_required);
      EXPECT_EQ(joined.protocol_name.has_value(), version < 7) << "null only where the version allows it";
      request.member_id = joined.member_id;
      joined = plane.join(request, version);
    }
    ASSERT_EQ(joined.error_code, ErrorCode::none);
    EXPECT_EQ(joined.protocol_name, "range");
    EXPECT_EQ(joined.protocol_type.has_value(), version >= 7);
    auto sync = GroupPlane::sync_request(group, joined);
    const auto synced = plane.sync(sync, std::min<std::int16_t>(version, 5));
    ASSERT_EQ(synced.error_code, ErrorCode::none);
    EXPECT_EQ(text_of(synced.assignment), "for " + joined.member_id);
    EXPECT_EQ(plane.heartbeat(group, joined.member_id, 1, std::min<std::int16_t>(version, 4)),
              ErrorCode::none);
    const auto left = plane.leave(group, joined.member_id, std::min<std::int16_t>(version, 5));
    EXPECT_EQ(left.error_code, ErrorCode::none);
    EXPECT_EQ(left.members.size(), version < 3 ? 0U : 1U);
    EXPECT_EQ(plane.heartbeat(group, joined.member_id, 1), ErrorCode::unknown_member_id);
  }
}

TEST_F(Membership, SecondMember_MakesTheFirstJoinAgain) {
  const auto first = plane.settle_one("g");
  const std::string second = plane.new_member("g");
  auto waiting = plane.start_join(GroupPlane::join_request("g", second));
  plane.api.shards().settle();
  EXPECT_FALSE(waiting.is_answered());
  EXPECT_EQ(plane.metric("tidegate_broker_group_parked_requests"), 1);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "PreparingRebalance"), 1);
  EXPECT_EQ(plane.heartbeat("g", first.member_id, 1), ErrorCode::rebalance_in_progress);

  const auto led = plane.join(GroupPlane::join_request("g", first.member_id));
  const auto followed = waiting.get();
  EXPECT_EQ(led.generation_id, 2);
  EXPECT_EQ(followed.generation_id, 2);
  EXPECT_EQ(led.members.size(), 2U);
  EXPECT_TRUE(followed.members.empty()) << "only the leader gets the members";

  auto parked = plane.send<protocol::SyncGroupResponse>(GroupPlane::sync_request("g", followed));
  plane.api.shards().settle();
  EXPECT_FALSE(parked.is_answered());
  EXPECT_EQ(text_of(plane.sync(GroupPlane::sync_request("g", led)).assignment), "for " + first.member_id);
  EXPECT_EQ(text_of(parked.get().assignment), "for " + second);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Stable"), 1);
  EXPECT_EQ(plane.metric("tidegate_broker_group_members"), 2);
  EXPECT_EQ(plane.metric("tidegate_broker_group_parked_requests"), 0);
  EXPECT_EQ(plane.metric("tidegate_broker_group_rebalances_total"), 2);
  // The last member's answer ended each of them; a member that asks again ends none.
  const Histogram& timed =
      plane.api.shards().metrics().histogram("tidegate_broker_group_rebalance_seconds", "");
  EXPECT_EQ(timed.snapshot().count, 2U);
  EXPECT_EQ(plane.sync(GroupPlane::sync_request("g", led)).error_code, ErrorCode::none);
  EXPECT_EQ(timed.snapshot().count, 2U);
}

TEST_F(Membership, NewGroup_WaitsForMoreMembers) {
  GroupPlane waits({{"group.initial.rebalance.delay.ms", "3000"}});
  auto joined = waits.start_join(GroupPlane::join_request("g", waits.new_member("g")));
  waits.api.shards().advance(std::chrono::milliseconds(2900));
  waits.api.shards().settle();
  EXPECT_FALSE(joined.is_answered());
  waits.api.shards().advance(std::chrono::milliseconds(200));
  EXPECT_EQ(joined.get().error_code, ErrorCode::none);
}

TEST_F(Membership, SilentMember_IsTakenOutAfterItsSessionTimeout) {
  const auto joined = plane.settle_one("g");
  plane.api.shards().advance(std::chrono::seconds(9));
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 1), ErrorCode::none);
  plane.api.shards().advance(std::chrono::seconds(9));
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 1), ErrorCode::none)
      << "the heartbeat gave it ten seconds more";
  plane.api.shards().advance(std::chrono::seconds(11));
  plane.api.shards().settle();
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(plane.metric("tidegate_broker_group_members"), 0);
}

TEST_F(Membership, GroupWithoutAName_IsInvalid) {
  EXPECT_EQ(plane.join(GroupPlane::join_request("")).error_code, ErrorCode::invalid_group_id);
  EXPECT_EQ(plane.sync(GroupPlane::sync_request("", {})).error_code, ErrorCode::invalid_group_id);
  EXPECT_EQ(plane.heartbeat("", "m", 1), ErrorCode::invalid_group_id);
  EXPECT_EQ(plane.leave("", "m").error_code, ErrorCode::invalid_group_id);
}

TEST_F(Membership, RefusedJoin_RepeatsTheMemberId) {
  auto request = GroupPlane::join_request("g", "who");
  request.session_timeout_ms = 5'999;
  auto refused = plane.join(request);
  EXPECT_EQ(refused.error_code, ErrorCode::invalid_session_timeout);
  EXPECT_EQ(refused.member_id, "who");
  EXPECT_EQ(refused.generation_id, -1);
  request.session_timeout_ms = 1'800'001;
  EXPECT_EQ(plane.join(request).error_code, ErrorCode::invalid_session_timeout);
  request.session_timeout_ms = 10'000;
  EXPECT_EQ(plane.join(request).error_code, ErrorCode::unknown_member_id);
}

TEST_F(Membership, SyncOfVersion5_HasToNameTheProtocol) {
  const auto joined = plane.settle_one("g");
  auto request = GroupPlane::sync_request("g", joined);
  request.protocol_name.reset();
  EXPECT_EQ(plane.sync(request).error_code, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(plane.sync(request, 4).error_code, ErrorCode::none);
  request.protocol_name = "sticky";
  EXPECT_EQ(plane.sync(request).error_code, ErrorCode::inconsistent_group_protocol);
}

TEST_F(Membership, WrongGenerationAndWrongMember) {
  const auto joined = plane.settle_one("g");
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 2), ErrorCode::illegal_generation);
  EXPECT_EQ(plane.heartbeat("g", "stranger", 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(plane.heartbeat("nowhere", joined.member_id, 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(plane.leave("g", "stranger", 2).error_code, ErrorCode::unknown_member_id);
  const auto left = plane.leave("g", "stranger");
  EXPECT_EQ(left.error_code, ErrorCode::none);
  EXPECT_EQ(left.members.at(0).error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(plane.api.last_error(), static_cast<std::int16_t>(ErrorCode::unknown_member_id));
}

TEST_F(Membership, StaticMember_ComesBackWithoutARebalance) {
  auto request = GroupPlane::join_request("g");
  request.group_instance_id = "i1";
  const auto joined = plane.join(request);
  ASSERT_EQ(joined.error_code, ErrorCode::none) << "static members need not come back with their id";
  ASSERT_EQ(plane.sync(GroupPlane::sync_request("g", joined)).error_code, ErrorCode::none);
  const auto again = plane.join(request);
  EXPECT_EQ(again.error_code, ErrorCode::none);
  EXPECT_EQ(again.generation_id, 1);
  EXPECT_NE(again.member_id, joined.member_id);
  EXPECT_TRUE(again.skip_assignment);
  protocol::HeartbeatRequest old;
  old.group_id = "g";
  old.member_id = joined.member_id;
  old.group_instance_id = "i1";
  old.generation_id = 1;
  EXPECT_EQ(plane.api.call<protocol::HeartbeatResponse>(old).error_code, ErrorCode::fenced_instance_id);

  // An administrator takes it out by its instance id.
  protocol::LeaveGroupRequest remove;
  remove.group_id = "g";
  remove.members.push_back({.group_instance_id = "i1"});
  remove.members.push_back({.group_instance_id = "i2"});
  const auto left = plane.api.call<protocol::LeaveGroupResponse>(remove);
  EXPECT_EQ(left.members.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(left.members.at(1).error_code, ErrorCode::unknown_member_id);
}

// ------------------------------------------------------------------------------- those that wait

TEST_F(Membership, LostConnection_EndsTheWaitAndNotTheMembership) {
  const auto first = plane.settle_one("g");
  const std::string second = plane.new_member("g");
  auto waiting = plane.start_join(GroupPlane::join_request("g", second));
  plane.api.shards().settle();
  plane.api.shards().call([this] { plane.api.session().mark_closed(); }, plane.api.last_shard());
  EXPECT_EQ(waiting.get().error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(plane.metric("tidegate_broker_group_parked_requests"), 1)
      << "the group waits as if nothing had happened";
  EXPECT_EQ(plane.metric("tidegate_broker_group_members"), 2);
}

TEST_F(Membership, WaitThatBeginsWhenTheConnectionIsGone_EndsAtOnce) {
  plane.settle_one("g");
  const std::string second = plane.new_member("g");
  plane.api.shards().call([this] { plane.api.session().mark_closed(); }, plane.api.last_shard());
  EXPECT_EQ(plane.join(GroupPlane::join_request("g", second)).error_code,
            ErrorCode::coordinator_not_available);
}

TEST_F(Membership, Stop_AnswersWhatIsParkedAndRefusesWhatComes) {
  const auto first = plane.settle_one("g");
  auto waiting = plane.start_join(GroupPlane::join_request("g", plane.new_member("g")));
  plane.api.shards().settle();
  plane.api.run([this] { return plane.api.broker().groups().stop(MonoTime::max()); });
  EXPECT_EQ(waiting.get().error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(plane.heartbeat("g", first.member_id, 1), ErrorCode::coordinator_not_available);
}

// The next request of the connection may begin while this one is parked.
TEST_F(Membership, ParkedJoin_LetsTheNextRequestOfItsConnectionBegin) {
  plane.settle_one("g");
  const auto request = GroupPlane::join_request("g", plane.new_member("g"));
  std::atomic<bool> dispatched{false};
  auto context = plane.api.make_context(protocol::JoinGroupRequest::kApiKey, 9);
  context->on_dispatched = [&dispatched] { dispatched = true; };
  auto ended = std::make_shared<std::promise<void>>();
  auto future = ended->get_future();
  const auto run = [](api::RequestContextPtr of, SharedBuffer body,
                      std::shared_ptr<std::promise<void>> end) -> Task<void> {
    co_await of->row->invoke(of, std::move(body));
    end->set_value();
  };
  plane.api.shards()
      .shard(plane.api.last_shard())
      .spawn(run(context, test::ApiHarness::body_of(request, 9), ended), "test");
  plane.api.shards().settle();
  EXPECT_TRUE(dispatched);
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  plane.api.shards().call([this] { plane.api.session().mark_closed(); }, plane.api.last_shard());
  future.get();
}

// ------------------------------------------------------------------------------------------- limits

TEST_F(Membership, LimitOfGroups) {
  GroupPlane small({{"group.coordinator.max.groups", "2"}});  // one a shard
  int made = 0;
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    const auto told = small.join(GroupPlane::join_request("g" + std::to_string(i)));
    made += told.error_code == ErrorCode::member_id_required ? 1 : 0;
    refused += told.error_code == ErrorCode::coordinator_not_available ? 1 : 0;
  }
  EXPECT_EQ(made, 2);
  EXPECT_EQ(refused, 18);
  EXPECT_EQ(small.metric("tidegate_broker_group_refusals_total"), 18);
  // What makes no group needs no room.
  EXPECT_EQ(small.heartbeat("another", "m", 1), ErrorCode::unknown_member_id);
}

TEST_F(Membership, LimitOfMembers) {
  GroupPlane small({{"group.coordinator.max.members", "4"}});  // two a shard
  EXPECT_FALSE(small.new_member("g").empty());
  EXPECT_FALSE(small.new_member("g").empty());
  EXPECT_EQ(small.metric("tidegate_broker_group_pending_members"), 2);
  EXPECT_EQ(small.join(GroupPlane::join_request("g")).error_code, ErrorCode::group_max_size_reached);
  // Ids that nobody comes back with make room again.
  small.api.shards().advance(std::chrono::seconds(11));
  small.api.shards().settle();
  EXPECT_EQ(small.metric("tidegate_broker_group_pending_members"), 0);
  EXPECT_FALSE(small.new_member("g").empty());
}

TEST_F(Membership, GroupMaxSize) {
  GroupPlane small({{"group.max.size", "1"}});
  small.settle_one("g");
  EXPECT_EQ(small.join(GroupPlane::join_request("g")).error_code, ErrorCode::group_max_size_reached);
}

TEST_F(Membership, CooperativeSticky_CanBeTurnedOff) {
  GroupPlane off({{"group.cooperative.sticky.enable", "false"}});
  auto request = GroupPlane::join_request("g");
  request.protocols = {{"cooperative-sticky", bytes_of("x")}};
  EXPECT_EQ(off.join(request).error_code, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(plane.join(request).error_code, ErrorCode::member_id_required);
}

}  // namespace
}  // namespace tidegate
