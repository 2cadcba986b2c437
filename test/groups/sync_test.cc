#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

// Two members that were told generation 1; the leader first.
std::vector<std::string> completing_group(Lab& lab) {
  std::vector<std::string> ids{lab.new_id(), lab.new_id()};
  for (const auto& id : ids) lab.send(Lab::join_request(id));
  lab.advance(seconds(6));
  EXPECT_EQ(lab.group->state(), GroupState::completing_rebalance);
  if (ids[0] != lab.leader()) std::swap(ids[0], ids[1]);
  return ids;
}

ErrorCode sync_error(Lab& lab, Sync request) { return lab.ask<SyncReply>(std::move(request)).error; }

TEST(GroupSync, Refusals) {
  Lab lab;
  EXPECT_EQ(sync_error(lab, lab.sync_request("nobody")), ErrorCode::unknown_member_id);
  const auto ids = completing_group(lab);
  EXPECT_EQ(sync_error(lab, lab.sync_request("nobody")), ErrorCode::unknown_member_id);
  auto request = lab.sync_request(ids[1]);
  request.generation = 7;
  request.protocol = "nonsense";
  EXPECT_EQ(sync_error(lab, request), ErrorCode::illegal_generation);
  request.generation = 1;
  EXPECT_EQ(sync_error(lab, request), ErrorCode::inconsistent_group_protocol);
  request.protocol = "range";
  request.protocol_type = "connect";
  EXPECT_EQ(sync_error(lab, request), ErrorCode::inconsistent_group_protocol);
  Lab nameless({}, "");
  EXPECT_EQ(sync_error(nameless, lab.sync_request("x")), ErrorCode::invalid_group_id);
}

TEST(GroupSync, TooLargeAnAssignment_IsRefused) {
  Lab lab({.max_assignment_bytes = 5});
  const auto ids = completing_group(lab);
  EXPECT_EQ(sync_error(lab, lab.sync_request(ids[0], {{ids[0], bytes("123456")}})),
            ErrorCode::message_too_large);
  EXPECT_EQ(sync_error(lab, lab.sync_request(ids[0], {{ids[0], bytes("12345")}})), ErrorCode::none);
}

TEST(GroupSync, Followers_WaitForTheLeader) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto follows = lab.send(lab.sync_request(ids[1]));
  EXPECT_FALSE(lab.answered(follows));
  const auto leads = lab.send(lab.sync_request(ids[0], {{ids[0], bytes("a")}, {ids[1], bytes("b")}}));
  EXPECT_EQ(lab.answer<SyncReply>(leads).assignment, bytes("a"));
  EXPECT_EQ(lab.answer<SyncReply>(follows).assignment, bytes("b"));
  EXPECT_EQ(lab.answer<SyncReply>(follows).protocol, "range");
  EXPECT_EQ(lab.answer<SyncReply>(follows).protocol_type, "consumer");
  EXPECT_EQ(lab.held[follows], lab.last.persist->sequence);
}

TEST(GroupSync, WhomTheLeaderLeftOut_GetsNothing) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto follows = lab.send(lab.sync_request(ids[1]));
  lab.send(lab.sync_request(ids[0], {{ids[0], bytes("a")}, {"stranger", bytes("c")}}));
  EXPECT_EQ(lab.answer<SyncReply>(follows).error, ErrorCode::none);
  EXPECT_TRUE(lab.answer<SyncReply>(follows).assignment.empty());
}

TEST(GroupSync, InStable_GivesTheCurrentAssignment) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  EXPECT_EQ(lab.ask<SyncReply>(lab.sync_request(ids[1])).assignment, bytes("part " + ids[1]));
}

TEST(GroupSync, DuringARebalance_IsToldToRejoin) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  lab.send(Lab::join_request(ids[0]));
  EXPECT_EQ(sync_error(lab, lab.sync_request(ids[1])), ErrorCode::rebalance_in_progress);
}

TEST(GroupSync, ParkedSync_IsToldOfANewRebalance) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto parked = lab.send(lab.sync_request(ids[1]));
  lab.send(Lab::join_request(lab.new_id()));
  EXPECT_EQ(lab.answer<SyncReply>(parked).error, ErrorCode::rebalance_in_progress);
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
}

TEST(GroupSync, AskedTwice_AnswersBoth) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto first = lab.send(lab.sync_request(ids[1]));
  const auto second = lab.send(lab.sync_request(ids[1]));
  EXPECT_EQ(lab.answer<SyncReply>(first).error, ErrorCode::rebalance_in_progress);
  lab.send(lab.sync_request(ids[0], {{ids[1], bytes("b")}}));
  EXPECT_EQ(lab.answer<SyncReply>(second).assignment, bytes("b"));
}

TEST(GroupSync, LeaderThatDoesNotSyncInTime_IsRemovedAndTheOthersRejoin) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto parked = lab.send(lab.sync_request(ids[1]));
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::none);
    lab.advance(seconds(5));
  }
  EXPECT_FALSE(lab.answered(parked));
  lab.heartbeat(ids[0]);
  lab.advance(seconds(5));
  EXPECT_EQ(lab.answer<SyncReply>(parked).error, ErrorCode::rebalance_in_progress);
  EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(ids[1])).leader, ids[1]);
}

TEST(GroupSync, FollowerThatNeverSyncs_IsRemovedEvenInStable) {
  Lab lab;
  const auto ids = completing_group(lab);
  lab.send(lab.sync_request(ids[0]));
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  for (int i = 0; i < 12; ++i) {
    lab.heartbeat(ids[0]);
    lab.heartbeat(ids[1]);
    lab.advance(seconds(5));
  }
  EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::rebalance_in_progress);
}

TEST(GroupSync, ParkedSync_DoesNotTimeOut) {
  Lab lab;
  const auto ids = completing_group(lab);
  const auto parked = lab.send(lab.sync_request(ids[1]));
  for (int i = 0; i < 6; ++i) {
    lab.advance(seconds(5));  // three sessions long
    lab.heartbeat(ids[0]);
  }
  EXPECT_FALSE(lab.answered(parked));
  lab.send(lab.sync_request(ids[0], {{ids[1], bytes("b")}}));
  EXPECT_EQ(lab.answer<SyncReply>(parked).assignment, bytes("b"));
  lab.advance(milliseconds(9'999));  // the answer began a session
  EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::none);
}

}  // namespace
}  // namespace tidegate::groups
