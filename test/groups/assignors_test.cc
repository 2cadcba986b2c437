// Assignors by example; assignors_walk_test.cc has the random inputs.
#include "tidegate/groups/assignors.h"

#include <gtest/gtest.h>

#include "assignor_support.h"

namespace tidegate::groups {
namespace {

using testing::topic_id;

const TopicId kA = topic_id(1);
const TopicId kB = topic_id(2);

AssignorMember member(std::string id, std::vector<TopicId> topics, std::vector<TopicPartitions> owned = {}) {
  return {
      .member_id = std::move(id), .instance_id = {}, .topics = std::move(topics), .owned = std::move(owned)};
}

TEST(RangeAssignor, SameTopics_AreCoPartitioned) {
  const std::vector members{member("m2", {kA, kB}), member("m1", {kA, kB})};
  const auto result = assign_range(members, {{kA, 5}, {kB, 5}});
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kA, {0, 1, 2}}, {kB, {0, 1, 2}}}));
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {3, 4}}, {kB, {3, 4}}}));
}

TEST(RangeAssignor, StaticMembers_ComeFirstAndByInstance) {
  std::vector members{member("a", {kA}), member("z", {kA}), member("y", {kA})};
  members[1].instance_id = "i1";
  members[2].instance_id = "i2";
  const auto result = assign_range(members, {{kA, 3}});
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kA, {0}}}));
  EXPECT_EQ(result[2], (std::vector<TopicPartitions>{{kA, {1}}}));
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {2}}}));
}

TEST(RangeAssignor, MorePeopleThanPartitions_LeavesSomeWithout) {
  const std::vector members{member("a", {kA}), member("b", {kA, kB}), member("c", {kB})};
  const auto result = assign_range(members, {{kA, 1}, {kB, 2}});
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {0}}}));
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kB, {0}}}));
  EXPECT_EQ(result[2], (std::vector<TopicPartitions>{{kB, {1}}}));
}

TEST(UniformAssignor, NewMember_TakesOnlyItsShare) {
  const std::vector members{member("a", {kA}, {{kA, {0, 1, 2}}}), member("b", {kA}, {{kA, {3, 4, 5}}}),
                            member("c", {kA})};
  const auto result = assign_uniform(members, {{kA, 6}});
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {0, 1}}}));
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kA, {3, 4}}}));
  EXPECT_EQ(result[2], (std::vector<TopicPartitions>{{kA, {2, 5}}}));
}

TEST(UniformAssignor, TwoTopics_AreSpreadOverMembers) {
  const std::vector members{member("a", {kA, kB}), member("b", {kA, kB})};
  const auto result = assign_uniform(members, {{kA, 2}, {kB, 2}});
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {0}}, {kB, {0}}}));
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kA, {1}}, {kB, {1}}}));
}

TEST(UniformAssignor, OwnedButGoneOrUnsubscribed_IsNotKept) {
  const std::vector members{member("a", {kA}, {{kA, {0, 9}}, {kB, {0}}}), member("b", {kA}, {{kA, {0}}})};
  const auto result = assign_uniform(members, {{kA, 2}, {kB, 1}});
  EXPECT_EQ(result[0], (std::vector<TopicPartitions>{{kA, {0}}}));
  EXPECT_EQ(result[1], (std::vector<TopicPartitions>{{kA, {1}}}));
}

// b is the only one for topic B, so what a and b share has to go to a, over a chain through c.
TEST(UniformAssignor, ChainOfMoves_LevelsWhatNoSingleMoveCan) {
  const auto c = topic_id(3);
  const std::vector members{member("a", {kA}), member("b", {kA, c}, {{kA, {0, 1}}}),
                            member("d", {kB, c}, {{kB, {0, 1}}, {c, {0, 1}}})};
  const auto result = assign_uniform(members, {{kA, 2}, {kB, 2}, {c, 2}});
  EXPECT_EQ(testing::load(result[0]), 2);
  EXPECT_EQ(testing::load(result[1]), 2);
  EXPECT_EQ(testing::load(result[2]), 2);
}

TEST(UniformAssignor, NobodyAndNothing_AreFine) {
  EXPECT_TRUE(assign_uniform({}, {{kA, 2}}).empty());
  EXPECT_TRUE(assign_range({}, {{kA, 2}}).empty());
  const std::vector members{member("a", {kA})};
  EXPECT_TRUE(assign_uniform(members, {})[0].empty());
  EXPECT_TRUE(assign_range(members, {{kA, 0}})[0].empty());
}

TEST(Assignors, AreFoundByKafkasNames) {
  EXPECT_EQ(find_assignor("uniform"), &assign_uniform);
  EXPECT_EQ(find_assignor("range"), &assign_range);
  EXPECT_EQ(find_assignor("sticky"), nullptr);
  EXPECT_EQ(find_assignor(""), nullptr);
}

CooperativeMember client(std::string id, std::vector<NamedTopicPartitions> owned, std::int32_t generation) {
  return {.member_id = std::move(id),
          .subscription = {.topics = {"t"},
                           .user_data = {},
                           .owned_partitions = std::move(owned),
                           .generation_id = generation,
                           .rack_id = {}}};
}

TEST(CooperativeSticky, WhatChangesHands_WaitsForTheNextRound) {
  std::vector members{client("a", {{"t", {0, 1, 2, 3}}}, 1), client("b", {}, -1)};
  auto result = assign_cooperative_sticky(members, {{"t", 4}});
  EXPECT_EQ(result[0], (std::vector<NamedTopicPartitions>{{"t", {0, 1}}}));
  EXPECT_TRUE(result[1].empty());
  members[0] = client("a", result[0], 2);
  members[1] = client("b", result[1], 2);
  result = assign_cooperative_sticky(members, {{"t", 4}});
  EXPECT_EQ(result[0], (std::vector<NamedTopicPartitions>{{"t", {0, 1}}}));
  EXPECT_EQ(result[1], (std::vector<NamedTopicPartitions>{{"t", {2, 3}}}));
}

TEST(CooperativeSticky, StaleClaims_DoNotHoldAnythingBack) {
  const std::vector members{client("a", {{"t", {0, 1}}}, 1), client("b", {{"t", {0, 1}}}, 3)};
  const auto result = assign_cooperative_sticky(members, {{"t", 2}});
  EXPECT_EQ(testing::load(result[1]), 1) << "b's claim is the newer one";
  EXPECT_TRUE(result[0].empty()) << "what b owns goes to a when b has given it up";
}

TEST(CooperativeSticky, TwoClaimsOfOneGeneration_GoToNobody) {
  const std::vector members{client("a", {{"t", {0}}}, 4), client("b", {{"t", {0}}}, 4)};
  const auto result = assign_cooperative_sticky(members, {{"t", 2}});
  EXPECT_EQ(testing::load(result[0]) + testing::load(result[1]), 1);
  for (const auto& partitions : result) {
    for (const auto& topic : partitions) EXPECT_EQ(topic.partitions, std::vector<std::int32_t>{1});
  }
}

}  // namespace
}  // namespace tidegate::groups
