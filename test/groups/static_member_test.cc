#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

// Static members "i" (the leader) and "j" in Stable; their member ids.
std::vector<std::string> static_group(Lab& lab) {
  const auto first = lab.send(Lab::static_request("i"));
  const auto second = lab.send(Lab::static_request("j"));
  lab.advance(seconds(6));
  const std::vector<std::string> ids{lab.answer<JoinReply>(first).member_id,
                                     lab.answer<JoinReply>(second).member_id};
  EXPECT_EQ(lab.leader(), ids[0]);
  return lab.sync_all(ids);
}

TEST(StaticMember, NewInstance_IsAddedWithoutAskingForAnId) {
  Lab lab;
  const auto reply = lab.send(Lab::static_request("i"));
  EXPECT_FALSE(lab.answered(reply));
  lab.advance(seconds(3));
  EXPECT_TRUE(lab.answer<JoinReply>(reply).member_id.starts_with("i-"));
  EXPECT_EQ(lab.answer<JoinReply>(reply).members[0].instance_id, "i");
}

TEST(StaticMember, FollowerThatRestarts_ComesBackWithoutARebalance) {
  Lab lab;
  const auto ids = static_group(lab);
  const auto reply = lab.ask<JoinReply>(Lab::static_request("j"));
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.generation, 1);
  EXPECT_NE(reply.member_id, ids[1]);
  EXPECT_EQ(reply.leader, ids[0]);
  EXPECT_FALSE(reply.skip_assignment);
  EXPECT_TRUE(reply.members.empty());
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(lab.ask<SyncReply>(lab.sync_request(reply.member_id)).assignment, bytes("part " + ids[1]));
}

TEST(StaticMember, NewMemberId_IsDurableBeforeItIsTold) {
  Lab lab;
  static_group(lab);
  const auto reply = lab.send(Lab::static_request("j"));
  ASSERT_TRUE(lab.last.persist);
  EXPECT_EQ(lab.held[reply], lab.last.persist->sequence);
  const auto id = lab.answer<JoinReply>(reply).member_id;
  lab.reload();
  EXPECT_EQ(lab.heartbeat(id), ErrorCode::none);
}

TEST(StaticMember, LeaderThatRestarts_IsNotToldToAssign) {
  Lab lab;
  const auto ids = static_group(lab);
  const auto reply = lab.ask<JoinReply>(Lab::static_request("i"));
  EXPECT_EQ(reply.leader, ids[0]);  // its own former id: it takes itself for a follower
  EXPECT_TRUE(reply.members.empty());
  EXPECT_EQ(lab.leader(), reply.member_id);

  auto request = Lab::static_request("i");
  request.can_skip_assignment = true;
  const auto newer = lab.ask<JoinReply>(request);
  EXPECT_EQ(newer.leader, newer.member_id);
  EXPECT_TRUE(newer.skip_assignment);
  EXPECT_EQ(newer.members.size(), 2U);
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(StaticMember, ChangedVote_StartsRebalance) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::static_request("i");
  request.protocols = {{"range", {}}, {"sticky", {}}};
  const auto id = lab.ask<JoinReply>(request).member_id;
  lab.sync_all({id});
  request.protocols = {{"sticky", {}}, {"range", {}}};
  const auto reply = lab.ask<JoinReply>(request);
  EXPECT_EQ(reply.generation, 2);
  EXPECT_EQ(reply.protocol, "sticky");
}

TEST(StaticMember, OldMemberId_IsFencedEverywhere) {
  Lab lab;
  const auto old = static_group(lab)[1];
  lab.send(Lab::static_request("j"));
  const auto with_instance = [&](auto request) {
    request.instance_id = "j";
    return request;
  };
  EXPECT_EQ(lab.ask<HeartbeatReply>(with_instance(lab.heartbeat_request(old))).error,
            ErrorCode::fenced_instance_id);
  EXPECT_EQ(lab.ask<SyncReply>(with_instance(lab.sync_request(old))).error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(lab.ask<JoinReply>(Lab::static_request("j", old)).error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(
      lab.ask<CommitReply>(with_instance(CommitOffsets{.member_id = old, .generation_or_epoch = 1})).error,
      ErrorCode::fenced_instance_id);
  EXPECT_EQ(lab.ask<LeaveReply>(Leave{.members = {{.member_id = old, .instance_id = "j"}}}).members[0].error,
            ErrorCode::fenced_instance_id);
  EXPECT_EQ(lab.heartbeat(old), ErrorCode::unknown_member_id);
}

TEST(StaticMember, ParkedRequestsOfTheOldId_AreFenced) {
  Lab lab;
  static_group(lab);
  const auto first = lab.send(Lab::static_request("k"));  // a rebalance, and waits for the others
  const auto second = lab.send(Lab::static_request("k"));
  EXPECT_EQ(lab.answer<JoinReply>(first).error, ErrorCode::fenced_instance_id);
  EXPECT_FALSE(lab.answered(second));
  EXPECT_EQ(lab.group->counts().members, 3U);
}

TEST(StaticMember, RestartWhileCompleting_StartsOver) {
  Lab lab;
  const auto first = lab.send(Lab::static_request("i"));
  const auto second = lab.send(Lab::static_request("j"));
  lab.advance(seconds(6));
  const auto leader = lab.answer<JoinReply>(first).member_id;
  const auto follower = lab.answer<JoinReply>(second).member_id;
  auto request = lab.sync_request(follower);
  request.instance_id = "j";
  const auto parked = lab.send(request);
  const auto back = lab.send(Lab::static_request("j"));
  EXPECT_EQ(lab.answer<SyncReply>(parked).error, ErrorCode::fenced_instance_id);
  EXPECT_FALSE(lab.answered(back));
  lab.send(Lab::static_request("i", leader));
  EXPECT_EQ(lab.answer<JoinReply>(back).generation, 2);
}

TEST(StaticMember, ThatDoesNotRejoin_StaysUntilItsSessionEnds) {
  Lab lab;
  auto request = Lab::static_request("i");
  request.session_timeout_ms = 300'000;
  request.rebalance_timeout_ms = 5'000;
  const auto first = lab.send(request);
  lab.advance(seconds(6));
  lab.sync_all({lab.answer<JoinReply>(first).member_id});
  auto other = Lab::join_request(lab.new_id());
  other.rebalance_timeout_ms = 5'000;
  const auto reply = lab.send(other);
  lab.advance(seconds(5));
  EXPECT_EQ(lab.answer<JoinReply>(reply).generation, 2);
  EXPECT_EQ(lab.answer<JoinReply>(reply).members.size(), 2U);
  EXPECT_EQ(lab.leader(), lab.answer<JoinReply>(reply).member_id);
}

TEST(StaticMember, WithAMemberIdThatIsOnlyPending_IsUnknown) {
  Lab lab;
  const auto id = lab.new_id();
  EXPECT_EQ(lab.ask<JoinReply>(Lab::static_request("i", id)).error, ErrorCode::unknown_member_id);
}

TEST(StaticMember, Survives_ARestartOfTheCoordinator) {
  Lab lab;
  const auto ids = static_group(lab);
  lab.reload();
  const auto reply = lab.ask<JoinReply>(Lab::static_request("j"));
  EXPECT_EQ(reply.generation, 1);
  EXPECT_EQ(reply.leader, ids[0]);
}

}  // namespace
}  // namespace tidegate::groups
