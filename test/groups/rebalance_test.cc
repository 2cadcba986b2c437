#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

TEST(GroupRebalance, FirstGeneration_WaitsForMoreMembers) {
  Lab lab;
  const auto first = lab.send(Lab::join_request(lab.new_id()));
  lab.advance(milliseconds(2'999));
  EXPECT_FALSE(lab.answered(first));
  lab.advance(milliseconds(1));
  EXPECT_EQ(lab.answer<JoinReply>(first).generation, 1);
}

TEST(GroupRebalance, FirstGeneration_IsPutOffWhileMembersArrive) {
  Lab lab;
  const auto first = lab.send(Lab::join_request(lab.new_id()));
  lab.advance(seconds(2));
  const auto second = lab.send(Lab::join_request(lab.new_id()));
  lab.advance(seconds(3));  // 5 s: the first delay ended at 3 and was extended
  EXPECT_FALSE(lab.answered(first));
  lab.advance(seconds(1));
  EXPECT_EQ(lab.answer<JoinReply>(first).generation, 1);
  EXPECT_EQ(lab.answer<JoinReply>(second).generation, 1);
}

TEST(GroupRebalance, FirstGeneration_IsPutOffNoLongerThanTheRebalanceTimeout) {
  Lab lab;
  auto request = Lab::join_request(lab.new_id());
  request.rebalance_timeout_ms = 7'000;
  const auto first = lab.send(request);
  for (int i = 0; i < 6; ++i) {
    lab.advance(milliseconds(1'100));
    auto more = Lab::join_request();
    more.member_id_required = false;
    more.rebalance_timeout_ms = 7'000;
    lab.send(more);
  }
  EXPECT_FALSE(lab.answered(first));
  lab.advance(milliseconds(400));
  EXPECT_EQ(lab.answer<JoinReply>(first).generation, 1);
  EXPECT_EQ(lab.group->counts().members, 7U);
}

TEST(GroupRebalance, NoDelayConfigured_AnswersAtOnce) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(lab.new_id())).generation, 1);
}

TEST(GroupRebalance, WaitsForEveryMemberAndForIdsGivenOut) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto third = lab.new_id();
  const auto first = lab.send(Lab::join_request(ids[0]));
  lab.send(Lab::join_request(ids[1]));
  EXPECT_FALSE(lab.answered(first));  // the third was given an id
  lab.send(Lab::join_request(third));
  EXPECT_EQ(lab.answer<JoinReply>(first).members.size(), 3U);
}

TEST(GroupRebalance, IdThatExpires_IsNotWaitedForAnyLonger) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  lab.new_id();
  const auto reply = lab.send(Lab::join_request(ids[0]));
  EXPECT_FALSE(lab.answered(reply));
  lab.advance(seconds(10));
  EXPECT_EQ(lab.answer<JoinReply>(reply).generation, 2);
}

TEST(GroupRebalance, WhoDoesNotRejoinInTime_IsRemoved) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto reply = lab.send(Lab::join_request(ids[0]));
  for (int i = 0; i < 12; ++i) {
    EXPECT_FALSE(lab.answered(reply));
    EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::rebalance_in_progress);  // alive, but does not join
    lab.advance(seconds(5));
  }
  EXPECT_EQ(lab.answer<JoinReply>(reply).members.size(), 1U);
  EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::unknown_member_id);
}

TEST(GroupRebalance, LeaderThatDoesNotComeBack_IsReplaced) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  auto request = Lab::join_request(ids[1]);
  request.protocols[0].metadata = bytes("other");
  const auto reply = lab.send(request);
  lab.advance(seconds(10));  // the leader's session ends
  EXPECT_EQ(lab.answer<JoinReply>(reply).leader, ids[1]);
  EXPECT_EQ(lab.answer<JoinReply>(reply).members.size(), 1U);
}

TEST(GroupRebalance, LeaderOfTheLastGeneration_StaysLeader) {
  Lab lab;
  const auto ids = lab.stable_group(3);
  auto request = Lab::join_request(ids[2]);
  request.protocols[0].metadata = bytes("other");
  lab.send(request);
  lab.send(Lab::join_request(ids[1]));
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(ids[0])).leader, ids[0]);
}

TEST(GroupRebalance, ParkedJoin_DoesNotTimeOutButANewMembersMay) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  auto patient = Lab::join_request(ids[0]);
  patient.rebalance_timeout_ms = 600'000;
  const auto old = lab.send(patient);
  const auto parked = lab.send(Lab::join_request(lab.new_id()));
  for (int i = 0; i < 59; ++i) {
    lab.heartbeat(ids[1]);
    lab.advance(seconds(5));
  }
  EXPECT_FALSE(lab.answered(old));
  EXPECT_FALSE(lab.answered(parked));
  lab.heartbeat(ids[1]);
  lab.advance(seconds(5));  // five minutes
  EXPECT_EQ(lab.answer<JoinReply>(parked).error, ErrorCode::unknown_member_id);
}

TEST(GroupRebalance, LastMemberGone_LeavesAnEmptyGroupOfTheNextGeneration) {
  Lab lab;
  lab.stable_group(2);
  lab.advance(seconds(30));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.generation(), 2);
  EXPECT_TRUE(lab.group->exists());
  EXPECT_EQ(lab.group->listing().protocol_type, "consumer");
}

TEST(GroupRebalance, EmptyGroup_MayChangeItsProtocolType) {
  Lab lab;
  lab.stable_group(1);
  lab.advance(seconds(30));
  auto request = Lab::join_request();
  request.protocol_type = "connect";
  request.member_id_required = false;
  const auto reply = lab.send(request);
  lab.advance(seconds(3));
  EXPECT_EQ(lab.answer<JoinReply>(reply).protocol_type, "connect");
  EXPECT_EQ(lab.answer<JoinReply>(reply).generation, 3);
}

TEST(GroupRebalance, LargeGroup_ComesToRestInOneGeneration) {
  Lab lab;
  const auto ids = lab.stable_group(30);
  EXPECT_EQ(lab.generation(), 1);
  std::vector<ReplyId> replies;
  for (const auto& id : ids) replies.push_back(lab.send(Lab::join_request(id)));
  EXPECT_EQ(lab.answer<JoinReply>(replies[0]).members.size(), 30U);
  lab.sync_all(ids);
  EXPECT_EQ(lab.generation(), 2);
  // Assignments that stay as they are are not written again.
  EXPECT_EQ(lab.group->last_persist(), lab.held[replies[0]] + 1);
}

TEST(GroupRebalance, RebalanceTimeoutOfNothing_DoesNotHang) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::static_request("i");
  request.rebalance_timeout_ms = 0;
  const auto id = lab.ask<JoinReply>(request).member_id;
  lab.sync_all({id});
  auto other = Lab::join_request(lab.new_id());
  other.rebalance_timeout_ms = 0;
  lab.send(other);
  lab.advance(seconds(30));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

}  // namespace
}  // namespace tidegate::groups
