// How members of a KIP-848 group come to a new target without a partition ever having two owners; static
// members; topics that change; what a restart keeps.
#include "consumer_lab.h"

namespace tidegate::groups::test {
namespace {

TEST(ConsumerReconcile, NewMember_WaitsForWhatOthersGiveUp) {
  ConsumerLab lab;
  lab.join("a");
  EXPECT_TRUE(lab.join("b").assignment->empty());
  EXPECT_EQ(lab.known["b"].epoch, 2);
  EXPECT_EQ(lab.group->state(), GroupState::reconciling);
  const auto told = lab.say(ConsumerLab::beat("a", 1));
  EXPECT_EQ(told.member_epoch, 1) << "stays in its epoch until it has revoked";
  EXPECT_EQ(ConsumerLab::size(*told.assignment), 3U);
  EXPECT_TRUE(lab.step("b").assignment == std::nullopt) << "not before a confirms";
  auto still = ConsumerLab::beat("a", 1);
  still.owned_partitions = lab.known["a"].owned;
  EXPECT_EQ(lab.say(still).member_epoch, 1);
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", 1)).member_epoch, 1) << "it did not say what it owns";
  lab.known["a"].owned = *told.assignment;
  EXPECT_EQ(lab.step("a").member_epoch, 2);
  EXPECT_EQ(ConsumerLab::size(*lab.step("b").assignment), 3U);
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(ConsumerReconcile, KeptPartition_IsNeverRevoked) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.settle({"a", "b"});
  const auto before = lab.known["a"].owned;
  lab.join("c");
  lab.settle({"a", "b", "c"});
  for (const auto p : lab.known["a"].owned[0].partitions) {
    EXPECT_TRUE(std::ranges::find(before[0].partitions, p) != before[0].partitions.end());
  }
  EXPECT_EQ(lab.owned("a"), 2U);
}

TEST(ConsumerReconcile, WhoDoesNotRevokeInTime_IsRemoved) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.say(ConsumerLab::beat("a", 1));
  for (int i = 0; i < 3; ++i) {
    lab.advance(seconds(20));
    lab.say(ConsumerLab::beat("a", 1));
    lab.step("b");
  }
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", 1)).error, ErrorCode::unknown_member_id);
  lab.settle({"b"});
  EXPECT_EQ(lab.owned("b"), 6U);
}

TEST(ConsumerReconcile, WhoRevokesInTime_Stays) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.step("a");
  lab.advance(seconds(30));
  lab.settle({"a", "b"});
  lab.advance(seconds(40));
  EXPECT_EQ(lab.step("a").error, ErrorCode::none) << "its rebalance timeout ended with the revocation";
}

TEST(ConsumerReconcile, TargetThatComesBack_IsGivenBack) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.step("a");
  lab.say(ConsumerLab::beat("b", -1));
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 6U);
}

TEST(ConsumerStatic, LeavesForAWhile_AndFindsItsPartitions) {
  ConsumerLab lab;
  lab.learn(lab.say(ConsumerLab::joining_static("a", "i")));
  lab.join("b");
  lab.settle({"a", "b"});
  const auto before = lab.known["a"].owned;
  const auto epoch = lab.describe().group_epoch;
  auto leave = ConsumerLab::beat("a", -2);
  leave.instance_id = "i";
  EXPECT_EQ(lab.say(leave).member_epoch, -2);
  EXPECT_EQ(lab.describe().group_epoch, epoch);
  const auto back = lab.learn(lab.say(ConsumerLab::joining_static("a2", "i")));
  EXPECT_EQ(*back.assignment, before);
  EXPECT_EQ(lab.describe().group_epoch, epoch) << "nobody else notices";
  EXPECT_EQ(lab.describe().members.size(), 2U);
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(ConsumerStatic, ComesBackUnderTheSameId) {
  ConsumerLab lab;
  lab.learn(lab.say(ConsumerLab::joining_static("a", "i")));
  auto leave = ConsumerLab::beat("a", -2);
  leave.instance_id = "i";
  lab.say(leave);
  const auto back = lab.say(ConsumerLab::joining_static("a", "i"));
  EXPECT_EQ(back.member_epoch, 1);
  EXPECT_EQ(ConsumerLab::size(*back.assignment), 6U);
}

TEST(ConsumerStatic, DoesNotComeBack_LosesItsPlace) {
  ConsumerLab lab;
  lab.learn(lab.say(ConsumerLab::joining_static("a", "i")));
  auto leave = ConsumerLab::beat("a", -2);
  leave.instance_id = "i";
  lab.say(leave);
  lab.advance(seconds(46));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(ConsumerStatic, InstanceInUse_IsRefused) {
  ConsumerLab lab;
  lab.learn(lab.say(ConsumerLab::joining_static("a", "i")));
  EXPECT_EQ(lab.say(ConsumerLab::joining_static("b", "i")).error, ErrorCode::unreleased_instance_id);
  auto other = ConsumerLab::beat("b", 1);
  other.instance_id = "i";
  EXPECT_EQ(lab.say(other).error, ErrorCode::fenced_instance_id);
  other.member_epoch = -1;
  EXPECT_EQ(lab.say(other).error, ErrorCode::fenced_instance_id);
}

TEST(ConsumerTopics, MorePartitions_ReachTheMembers) {
  ConsumerLab lab;
  lab.join("a");
  lab.topics.add("t", 9, 1);
  lab.tell(TopicsChanged{.changed = {"t"}, .deleted = {}});
  EXPECT_EQ(lab.group->state(), GroupState::assigning);
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 9U);
}

TEST(ConsumerTopics, OthersTopics_ChangeNothing) {
  ConsumerLab lab;
  lab.join("a");
  lab.topics.add("other", 3, 9);
  lab.topics.add("u", 5, 2);
  lab.tell(TopicsChanged{.changed = {"other", "u"}, .deleted = {}});
  EXPECT_FALSE(lab.last.persist);
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(ConsumerTopics, SubscribedBeforeItExists_IsAssignedWhenItDoes) {
  ConsumerLab lab;
  lab.join("a", {"later"});
  EXPECT_EQ(lab.owned("a"), 0U);
  lab.topics.add("later", 2, 7);
  lab.tell(TopicsChanged{.changed = {"later"}, .deleted = {}});
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 2U);
  const auto gone = *lab.topics.find("later");
  lab.topics.remove("later");
  lab.tell(TopicsChanged{.changed = {}, .deleted = {gone}});
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 0U);
}

ConsumerHeartbeat by_regex(const std::string& member, const std::string& regex) {
  auto request = ConsumerLab::joining(member);
  request.subscribed_topics.reset();
  request.subscribed_regex = regex;
  return request;
}

TEST(ConsumerRegex, MatchesWholeNamesOfNewAndOldTopics) {
  ConsumerLab lab;
  lab.learn(lab.say(by_regex("a", "t[0-9]*")));
  EXPECT_EQ(lab.owned("a"), 6U);
  lab.topics.add("t2", 1, 4);
  lab.topics.add("xt3", 1, 5);
  lab.tell(TopicsChanged{.changed = {"t2", "xt3"}, .deleted = {}});
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 7U);
  const auto gone = *lab.topics.find("t");
  lab.topics.remove("t");
  lab.tell(TopicsChanged{.changed = {}, .deleted = {gone}});
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 1U);
  EXPECT_EQ(lab.describe("a").subscribed_regex, "t[0-9]*");
}

TEST(ConsumerRegex, BadOne_IsRefusedAndLeavesNoTrace) {
  ConsumerLab lab({.max_regex_bytes = 8});
  EXPECT_EQ(lab.say(by_regex("a", "t(")).error, ErrorCode::invalid_regular_expression);
  EXPECT_EQ(lab.say(by_regex("a", "ttttttttt")).error, ErrorCode::invalid_regular_expression);
  EXPECT_EQ(lab.say(by_regex("a", "(?<=t)u")).error, ErrorCode::invalid_regular_expression) << "no RE2";
  EXPECT_FALSE(lab.group->exists());
}

// As Kafka's own broker answers: who does not belong to the group hears of that.
TEST(ConsumerRegex, BadOne_ComesAfterTheMemberAndItsEpoch) {
  ConsumerLab lab;
  const auto epoch = lab.join("a").member_epoch;
  const auto told = [&](std::string member, std::int32_t member_epoch) {
    auto request = ConsumerLab::beat(std::move(member), member_epoch);
    request.subscribed_regex = "t(";
    return lab.say(std::move(request)).error;
  };
  EXPECT_EQ(told("nobody", epoch), ErrorCode::unknown_member_id);
  EXPECT_EQ(told("a", epoch + 1), ErrorCode::fenced_member_epoch);
  EXPECT_EQ(told("a", epoch), ErrorCode::invalid_regular_expression);

  lab.learn(lab.say(ConsumerLab::joining_static("b", "i")));
  auto other = ConsumerLab::joining_static("c", "i");
  other.subscribed_regex = "t(";
  EXPECT_EQ(lab.say(other).error, ErrorCode::unreleased_instance_id);
  auto late = ConsumerLab::beat("c", epoch);
  late.instance_id = "i";
  late.subscribed_regex = "t(";
  EXPECT_EQ(lab.say(late).error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(lab.describe("a").member_epoch, epoch);
  EXPECT_EQ(lab.describe().members.size(), 2U);
}

TEST(ConsumerRegex, BadOne_DoesNotConvertAClassicGroup) {
  ConsumerLab lab;
  const TopicCommit offset{.topic = "t", .topic_id = {}, .partitions = {{.partition = 0, .offset = 1}}};
  ASSERT_EQ(lab.ask<CommitReply>(CommitOffsets{.topics = {offset}}).error, ErrorCode::none);
  ASSERT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.say(by_regex("a", "t(")).error, ErrorCode::invalid_regular_expression);
  EXPECT_EQ(lab.group->type(), GroupType::classic);
}

TEST(ConsumerRegex, EmptyOne_TakesItBack) {
  ConsumerLab lab;
  auto request = by_regex("a", ".*");
  request.subscribed_topics = {"u"};
  lab.learn(lab.say(request));
  EXPECT_EQ(lab.owned("a"), 8U);
  auto change = ConsumerLab::beat("a", 1);
  change.owned_partitions = lab.known["a"].owned;
  change.subscribed_regex = "";
  lab.learn(lab.say(change));
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 2U);
  EXPECT_EQ(lab.describe("a").subscribed_regex, "");
}

TEST(ConsumerRegex, LastSubscriberGone_ItIsForgotten) {
  ConsumerLab lab;
  lab.learn(lab.say(by_regex("a", "t.*")));
  lab.join("b");
  lab.say(ConsumerLab::beat("a", -1));
  for (const auto& record : lab.group->snapshot()) EXPECT_FALSE(std::holds_alternative<PutRegex>(record));
}

TEST(ConsumerReload, EpochsAssignmentsAndTimersAreKept) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.step("a");  // is to revoke
  const auto before = lab.describe();
  lab.reload();
  EXPECT_EQ(lab.describe().group_epoch, before.group_epoch);
  lab.settle({"a", "b"});
  EXPECT_EQ(lab.owned("b"), 3U);
  lab.reload();
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  lab.advance(seconds(44));
  EXPECT_EQ(lab.describe().members.size(), 2U) << "everybody has a whole session after a load";
  lab.advance(seconds(2));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
}

TEST(ConsumerReload, UnconfirmedRevocation_IsTimedAnew) {
  ConsumerLab lab({.consumer_session_timeout = minutes(10)});
  lab.join("a");
  lab.join("b");
  lab.step("a");
  lab.reload();
  lab.advance(seconds(61));
  EXPECT_EQ(lab.describe().members.size(), 1U);
}

TEST(ConsumerReload, TopicsThatChangedMeanwhile_AreNoticed) {
  ConsumerLab lab;
  lab.learn(lab.say(by_regex("a", "t.*")));
  lab.topics.add("t2", 3, 4);
  lab.reload();
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 9U);
}

CommitOffsets commit(const std::string& member, std::int32_t epoch, bool knows_epochs = true) {
  CommitOffsets request;
  request.member_id = member;
  request.generation_or_epoch = epoch;
  request.knows_epochs = knows_epochs;
  request.topics = {{.topic = "t", .topic_id = id_of(1), .partitions = {{.partition = 0, .offset = 5}}}};
  return request;
}

TEST(ConsumerOffsets, NeedTheMembersEpoch) {
  ConsumerLab lab;
  lab.join("a");
  EXPECT_EQ(lab.ask<CommitReply>(commit("a", 1)).error, ErrorCode::none);
  EXPECT_EQ(lab.ask<CommitReply>(commit("a", 0)).error, ErrorCode::stale_member_epoch);
  EXPECT_EQ(lab.ask<CommitReply>(commit("a", 2)).error, ErrorCode::stale_member_epoch);
  EXPECT_EQ(lab.ask<CommitReply>(commit("b", 1)).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.ask<CommitReply>(commit("", -1)).error, ErrorCode::unknown_member_id) << "somebody is there";
  EXPECT_EQ(lab.ask<CommitReply>(commit("a", 1, false)).error, ErrorCode::unsupported_version);
  FetchOffsets fetch{.member_id = "a", .member_epoch = 1};
  EXPECT_EQ(lab.ask<FetchOffsetsReply>(fetch).error, ErrorCode::none);
  fetch.member_epoch = 4;
  EXPECT_EQ(lab.ask<FetchOffsetsReply>(fetch).error, ErrorCode::stale_member_epoch);
  fetch.member_id = "b";
  EXPECT_EQ(lab.ask<FetchOffsetsReply>(fetch).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.ask<FetchOffsetsReply>(FetchOffsets{}).error, ErrorCode::none) << "nobody in particular";
  lab.say(ConsumerLab::beat("a", -1));
  EXPECT_EQ(lab.ask<CommitReply>(commit("", -1)).error, ErrorCode::none) << "the group is empty";
}

}  // namespace
}  // namespace tidegate::groups::test
