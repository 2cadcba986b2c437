#include <gtest/gtest.h>

#include "groups/group_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;

TEST(GroupDescribe, NotThere_IsDead) {
  Lab lab;
  EXPECT_EQ(lab.group->state(), GroupState::dead);
  EXPECT_FALSE(lab.group->describe_classic());
  EXPECT_FALSE(lab.group->describe_consumer());
  EXPECT_EQ(lab.group->type(), GroupType::none);
}

TEST(GroupDescribe, Stable_ShowsProtocolMetadataAndAssignment) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto seen = lab.group->describe_classic();
  ASSERT_TRUE(seen);
  EXPECT_FALSE(lab.group->describe_consumer());
  EXPECT_EQ(seen->state, GroupState::stable);
  EXPECT_EQ(seen->protocol_type, "consumer");
  EXPECT_EQ(seen->protocol, "range");
  ASSERT_EQ(seen->members.size(), 2U);
  for (const auto& member : seen->members) {
    EXPECT_EQ(member.client_id, "client");
    EXPECT_EQ(member.client_host, "/127.0.0.1");
    EXPECT_EQ(member.metadata, bytes("metadata"));
    EXPECT_EQ(member.assignment, bytes("part " + member.member_id));
    EXPECT_FALSE(member.instance_id);
  }
}

TEST(GroupDescribe, DuringARebalance_ShowsMembersAlone) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  lab.send(Lab::join_request(ids[0]));
  const auto seen = lab.group->describe_classic();
  EXPECT_EQ(seen->state, GroupState::preparing_rebalance);
  EXPECT_EQ(seen->protocol, "");
  ASSERT_EQ(seen->members.size(), 2U);
  EXPECT_TRUE(seen->members[0].metadata.empty());
  EXPECT_TRUE(seen->members[0].assignment.empty());
  EXPECT_EQ(lab.group->counts().parked, 1U);
}

TEST(GroupDescribe, Names_AreKafkas) {
  EXPECT_EQ(state_name(GroupState::preparing_rebalance), "PreparingRebalance");
  EXPECT_EQ(state_name(GroupState::completing_rebalance), "CompletingRebalance");
  EXPECT_EQ(state_name(GroupState::empty), "Empty");
  EXPECT_EQ(state_name(GroupState::stable), "Stable");
  EXPECT_EQ(state_name(GroupState::dead), "Dead");
  EXPECT_EQ(state_name(GroupState::assigning), "Assigning");
  EXPECT_EQ(state_name(GroupState::reconciling), "Reconciling");
  EXPECT_EQ(type_name(GroupType::classic), "classic");
  EXPECT_EQ(type_name(GroupType::consumer), "consumer");
}

TEST(GroupDescribe, Notes_TellTheOperatorWhy) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  auto request = Lab::join_request(ids[0]);
  request.reason = "topics changed";
  lab.send(request);
  ASSERT_EQ(lab.last.notes.size(), 2U);
  EXPECT_EQ(lab.last.notes[0].event, "rebalance");
  EXPECT_EQ(lab.last.notes[0].client_reason, "topics changed");
  EXPECT_EQ(lab.last.notes[1].event, "generation");
  EXPECT_EQ(lab.last.notes[1].generation, 2);
}

}  // namespace
}  // namespace tidegate::groups
