#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

ErrorCode join_error(Lab& lab, Join request) { return lab.ask<JoinReply>(std::move(request)).error; }

// ---- refusals, in the order of Kafka's checks

TEST(GroupJoin, EmptyGroupId_IsRefusedFirst) {
  Lab lab({}, "");
  auto request = Lab::join_request();
  request.session_timeout_ms = 1;
  EXPECT_EQ(join_error(lab, request), ErrorCode::invalid_group_id);
}

TEST(GroupJoin, SessionTimeoutOutsideTheBounds_IsRefused) {
  Lab lab;
  struct Case {
    std::int32_t session_timeout_ms;
    ErrorCode error;
  };
  for (const auto& [timeout, error] :
       {Case{5'999, ErrorCode::invalid_session_timeout}, Case{6'000, ErrorCode::member_id_required},
        Case{1'800'000, ErrorCode::member_id_required}, Case{1'800'001, ErrorCode::invalid_session_timeout},
        Case{-1, ErrorCode::invalid_session_timeout}}) {
    auto request = Lab::join_request();
    request.session_timeout_ms = timeout;
    EXPECT_EQ(join_error(lab, request), error) << timeout;
  }
}

TEST(GroupJoin, TooMuchMetadata_IsRefused) {
  Lab lab({.max_member_metadata_bytes = 13});
  EXPECT_EQ(join_error(lab, Lab::join_request()), ErrorCode::member_id_required);
  auto request = Lab::join_request();
  request.protocols[0].metadata.push_back(1);
  EXPECT_EQ(join_error(lab, request), ErrorCode::message_too_large);
}

TEST(GroupJoin, NoProtocolsOrNoType_IsRefusedForANewGroup) {
  Lab lab;
  auto request = Lab::join_request();
  request.protocols.clear();
  EXPECT_EQ(join_error(lab, request), ErrorCode::inconsistent_group_protocol);
  request = Lab::join_request();
  request.protocol_type.clear();
  EXPECT_EQ(join_error(lab, request), ErrorCode::inconsistent_group_protocol);
  EXPECT_FALSE(lab.group->exists());
}

TEST(GroupJoin, OtherTypeOrNoCommonProtocol_IsRefused) {
  Lab lab;
  lab.stable_group(2);
  auto request = Lab::join_request();
  request.protocol_type = "connect";
  EXPECT_EQ(join_error(lab, request), ErrorCode::inconsistent_group_protocol);
  request = Lab::join_request();
  request.protocols = {{"sticky", {}}};
  EXPECT_EQ(join_error(lab, request), ErrorCode::inconsistent_group_protocol);
}

TEST(GroupJoin, SizeLimit_ComesBeforeTheProtocolCheck) {
  Lab lab({.max_group_size = 2});
  lab.stable_group(2);
  auto request = Lab::join_request();
  request.protocol_type = "connect";
  const auto reply = lab.ask<JoinReply>(request);
  EXPECT_EQ(reply.error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(reply.member_id, "");
}

TEST(GroupJoin, LoweredSizeLimit_SendsAwayWhoComesLast) {
  Lab lab;
  const auto ids = lab.stable_group(3);
  lab.limits.max_group_size = 2;
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  const auto first = lab.send(Lab::join_request(ids[1]));
  const auto second = lab.send(Lab::join_request(ids[2]));
  const auto third = lab.send(Lab::join_request(ids[0]));
  EXPECT_EQ(lab.answer<JoinReply>(third).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(lab.answer<JoinReply>(first).error, ErrorCode::none);
  EXPECT_EQ(lab.answer<JoinReply>(second).error, ErrorCode::none);
  EXPECT_EQ(lab.group->counts().members, 2U);
}

TEST(GroupJoin, UnknownMemberId_IsToldSo) {
  Lab lab;
  EXPECT_EQ(join_error(lab, Lab::join_request("nobody")), ErrorCode::unknown_member_id);
  auto speechless = Lab::join_request("nobody");
  speechless.protocols.clear();
  EXPECT_EQ(join_error(lab, speechless), ErrorCode::unknown_member_id)
      << "there is no group to disagree with";
  EXPECT_FALSE(lab.group->exists());
  lab.stable_group(1);
  const auto reply = lab.ask<JoinReply>(Lab::join_request("nobody"));
  EXPECT_EQ(reply.error, ErrorCode::unknown_member_id);
  EXPECT_EQ(reply.member_id, "nobody");
}

// ---- ids

TEST(GroupJoin, DynamicMember_IsGivenAnIdAndComesBackWithIt) {
  Lab lab;
  const auto reply = lab.ask<JoinReply>(Lab::join_request());
  EXPECT_EQ(reply.error, ErrorCode::member_id_required);
  EXPECT_EQ(reply.member_id.size(), std::string("client-").size() + 36);
  EXPECT_TRUE(reply.member_id.starts_with("client-"));
  EXPECT_FALSE(lab.group->exists());
  EXPECT_FALSE(lab.group->can_forget());
  EXPECT_FALSE(lab.answered(lab.send(Lab::join_request(reply.member_id))));
  EXPECT_EQ(lab.group->counts().members, 1U);
  EXPECT_EQ(lab.group->counts().pending_ids, 0U);
}

TEST(GroupJoin, OldVersions_AreAddedAtOnce) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::join_request();
  request.member_id_required = false;
  request.rebalance_timeout_ms = -1;
  const auto reply = lab.ask<JoinReply>(request);
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.generation, 1);
  EXPECT_EQ(reply.leader, reply.member_id);
}

TEST(GroupJoin, UnusedId_ExpiresWithItsSessionTimeout) {
  Lab lab;
  const auto id = lab.new_id();
  lab.advance(milliseconds(9'999));
  EXPECT_EQ(lab.group->counts().pending_ids, 1U);
  lab.advance(milliseconds(1));
  EXPECT_EQ(lab.group->counts().pending_ids, 0U);
  EXPECT_TRUE(lab.group->can_forget());
  EXPECT_EQ(join_error(lab, Lab::join_request(id)), ErrorCode::unknown_member_id);
}

TEST(GroupJoin, TooManyUnusedIds_ForgetTheOldest) {
  Lab lab({.max_pending_ids = 2});
  const auto first = lab.new_id();
  const auto second = lab.new_id();
  lab.new_id();
  EXPECT_EQ(lab.group->counts().pending_ids, 2U);
  EXPECT_EQ(join_error(lab, Lab::join_request(first)), ErrorCode::unknown_member_id);
  EXPECT_FALSE(lab.answered(lab.send(Lab::join_request(second))));
}

// ---- rejoining

TEST(GroupJoin, FollowerWithSameMetadata_IsToldTheGenerationAgain) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto reply = lab.ask<JoinReply>(Lab::join_request(ids[1]));
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.generation, 1);
  EXPECT_EQ(reply.leader, ids[0]);
  EXPECT_TRUE(reply.members.empty());
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(GroupJoin, LeaderRejoin_StartsRebalance) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto leads = lab.send(Lab::join_request(ids[0]));
  EXPECT_FALSE(lab.answered(leads));
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  const auto follows = lab.send(Lab::join_request(ids[1]));
  EXPECT_EQ(lab.answer<JoinReply>(leads).generation, 2);
  EXPECT_EQ(lab.answer<JoinReply>(leads).members.size(), 2U);
  EXPECT_TRUE(lab.answer<JoinReply>(follows).members.empty());
}

TEST(GroupJoin, ChangedMetadata_StartsRebalance) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  auto request = Lab::join_request(ids[1]);
  request.protocols[0].metadata = bytes("other");
  EXPECT_FALSE(lab.answered(lab.send(request)));
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  const auto leads = lab.send(Lab::join_request(ids[0]));
  for (const auto& member : lab.answer<JoinReply>(leads).members) {
    EXPECT_EQ(member.metadata, bytes(member.member_id == ids[1] ? "other" : "metadata"));
  }
}

TEST(GroupJoin, LostAnswerWhileCompleting_IsRepeated) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  const auto first = lab.ask<JoinReply>(Lab::join_request(id));
  const auto again = lab.ask<JoinReply>(Lab::join_request(id));
  EXPECT_EQ(again.generation, first.generation);
  EXPECT_EQ(again.members.size(), 1U);
  EXPECT_EQ(lab.group->state(), GroupState::completing_rebalance);
}

TEST(GroupJoin, ChangedMetadataWhileCompleting_StartsOver) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  lab.send(Lab::join_request(id));
  auto request = Lab::join_request(id);
  request.protocols[0].metadata = bytes("other");
  EXPECT_EQ(lab.ask<JoinReply>(request).generation, 2);
}

TEST(GroupJoin, AskedTwice_AnswersBoth) {
  Lab lab;
  const auto id = lab.new_id();
  const auto first = lab.send(Lab::join_request(id));
  const auto second = lab.send(Lab::join_request(id));
  EXPECT_EQ(lab.answer<JoinReply>(first).error, ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(lab.answered(second));
  lab.advance(seconds(3));
  EXPECT_EQ(lab.answer<JoinReply>(second).error, ErrorCode::none);
}

// ---- durability

TEST(GroupJoin, AnswerWithAGeneration_WaitsForItsRecords) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  const auto reply = lab.send(Lab::join_request(id));
  ASSERT_EQ(lab.answer<JoinReply>(reply).generation, 1);
  ASSERT_TRUE(lab.last.persist);
  EXPECT_EQ(lab.held[reply], lab.last.persist->sequence);
  // And so does the repeated one, which writes nothing itself.
  const auto again = lab.send(Lab::join_request(id));
  EXPECT_FALSE(lab.last.persist);
  EXPECT_EQ(lab.held[again], lab.group->last_persist());
}

// ---- the vote

TEST(GroupJoin, ProtocolWithMostFirstChoicesAmongTheCommonOnes_Wins) {
  Lab lab;
  const std::vector<std::vector<JoinProtocol>> wishes{{{"a", bytes("1")}, {"b", {}}, {"c", {}}},
                                                      {{"b", bytes("2")}, {"a", {}}},
                                                      {{"x", {}}, {"b", {}}, {"a", {}}}};
  std::vector<ReplyId> replies;
  for (const auto& protocols : wishes) {
    auto request = Lab::join_request();
    request.member_id_required = false;
    request.protocols = protocols;
    replies.push_back(lab.send(request));
  }
  lab.advance(minutes(1));
  for (const auto reply : replies) EXPECT_EQ(lab.answer<JoinReply>(reply).protocol, "b");
  for (const auto& member : lab.answer<JoinReply>(replies[0]).members) {
    EXPECT_TRUE(member.metadata.empty() || member.metadata == bytes("2"));
  }
}

TEST(GroupJoin, CooperativeStickySwitchedOff_LeavesTheVote) {
  Lab lab({.initial_rebalance_delay = Duration::zero(), .cooperative_sticky_enabled = false});
  auto request = Lab::join_request(lab.new_id());
  request.protocols = {{"cooperative-sticky", {}}, {"range", {}}};
  EXPECT_EQ(lab.ask<JoinReply>(request).protocol, "range");
  request = Lab::join_request();
  request.protocols = {{"cooperative-sticky", {}}};
  EXPECT_EQ(join_error(lab, request), ErrorCode::inconsistent_group_protocol);
}

TEST(GroupJoin, CooperativeStickySwitchedOffAcrossARestart_MakesItsSpeakersJoinAnew) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::join_request(lab.new_id());
  request.protocols = {{"cooperative-sticky", {}}, {"range", {}}};
  lab.send(request);
  lab.sync_all({request.member_id});
  lab.limits.cooperative_sticky_enabled = false;
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(join_error(lab, request), ErrorCode::unknown_member_id);
}

TEST(GroupJoin, CooperativeStickySwitchedOffAcrossARestart_IsForgottenByAGroupThatChoseAnother) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::join_request(lab.new_id());
  request.protocols = {{"range", {}}, {"cooperative-sticky", {}}};
  lab.send(request);
  lab.sync_all({request.member_id});
  lab.limits.cooperative_sticky_enabled = false;
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(lab.heartbeat(request.member_id), ErrorCode::none);
}

}  // namespace
}  // namespace tidegate::groups
