// A coordinator that was killed and comes back in each phase, and stored bytes that make no sense.
#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

TEST(GroupReplay, Stable_GoesOnWhereItWas) {
  Lab lab;
  const auto ids = lab.stable_group(3);
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  for (const auto& id : ids) EXPECT_EQ(lab.heartbeat(id), ErrorCode::none);
  EXPECT_EQ(lab.ask<SyncReply>(lab.sync_request(ids[2])).assignment, bytes("part " + ids[2]));
  EXPECT_EQ(lab.generation(), 1);
}

TEST(GroupReplay, EveryMember_GetsAWholeSession) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  lab.advance(milliseconds(9'000));
  lab.reload();
  lab.advance(milliseconds(9'999));
  EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::none);
  lab.reload();
  lab.advance(seconds(10));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(GroupReplay, Completing_StillWaitsForTheLeader) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  lab.send(Lab::join_request(id));
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::completing_rebalance);
  lab.sync_all({id});
}

TEST(GroupReplay, Completing_GivesUpOnALeaderThatNeverSyncs) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  const auto id = lab.new_id();
  lab.send(Lab::join_request(id));
  lab.reload();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(lab.heartbeat(id), ErrorCode::none);
    lab.advance(seconds(5));
  }
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(GroupReplay, Preparing_AsksMembersToRejoin) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  lab.send(Lab::join_request(ids[0]));
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::rebalance_in_progress);
  const auto first = lab.send(Lab::join_request(ids[0]));
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(ids[1])).generation, 2);
  EXPECT_EQ(lab.answer<JoinReply>(first).generation, 2);
}

TEST(GroupReplay, Preparing_EndsWithoutWhoDoesNotComeBack) {
  Lab lab;
  lab.stable_group(2);
  lab.send(Lab::join_request(lab.leader()));
  lab.reload();
  lab.advance(minutes(2));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(GroupReplay, MemberThatLeft_StaysAwayAndItsPartitionsAreAssignedAnew) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  lab.send(Leave{.members = {{.member_id = ids[1]}}});
  lab.reload();
  EXPECT_EQ(lab.heartbeat(ids[1]), ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.heartbeat(ids[0]), ErrorCode::rebalance_in_progress);
}

TEST(GroupReplay, IdsGivenOut_AreForgotten) {
  Lab lab;
  const auto id = lab.new_id();
  lab.reload();
  EXPECT_EQ(lab.ask<JoinReply>(Lab::join_request(id)).error, ErrorCode::unknown_member_id);
}

TEST(GroupReplay, Loaded_DoesNoHarmToANewGroup) {
  Lab lab;
  lab.tell(Loaded{});
  EXPECT_FALSE(lab.last.persist);
  EXPECT_TRUE(lab.group->can_forget());
}

PutClassicMember stored_member(std::string id, std::vector<JoinProtocol> protocols,
                               std::optional<std::string> instance = {}) {
  return PutClassicMember{{.member_id = std::move(id),
                           .instance_id = std::move(instance),
                           .session_timeout_ms = 10'000,
                           .rebalance_timeout_ms = 10'000,
                           .protocols = std::move(protocols)}};
}

PutClassicHead stored_head(ClassicPhase phase) {
  return PutClassicHead{{.phase = phase, .generation = 5, .protocol_type = "consumer", .protocol = "a"}};
}

// No event writes such a group: it is told, and nobody is removed from it.
TEST(GroupReplay, RecordsThatDoNotMakeAGroup_AreRefused) {
  const auto head = stored_head;
  const auto member = stored_member;
  const PutConsumerHead consumer{{.group_epoch = 3, .target_epoch = 3}};
  const std::vector<std::vector<Record>> stores{
      {head(ClassicPhase::stable)},
      {head(ClassicPhase::completing)},
      {head(ClassicPhase::empty), member("m", {{"a", {}}}, {})},
      {head(ClassicPhase::stable), member("m", {}, {})},
      {head(ClassicPhase::completing), member("m", {{"a", {}}}, {}), member("n", {{"b", {}}}, {})},
      {head(ClassicPhase::stable), member("m", {{"a", {}}}, "i"), member("n", {{"a", {}}}, "i")},
      {PutConsumerHead{{.group_epoch = 3, .target_epoch = 4}}},
      {consumer, PutConsumerMember{{.member_id = "m"}}, PutCurrentAssignment{"m", {.member_epoch = 4}}},
  };
  for (std::size_t i = 0; i < stores.size(); ++i) {
    Lab lab;
    for (const auto& record : stores[i]) ASSERT_TRUE(lab.group->apply(record));
    const auto fits = lab.group->check_stored();
    ASSERT_FALSE(fits) << "store " << i;
    EXPECT_EQ(fits.error().code, ErrorCode::corrupt_message);
  }
}

TEST(GroupReplay, RecordsThatMakeAGroup_Pass) {
  const std::vector<std::vector<Record>> stores{
      {},
      {PutOffset{.topic = "t", .partition = 0, .value = {.offset = 9}}},  // without a head
      {stored_head(ClassicPhase::preparing)},
      {stored_head(ClassicPhase::stable), stored_member("m", {{"a", {}}}, "i"),
       stored_member("n", {{"a", {}}}, "j")},
      {PutConsumerHead{{.group_epoch = 3, .target_epoch = 2}}, PutConsumerMember{{.member_id = "m"}},
       PutCurrentAssignment{"m", {.member_epoch = -2}}},
  };
  for (std::size_t i = 0; i < stores.size(); ++i) {
    Lab lab;
    for (const auto& record : stores[i]) ASSERT_TRUE(lab.group->apply(record));
    EXPECT_TRUE(lab.group->check_stored()) << "store " << i;
  }
}

// A former release wrote this when cooperative-sticky was switched off in the middle of a rebalance.
TEST(GroupReplay, JoiningMembersWithoutACommonProtocol_ComeBack) {
  Lab lab;
  write_to(lab.store, {stored_head(ClassicPhase::preparing), stored_member("m", {{"a", {}}}),
                       stored_member("n", {{"b", {}}}),
                       PutOffset{.topic = "t", .partition = 0, .value = {.offset = 9}}});
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.heartbeat("m"), ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.group->counts().offsets, 1U);
}

TEST(GroupReplay, EmptyJoiningPhase_EndsByItself) {
  Lab lab;
  const auto id = lab.new_id();
  lab.send(Lab::join_request(id));
  lab.send(Leave{.members = {{.member_id = id}}});
  ASSERT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  lab.reload();
  lab.advance(seconds(1));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(GroupReplay, RecordsThatDoNotFit_AreRefused) {
  const auto error_of = [](const std::vector<Record>& records) {
    Lab lab;
    for (const auto& record : records) {
      if (const auto applied = lab.group->apply(record); !applied) return applied.error().code;
    }
    return ErrorCode::none;
  };
  const PutClassicHead classic{};
  const PutConsumerHead consumer{};
  EXPECT_EQ(error_of({classic, PutClassicMember{{.member_id = "m"}}}), ErrorCode::none);
  EXPECT_EQ(error_of({PutClassicMember{{.member_id = "m"}}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, PutClassicMember{}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, PutClassicAssignment{"m", {}}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, EraseClassicMember{"m"}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, PutConsumerMember{{.member_id = "m"}}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, consumer}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({consumer, PutTargetAssignment{"m", {}}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({consumer, PutCurrentAssignment{"m", {}}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({consumer, EraseConsumerMember{"m"}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({consumer, PutConsumerMember{}}), ErrorCode::corrupt_message);
  EXPECT_EQ(error_of({classic, PutClassicMember{{.member_id = "m"}}, EraseHead{}}),
            ErrorCode::corrupt_message);
}

}  // namespace
}  // namespace tidegate::groups
