#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

std::vector<ErrorCode> leave(Lab& lab, std::vector<LeavingMember> members) {
  const auto reply = lab.ask<LeaveReply>(Leave{.members = std::move(members)});
  EXPECT_EQ(reply.error, ErrorCode::none);
  std::vector<ErrorCode> errors;
  for (const auto& member : reply.members) errors.push_back(member.error);
  return errors;
}
using Errors = std::vector<ErrorCode>;

TEST(GroupLeave, EmptyGroupId_IsRefused) {
  Lab lab({}, "");
  EXPECT_EQ(lab.ask<LeaveReply>(Leave{}).error, ErrorCode::invalid_group_id);
}

TEST(GroupLeave, OfAMember_StartsRebalance) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  EXPECT_EQ(leave(lab, {{.member_id = ids[0]}}), Errors{ErrorCode::none});
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  EXPECT_EQ(lab.group->counts().members, 1U);
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(ids[1])).leader, ids[1]);
}

TEST(GroupLeave, OfTheLastMember_EmptiesTheGroup) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  leave(lab, {{.member_id = ids[0]}});
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.generation(), 2);
}

TEST(GroupLeave, Batch_AnswersEachMember) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto fixed = lab.ask<JoinReply>(Lab::static_request("i")).member_id;
  const auto pending = lab.new_id();
  EXPECT_EQ(leave(lab, {{.member_id = "nobody"},
                        {.member_id = "other", .instance_id = "i"},
                        {.member_id = fixed, .instance_id = "j"},
                        {.member_id = "", .instance_id = "j"},
                        {.member_id = ""},
                        {.member_id = pending},
                        {.member_id = fixed, .instance_id = "i"},
                        {.member_id = fixed, .instance_id = "i"}}),
            (Errors{ErrorCode::unknown_member_id, ErrorCode::fenced_instance_id, ErrorCode::unknown_member_id,
                    ErrorCode::unknown_member_id, ErrorCode::unknown_member_id, ErrorCode::none,
                    ErrorCode::none, ErrorCode::unknown_member_id}));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.group->counts().pending_ids, 0U);
}

TEST(GroupLeave, ByInstanceIdAlone_RemovesAStaticMember) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.ask<JoinReply>(Lab::static_request("i")).member_id;
  lab.sync_all({id});
  EXPECT_EQ(leave(lab, {{.instance_id = "i"}}), Errors{ErrorCode::none});
  EXPECT_EQ(lab.heartbeat(id), ErrorCode::unknown_member_id);
}

TEST(GroupLeave, OfTheOneWhoIsWaitedFor_CompletesTheRebalance) {
  Lab lab;
  const auto ids = lab.stable_group(3);
  const auto first = lab.send(Lab::join_request(ids[0]));
  const auto second = lab.send(Lab::join_request(ids[1]));
  leave(lab, {{.member_id = ids[2]}});
  EXPECT_EQ(lab.answer<JoinReply>(first).members.size(), 2U);
  EXPECT_EQ(lab.answer<JoinReply>(second).generation, 2);
}

TEST(GroupLeave, OfAParkedMember_AnswersWhatIsParked) {
  Lab lab;
  const auto id = lab.new_id();
  const auto join = lab.send(Lab::join_request(id));
  leave(lab, {{.member_id = id}});
  EXPECT_EQ(lab.answer<JoinReply>(join).error, ErrorCode::unknown_member_id);
  lab.advance(seconds(3));
  EXPECT_EQ(lab.group->state(), GroupState::empty);

  Lab other;
  std::vector<std::string> ids{other.new_id(), other.new_id()};
  for (const auto& one : ids) other.send(Lab::join_request(one));
  other.advance(seconds(6));
  const auto follower = ids[0] == other.leader() ? ids[1] : ids[0];
  const auto sync = other.send(other.sync_request(follower));
  leave(other, {{.member_id = follower}});
  EXPECT_EQ(other.answer<SyncReply>(sync).error, ErrorCode::unknown_member_id);
}

TEST(GroupLeave, OfAGroupThatIsNotThere_KnowsNobody) {
  Lab lab;
  EXPECT_EQ(leave(lab, {{.member_id = "nobody"}}), Errors{ErrorCode::unknown_member_id});
  EXPECT_TRUE(lab.group->can_forget());
}

}  // namespace
}  // namespace tidegate::groups
