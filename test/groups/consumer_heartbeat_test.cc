// Joining, changing and leaving a KIP-848 group, and what is refused.
#include "consumer_lab.h"

namespace tidegate::groups::test {
namespace {

TEST(ConsumerHeartbeat, FirstMember_GetsEverythingAtOnce) {
  ConsumerLab lab;
  const auto reply = lab.join("a");
  EXPECT_EQ(reply.member_id, "a");
  EXPECT_EQ(reply.member_epoch, 1);
  EXPECT_EQ(reply.heartbeat_interval_ms, 5000);
  ASSERT_TRUE(reply.assignment);
  EXPECT_EQ(*reply.assignment, (std::vector<TopicPartitions>{{id_of(1), {0, 1, 2, 3, 4, 5}}}));
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(lab.group->type(), GroupType::consumer);
}

TEST(ConsumerHeartbeat, NothingNew_IsNotSaidAndNotStored) {
  ConsumerLab lab;
  lab.join("a");
  const auto reply = lab.say(ConsumerLab::beat("a", 1));
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_FALSE(reply.assignment);
  EXPECT_FALSE(lab.last.persist);
}

TEST(ConsumerHeartbeat, FullRequest_IsToldTheAssignment) {
  ConsumerLab lab;
  lab.join("a");
  auto request = ConsumerLab::joining("a");
  request.member_epoch = 1;
  request.owned_partitions = lab.known["a"].owned;
  EXPECT_TRUE(lab.say(request).assignment);
  request.rebalance_timeout_ms = -1;
  EXPECT_FALSE(lab.say(request).assignment);
}

TEST(ConsumerHeartbeat, VersionZero_IsGivenAnId) {
  ConsumerLab lab;
  auto request = ConsumerLab::joining("");
  request.client_makes_id = false;
  const auto reply = lab.say(request);
  EXPECT_EQ(reply.error, ErrorCode::none);
  ASSERT_TRUE(reply.member_id);
  EXPECT_FALSE(reply.member_id->empty());
}

TEST(ConsumerHeartbeat, MalformedRequests_AreInvalid) {
  ConsumerLab lab;
  const auto code = [&](auto change) {
    auto request = ConsumerLab::joining("a");
    change(request);
    return lab.say(request).error;
  };
  const auto invalid = ErrorCode::invalid_request;
  EXPECT_EQ(code([](auto& r) { r.member_id = ""; }), invalid);
  EXPECT_EQ(code([](auto& r) { r.instance_id = ""; }), invalid);
  EXPECT_EQ(code([](auto& r) { r.rack_id = ""; }), invalid);
  EXPECT_EQ(code([](auto& r) { r.rebalance_timeout_ms = -1; }), invalid);
  EXPECT_EQ(code([](auto& r) { r.owned_partitions.reset(); }), invalid);
  EXPECT_EQ(code([](auto& r) { r.owned_partitions->push_back({id_of(1), {0}}); }), invalid);
  EXPECT_EQ(code([](auto& r) { r.subscribed_topics.reset(); }), invalid);
  EXPECT_EQ(code([](auto& r) { r.member_epoch = -2; }), invalid) << "for a while, without an instance id";
  EXPECT_EQ(code([](auto& r) { r.member_epoch = -3; }), invalid);
  EXPECT_EQ(code([](auto& r) { r.assignor = "sticky"; }), ErrorCode::unsupported_assignor);
  EXPECT_FALSE(lab.group->exists());
  ConsumerLab nameless;
  nameless.group = std::make_unique<Group>("", nameless.limits, nameless.topics, nameless.rng);
  EXPECT_EQ(nameless.say(ConsumerLab::joining("a")).error, invalid);
}

TEST(ConsumerHeartbeat, SubscriptionBeyondTheLimit_IsRefusedAndNotKept) {
  ConsumerLab lab;
  lab.limits.max_member_metadata_bytes = 10'000;
  const std::vector<std::string> many(500, std::string(50, 't'));
  EXPECT_EQ(lab.say(ConsumerLab::joining("a", many)).error, ErrorCode::invalid_request);
  EXPECT_FALSE(lab.last.persist);
  auto named = ConsumerLab::joining("a");
  named.rack_id = std::string(10'000, 'r');
  EXPECT_EQ(lab.say(named).error, ErrorCode::invalid_request);
  EXPECT_EQ(lab.say(ConsumerLab::joining("a")).error, ErrorCode::none);
}

TEST(ConsumerHeartbeat, ProtocolSwitchedOff_IsUnsupported) {
  ConsumerLab lab({.consumer_enabled = false});
  EXPECT_EQ(lab.say(ConsumerLab::joining("a")).error, ErrorCode::unsupported_version);
}

TEST(ConsumerHeartbeat, UnknownGroupOrMember_IsToldSo) {
  ConsumerLab lab;
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", 3)).error, ErrorCode::group_id_not_found);
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", -1)).error, ErrorCode::group_id_not_found);
  lab.join("a");
  EXPECT_EQ(lab.say(ConsumerLab::beat("b", 1)).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.say(ConsumerLab::beat("b", -1)).error, ErrorCode::unknown_member_id);
  auto request = ConsumerLab::beat("a", 1);
  request.instance_id = "i";
  EXPECT_EQ(lab.say(request).error, ErrorCode::unknown_member_id);
}

TEST(ConsumerHeartbeat, FullGroup_TakesNobodyNew) {
  ConsumerLab lab({.consumer_max_size = 1});
  lab.join("a");
  EXPECT_EQ(lab.say(ConsumerLab::joining("b")).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(lab.step("a").error, ErrorCode::none);
  EXPECT_EQ(lab.say(ConsumerLab::joining("a")).error, ErrorCode::none) << "it is there already";
}

TEST(ConsumerHeartbeat, WrongEpoch_IsFenced) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.settle({"a", "b"});
  const auto epoch = lab.known["a"].epoch;
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", epoch + 1)).error, ErrorCode::fenced_member_epoch);
  EXPECT_EQ(lab.say(ConsumerLab::beat("a", epoch - 1)).error, ErrorCode::fenced_member_epoch)
      << "without its owned partitions nobody knows";
}

TEST(ConsumerHeartbeat, LostReply_IsForgivenWhileNothingElseIsOwned) {
  ConsumerLab lab;
  lab.join("a");
  lab.say(ConsumerLab::joining("b"));
  auto request = ConsumerLab::beat("a", 1);
  request.owned_partitions = {{id_of(1), {0, 1, 2}}};  // has revoked the others already
  const auto lost = lab.say(request);
  EXPECT_EQ(lost.member_epoch, 2);
  const auto again = lab.say(request);
  EXPECT_EQ(again.error, ErrorCode::none);
  EXPECT_EQ(again.member_epoch, 2);
  request.owned_partitions = {{id_of(1), {0, 1, 2, 3}}};
  EXPECT_EQ(lab.say(request).error, ErrorCode::fenced_member_epoch);
}

TEST(ConsumerHeartbeat, RejoinWithEpochZero_GoesOnWhereItStood) {
  ConsumerLab lab;
  lab.join("a");
  const auto reply = lab.say(ConsumerLab::joining("a"));
  EXPECT_EQ(reply.member_epoch, 1);
  EXPECT_EQ(ConsumerLab::size(*reply.assignment), 6U);
}

TEST(ConsumerHeartbeat, ChangedSubscription_RaisesTheEpoch) {
  ConsumerLab lab;
  lab.join("a");
  auto request = ConsumerLab::beat("a", 1);
  request.subscribed_topics = {"u", "t", "u", "nowhere"};
  const auto reply = lab.learn(lab.say(request));
  EXPECT_EQ(reply.member_epoch, 2);
  EXPECT_EQ(ConsumerLab::size(*reply.assignment), 8U);
  EXPECT_EQ(lab.describe("a").subscribed_topics, (std::vector<std::string>{"nowhere", "t", "u"}));
}

TEST(ConsumerHeartbeat, UnchangedFields_StayWhenLeftOut) {
  ConsumerLab lab;
  auto request = ConsumerLab::joining("a");
  request.rack_id = "r1";
  request.assignor = "range";
  lab.learn(lab.say(request));
  lab.step("a");
  EXPECT_EQ(lab.describe("a").rack_id, "r1");
  EXPECT_EQ(lab.describe("a").subscribed_topics, std::vector<std::string>{"t"});
  EXPECT_EQ(lab.describe().assignor, "range");
}

TEST(ConsumerHeartbeat, MostWantedAssignor_Wins) {
  ConsumerLab lab;
  EXPECT_EQ(lab.describe().assignor, "");
  lab.join("a");
  EXPECT_EQ(lab.describe().assignor, "uniform");
  auto request = ConsumerLab::joining("b");
  request.assignor = "range";
  lab.learn(lab.say(request));
  EXPECT_EQ(lab.describe().assignor, "range");
  for (const char* name : {"c", "d"}) {
    auto vote = ConsumerLab::joining(name);
    vote.assignor = "uniform";
    lab.learn(lab.say(vote));
  }
  EXPECT_EQ(lab.describe().assignor, "uniform");
  lab.settle({"a", "b", "c", "d"});
}

TEST(ConsumerHeartbeat, Leave_GivesPartitionsToTheOthers) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.settle({"a", "b"});
  const auto reply = lab.say(ConsumerLab::beat("b", -1));
  EXPECT_EQ(reply.error, ErrorCode::none);
  EXPECT_EQ(reply.member_epoch, -1);
  EXPECT_EQ(lab.group->state(), GroupState::assigning);
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 6U);
  lab.say(ConsumerLab::beat("a", -1));
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.group->type(), GroupType::consumer);
}

TEST(ConsumerHeartbeat, SilentMember_IsRemovedAfterItsSession) {
  ConsumerLab lab;
  lab.join("a");
  lab.join("b");
  lab.settle({"a", "b"});
  lab.advance(seconds(30));
  lab.step("a");
  lab.advance(seconds(16));
  EXPECT_EQ(lab.describe().members.size(), 1U);
  EXPECT_EQ(lab.say(ConsumerLab::beat("b", lab.known["b"].epoch)).error, ErrorCode::unknown_member_id);
  lab.settle({"a"});
  EXPECT_EQ(lab.owned("a"), 6U);
  lab.known.erase("b");
  lab.join("b");
  lab.settle({"a", "b"});
  EXPECT_EQ(lab.owned("b"), 3U);
}

TEST(ConsumerHeartbeat, EmptySubscription_OwnsNothingAndIsStable) {
  ConsumerLab lab;
  const auto reply = lab.join("a", {});
  EXPECT_EQ(reply.member_epoch, 1);
  EXPECT_TRUE(reply.assignment && reply.assignment->empty());
  EXPECT_EQ(lab.group->state(), GroupState::stable);
}

TEST(ConsumerHeartbeat, Describe_TellsWhatTheToolsPrint) {
  ConsumerLab lab;
  auto request = ConsumerLab::joining_static("a", "i");
  request.rack_id = "r";
  lab.learn(lab.say(request));
  const auto group = lab.describe();
  EXPECT_EQ(group.state, GroupState::stable);
  EXPECT_EQ(group.group_epoch, 1);
  EXPECT_EQ(group.assignment_epoch, 1);
  const auto row = lab.describe("a");
  EXPECT_EQ(row.instance_id, "i");
  EXPECT_EQ(row.rack_id, "r");
  EXPECT_EQ(row.member_epoch, 1);
  EXPECT_EQ(row.client_id, "client");
  EXPECT_EQ(row.client_host, "/127.0.0.1");
  EXPECT_EQ(row.assignment, row.target_assignment);
  EXPECT_FALSE(row.classic);
}

}  // namespace
}  // namespace tidegate::groups::test
