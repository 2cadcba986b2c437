// A live group between the protocols: up with the first member of the new one, down when the last is gone,
// and classic members in between.
#include "consumer_lab.h"
#include "machine.h"

namespace tidegate::groups::test {
namespace {

class MixedLab : public ConsumerLab {
 public:
  using ConsumerLab::ConsumerLab;

  // As a consumer with the range assignor subscribes to "t".
  Join classic_join(std::string member, std::vector<NamedTopicPartitions> owned = {}) const {
    auto request = join_request(std::move(member));
    ConsumerProtocolSubscription subscription;
    subscription.topics = {"t"};
    subscription.owned_partitions = std::move(owned);
    request.protocols = {{"range", encode_subscription(subscription, 1)}};
    return request;
  }
  JoinReply rejoin(const std::string& member, std::vector<NamedTopicPartitions> owned = {}) {
    const auto reply = ask<JoinReply>(classic_join(member, std::move(owned)));
    EXPECT_EQ(reply.error, ErrorCode::none);
    generations[member] = reply.generation;
    return reply;
  }
  ConsumerProtocolAssignment sync(const std::string& member) {
    Sync request;
    request.member_id = member;
    request.generation = generations[member];
    request.protocol_type = "consumer";
    request.protocol = "range";
    const auto reply = ask<SyncReply>(request);
    EXPECT_EQ(reply.error, ErrorCode::none);
    const auto assignment = decode_assignment(reply.assignment);
    EXPECT_TRUE(assignment);
    return assignment.value_or(ConsumerProtocolAssignment{});
  }
  ErrorCode beat_classic(const std::string& member) {
    return ask<HeartbeatReply>(Heartbeat{.member_id = member, .generation = generations[member]}).error;
  }
  // An eager classic client: rejoins without partitions as often as it is told to.
  void follow(const std::string& member) {
    for (int i = 0; i < 5 && beat_classic(member) == ErrorCode::rebalance_in_progress; ++i) {
      rejoin(member);
      sync(member);
    }
  }
  // A stable classic group of two that share topic "t".
  std::vector<std::string> classic_pair() {
    std::vector<std::string> ids;
    for (int i = 0; i < 2; ++i) ids.push_back(ask<JoinReply>(classic_join("")).member_id);
    std::vector<ReplyId> joins;
    for (const auto& id : ids) joins.push_back(send(classic_join(id)));
    advance(limits.initial_rebalance_delay * 4);
    std::ranges::sort(ids, {}, [&](const auto& id) { return id != leader(); });
    std::vector<SyncAssignment> parts;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto first = static_cast<std::int32_t>(3 * i);
      parts.push_back({ids[i], encode_assignment({{{"t", {first, first + 1, first + 2}}}, {}}, 1)});
      generations[ids[i]] = Lab::generation();
    }
    for (const auto& id : ids) send(sync_request(id, id == leader() ? parts : decltype(parts){}));
    EXPECT_EQ(group->state(), GroupState::stable);
    return ids;
  }

  std::map<std::string, std::int32_t> generations;
};

std::size_t count(const ConsumerProtocolAssignment& assignment) {
  std::size_t sum = 0;
  for (const auto& topic : assignment.assigned_partitions) sum += topic.partitions.size();
  return sum;
}

TEST(ConsumerMigration, NewProtocolJoin_ConvertsALiveGroup) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  const auto generation = lab.generations[ids[0]];
  const auto reply = lab.join("new");
  EXPECT_EQ(lab.group->type(), GroupType::consumer);
  EXPECT_EQ(reply.member_epoch, generation + 1);
  EXPECT_TRUE(reply.assignment->empty());
  const auto row = lab.describe(ids[0]);
  EXPECT_TRUE(row.classic);
  EXPECT_EQ(row.member_epoch, generation);
  EXPECT_EQ(ConsumerLab::size(row.assignment), 3U) << "everybody goes on with what they had";
  EXPECT_EQ(lab.beat_classic(ids[0]), ErrorCode::rebalance_in_progress);
  for (int i = 0; i < 4; ++i) {
    for (const auto& id : ids) lab.follow(id);
    lab.step("new");
  }
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(lab.owned("new"), 2U);
  EXPECT_EQ(count(lab.sync(ids[0])), 2U);
  EXPECT_EQ(lab.beat_classic(ids[0]), ErrorCode::none);
}

TEST(ConsumerMigration, ParkedJoins_AreToldToComeAgain) {
  MixedLab lab;
  const auto id = lab.ask<JoinReply>(lab.classic_join("")).member_id;
  const auto parked = lab.send(lab.classic_join(id));
  EXPECT_FALSE(lab.answered(parked));
  lab.join("new");
  EXPECT_EQ(lab.answer<JoinReply>(parked).error, ErrorCode::rebalance_in_progress);
  lab.rejoin(id);
  lab.sync(id);
  for (int i = 0; i < 3; ++i) {
    lab.step("new");
    lab.follow(id);
  }
  EXPECT_EQ(lab.owned("new"), 3U);
  EXPECT_EQ(count(lab.sync(id)), 3U);
}

TEST(ConsumerMigration, LastNewMemberGone_ConvertsBack) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  lab.join("new");
  for (int i = 0; i < 4; ++i) {
    for (const auto& id : ids) lab.follow(id);
    lab.step("new");
  }
  const auto epoch = lab.describe().group_epoch;
  lab.say(ConsumerLab::beat("new", -1));
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
  EXPECT_EQ(lab.generation(), epoch);
  EXPECT_EQ(lab.beat_classic(ids[0]), ErrorCode::rebalance_in_progress);
  std::vector<ReplyId> joins;
  for (const auto& id : ids) joins.push_back(lab.send(lab.classic_join(id)));
  for (const auto join : joins) EXPECT_EQ(lab.answer<JoinReply>(join).generation, epoch + 1);
}

TEST(ConsumerMigration, LastNewMemberExpires_ConvertsBackToo) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  lab.join("new");
  for (int i = 0; i < 4; ++i) {
    for (const auto& id : ids) lab.follow(id);
    lab.step("new");
  }
  for (int i = 0; i < 10 && lab.group->type() == GroupType::consumer; ++i) {
    lab.advance(seconds(5));
    if (lab.group->type() != GroupType::consumer) break;
    for (const auto& id : ids) lab.follow(id);
  }
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.group->state(), GroupState::preparing_rebalance);
}

TEST(ConsumerMigration, WhoWakesUpInAClassicGroup_IsToldToJoinAnew) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  const auto epoch = lab.join("new").member_epoch;
  for (int i = 0; i < 20 && lab.group->type() == GroupType::consumer; ++i) {
    lab.advance(seconds(5));
    if (lab.group->type() != GroupType::consumer) break;
    for (const auto& id : ids) lab.follow(id);
  }
  ASSERT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.say(ConsumerLab::beat("new", epoch)).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.group->type(), GroupType::classic) << "a heartbeat converts nothing";
  EXPECT_EQ(lab.say(ConsumerLab::joining("new")).error, ErrorCode::none);
  EXPECT_EQ(lab.group->type(), GroupType::consumer);
}

TEST(ConsumerMigration, WhoMayNotJoinAClassicGroup_IsToldThatThereIsNone) {
  for (const auto policy : {MigrationPolicy::disabled, MigrationPolicy::downgrade}) {
    MixedLab lab({.migration_policy = policy});
    lab.classic_pair();
    EXPECT_EQ(lab.say(ConsumerLab::beat("new", 3)).error, ErrorCode::group_id_not_found);
  }
}

TEST(ConsumerMigration, Policy_IsObeyed) {
  for (const auto policy : {MigrationPolicy::disabled, MigrationPolicy::downgrade}) {
    MixedLab lab({.migration_policy = policy});
    lab.classic_pair();
    EXPECT_EQ(lab.say(ConsumerLab::joining("new")).error, ErrorCode::group_id_not_found);
    EXPECT_EQ(lab.group->type(), GroupType::classic);
  }
  MixedLab lab({.migration_policy = MigrationPolicy::upgrade});
  lab.classic_pair();
  lab.join("new");
  lab.say(ConsumerLab::beat("new", -1));
  EXPECT_EQ(lab.group->type(), GroupType::consumer) << "never back";
}

TEST(ConsumerMigration, WhatCannotBeConverted_StaysClassic) {
  MixedLab unreadable;
  unreadable.stable_group(1);
  EXPECT_EQ(unreadable.say(ConsumerLab::joining("new")).error, ErrorCode::group_id_not_found);
  EXPECT_EQ(unreadable.group->state(), GroupState::stable);
  MixedLab full({.consumer_max_size = 2});
  full.classic_pair();
  EXPECT_EQ(full.say(ConsumerLab::joining("new")).error, ErrorCode::group_max_size_reached);
  MixedLab connect;
  auto request = Lab::join_request();
  request.protocol_type = "connect";
  request.member_id_required = false;
  connect.send(request);
  EXPECT_EQ(connect.say(ConsumerLab::joining("new")).error, ErrorCode::group_id_not_found);
}

TEST(ConsumerMigration, EmptyGroup_ChangesFreely) {
  MixedLab lab({.migration_policy = MigrationPolicy::disabled});
  const auto ids = lab.classic_pair();
  for (const auto& id : ids) lab.ask<LeaveReply>(Leave{.members = {{.member_id = id}}});
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  const auto generation = lab.group->machine().classic.head().generation;
  EXPECT_GT(generation, 0);
  EXPECT_EQ(lab.join("new").member_epoch, generation + 1) << "no generation has two owners of a partition";
  lab.say(ConsumerLab::beat("new", -1));
  const auto id = lab.ask<JoinReply>(lab.classic_join("")).member_id;
  lab.send(lab.classic_join(id));
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_GT(lab.group->machine().classic.head().generation, generation + 1);
}

class ConsumerClassicMember : public ::testing::Test {
 protected:
  ConsumerClassicMember() {
    lab.join("new");
    id = lab.ask<JoinReply>(lab.classic_join("")).member_id;
    lab.rejoin(id);
    lab.sync(id);
    for (int i = 0; i < 3; ++i) {
      lab.step("new");
      lab.follow(id);
    }
  }
  MixedLab lab;
  std::string id;
};

TEST_F(ConsumerClassicMember, SharesWithTheNewProtocol) {
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(lab.owned("new"), 3U);
  EXPECT_EQ(count(lab.sync(id)), 3U);
  EXPECT_TRUE(lab.describe(id).classic);
}

TEST_F(ConsumerClassicMember, DynamicJoin_NeedsItsIdFirst) {
  const auto reply = lab.ask<JoinReply>(lab.classic_join(""));
  EXPECT_EQ(reply.error, ErrorCode::member_id_required);
  EXPECT_FALSE(reply.member_id.empty());
}

TEST_F(ConsumerClassicMember, ImpossibleJoins_AreRefused) {
  const auto code = [&](auto change) {
    auto request = lab.classic_join("other");
    change(request);
    return lab.ask<JoinReply>(request).error;
  };
  EXPECT_EQ(code([](auto& r) { r.protocol_type = "connect"; }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code([](auto& r) { r.protocols[0].name = "sticky"; }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code([](auto& r) { r.protocols[0].metadata = {1}; }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code([](auto& r) { r.protocols.clear(); }), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(code([](auto& r) { r.session_timeout_ms = 1; }), ErrorCode::invalid_session_timeout);
  EXPECT_EQ(code([](auto& r) { r.instance_id = "i"; }), ErrorCode::unknown_member_id);
  EXPECT_EQ(code([](auto& r) { r.protocols[0].metadata.resize((1U << 20U) + 1); }),
            ErrorCode::message_too_large);
}

TEST_F(ConsumerClassicMember, WrongHeartbeatsAndSyncs_AreRefused) {
  const auto generation = lab.generations[id];
  const auto beat = [&](std::string member, std::int32_t at) {
    return lab.ask<HeartbeatReply>(Heartbeat{.member_id = std::move(member), .generation = at}).error;
  };
  EXPECT_EQ(beat(id, generation), ErrorCode::none);
  EXPECT_EQ(beat(id, generation + 1), ErrorCode::illegal_generation);
  EXPECT_EQ(beat("nobody", generation), ErrorCode::unknown_member_id);
  EXPECT_EQ(beat("new", lab.known["new"].epoch), ErrorCode::unknown_member_id) << "speaks the new protocol";
  Sync sync{.member_id = id, .generation = generation, .protocol_type = "consumer", .protocol = "sticky"};
  EXPECT_EQ(lab.ask<SyncReply>(sync).error, ErrorCode::inconsistent_group_protocol);
  sync.protocol = "range";
  sync.generation = generation - 1;
  EXPECT_EQ(lab.ask<SyncReply>(sync).error, ErrorCode::illegal_generation);
}

TEST_F(ConsumerClassicMember, GroupMovesOn_ItMustRejoinInTime) {
  lab.join("third");
  EXPECT_EQ(lab.beat_classic(id), ErrorCode::rebalance_in_progress);
  Sync sync{.member_id = id, .generation = lab.generations[id]};
  EXPECT_EQ(lab.ask<SyncReply>(sync).error, ErrorCode::rebalance_in_progress);
  for (int i = 0; i < 13; ++i) {
    lab.advance(seconds(5));
    lab.beat_classic(id);
    lab.step("new");
    lab.step("third");
  }
  EXPECT_EQ(lab.beat_classic(id), ErrorCode::unknown_member_id);
  lab.settle({"new", "third"});
}

TEST_F(ConsumerClassicMember, JoinedButDoesNotSync_IsRemoved) {
  lab.join("third");
  lab.rejoin(id);
  for (int i = 0; i < 13; ++i) {
    lab.advance(seconds(5));
    lab.beat_classic(id);
    lab.step("new");
    lab.step("third");
  }
  EXPECT_EQ(lab.beat_classic(id), ErrorCode::unknown_member_id);
}

TEST_F(ConsumerClassicMember, ItsOwnSessionTimeout_Counts) {
  lab.advance(seconds(11));
  EXPECT_EQ(lab.describe().members.size(), 1U);
}

TEST_F(ConsumerClassicMember, Leave_NamesEachMemberOnItsOwn) {
  const auto reply =
      lab.ask<LeaveReply>(Leave{.members = {{.member_id = id}, {.member_id = id}, {.member_id = "nobody"}}});
  ASSERT_EQ(reply.members.size(), 3U);
  EXPECT_EQ(reply.members[0].error, ErrorCode::none);
  EXPECT_EQ(reply.members[1].error, ErrorCode::none) << "named twice";
  EXPECT_EQ(reply.members[2].error, ErrorCode::unknown_member_id);
  lab.settle({"new"});
  EXPECT_EQ(lab.owned("new"), 6U);
}

// Kafka's answer has the member id and instance id of the request, whatever the member's id is.
TEST_F(ConsumerClassicMember, Leave_RepeatsWhatItWasAskedWith) {
  lab.learn(lab.say(ConsumerLab::joining_static("static", "i")));
  const auto reply = lab.ask<LeaveReply>(
      Leave{.members = {{.member_id = "", .instance_id = "i"}, {.member_id = "x", .instance_id = "i"}}});
  ASSERT_EQ(reply.members.size(), 2U);
  EXPECT_EQ(reply.members[0].error, ErrorCode::none);
  EXPECT_EQ(reply.members[0].member_id, "");
  EXPECT_EQ(reply.members[0].instance_id, "i");
  EXPECT_EQ(reply.members[1].error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(reply.members[1].member_id, "x");
}

// As an administrator removes a member that is stuck.
TEST_F(ConsumerClassicMember, Leave_RemovesMembersOfTheNewProtocolToo) {
  lab.join("another");
  const auto reply = lab.ask<LeaveReply>(Leave{.members = {{.member_id = "new"}}});
  ASSERT_EQ(reply.members.size(), 1U);
  EXPECT_EQ(reply.members[0].error, ErrorCode::none);
  EXPECT_EQ(lab.describe().members.size(), 2U);
}

// Removed without a word to it, it would bring back partitions that are somebody else's by now.
TEST_F(ConsumerClassicMember, RemovedOneThatClaimsPartitions_MustForgetThemFirst) {
  lab.ask<LeaveReply>(Leave{.members = {{.member_id = id}}});
  lab.join("another");  // keeps the group from going back
  EXPECT_EQ(lab.ask<JoinReply>(lab.classic_join(id, {{"t", {3, 4, 5}}})).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(lab.ask<JoinReply>(lab.classic_join(id)).error, ErrorCode::none) << "as an id not used before";
}

TEST_F(ConsumerClassicMember, CommitsWithItsGeneration) {
  CommitOffsets commit;
  commit.member_id = id;
  commit.generation_or_epoch = lab.generations[id];
  EXPECT_EQ(lab.ask<CommitReply>(commit).error, ErrorCode::none) << "of any version";
  commit.generation_or_epoch += 1;
  EXPECT_EQ(lab.ask<CommitReply>(commit).error, ErrorCode::illegal_generation);
}

TEST_F(ConsumerClassicMember, BecomesOneOfTheNewProtocolUnderItsId) {
  lab.learn(lab.say(ConsumerLab::joining(id)));
  EXPECT_FALSE(lab.describe(id).classic);
  EXPECT_EQ(lab.beat_classic(id), ErrorCode::unknown_member_id);
  lab.settle({"new", id});
}

TEST(ConsumerMigration, StaticMember_ComesBackWithTheOtherProtocol) {
  MixedLab lab;
  auto request = lab.classic_join("");
  request.instance_id = "i";
  lab.join("new");
  const auto first = lab.ask<JoinReply>(request);
  EXPECT_EQ(first.error, ErrorCode::none) << "static members need no id first";
  lab.learn(lab.say(ConsumerLab::joining_static("n2", "i")));
  EXPECT_FALSE(lab.describe("n2").classic);
  lab.settle({"new", "n2"});
  lab.say(ConsumerLab::beat("new", -1));
  lab.settle({"n2"});
  // The only one left goes back to the classic protocol, and the group with it, without a rebalance.
  const auto again = lab.ask<JoinReply>(request);
  EXPECT_EQ(again.error, ErrorCode::none);
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_EQ(again.generation, lab.generation());
}

TEST(ConsumerMigration, DownAndUpAgainBeforeAnybodyRejoined_GivesNothingASecondOwner) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  lab.join("new");  // the target has two partitions for everybody; nobody has given up its third yet
  lab.say(ConsumerLab::beat("new", -1));
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_TRUE(lab.join("another").assignment->empty());
  EXPECT_EQ(lab.group->type(), GroupType::consumer);
  for (const auto& id : ids) EXPECT_EQ(ConsumerLab::size(lab.describe(id).assignment), 3U);
}

// A leader of the classic protocol took five of six partitions from the only member, for nobody yet. That one
// has not fetched its assignment, or has not joined again since: whatever comes, it may own all six.
TEST(ConsumerMigration, WhatACooperativeMemberHasNotGivenUp_IsStillItsOwn) {
  MixedLab lab;
  const auto id = lab.ask<JoinReply>(lab.classic_join("")).member_id;
  lab.send(lab.classic_join(id, {{"t", {0, 1, 2, 3, 4, 5}}}));
  lab.advance(lab.limits.initial_rebalance_delay * 4);
  lab.generations[id] = lab.generation();
  lab.send(lab.sync_request(id, {{id, encode_assignment({{{"t", {0}}}, {}}, 1)}}));
  EXPECT_EQ(lab.group->state(), GroupState::stable);

  EXPECT_TRUE(lab.join("new").assignment->empty());
  lab.step("new");
  EXPECT_EQ(lab.owned("new"), 0U);
  lab.reload();
  lab.step("new");
  EXPECT_EQ(lab.owned("new"), 0U);
  EXPECT_EQ(lab.beat_classic(id), ErrorCode::rebalance_in_progress);
  // It joins with all that it has, and is told what to keep.
  lab.rejoin(id, {{"t", {0, 1, 2, 3, 4, 5}}});
  EXPECT_EQ(count(lab.sync(id)), 1U);
  lab.step("new");
  EXPECT_EQ(lab.owned("new"), 0U);
  // It has given the rest up.
  lab.rejoin(id, {{"t", {0}}});
  lab.step("new");
  EXPECT_EQ(lab.owned("new"), 3U);
}

TEST(ConsumerMigration, PartitionThatTwoClaim_GoesToTheNewerGeneration) {
  MixedLab lab;
  const auto claim = [&](std::string member, std::int32_t generation) {
    auto request = lab.classic_join(std::move(member));
    ConsumerProtocolSubscription subscription;
    subscription.topics = {"t"};
    subscription.owned_partitions = {{"t", {0, 1, 2, 3, 4, 5}}};
    subscription.generation_id = generation;
    request.protocols = {{"range", encode_subscription(subscription, 2)}};
    return request;
  };
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) ids.push_back(lab.ask<JoinReply>(lab.classic_join("")).member_id);
  for (int i = 0; i < 2; ++i) lab.send(claim(ids[static_cast<std::size_t>(i)], 4 + i));
  lab.advance(lab.limits.initial_rebalance_delay * 4);
  for (const auto& id : ids) lab.send(lab.sync_request(id, {}));
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  EXPECT_TRUE(lab.join("new").assignment->empty());
  const auto revoking = [&](const std::string& id) {
    return ConsumerLab::size(lab.group->machine().consumer.find(id)->current.revoking);
  };
  EXPECT_EQ(revoking(ids[0]), 0U);
  EXPECT_EQ(revoking(ids[1]), 6U);
}

TEST(ConsumerMigration, MixedGroup_SurvivesAReload) {
  MixedLab lab;
  const auto ids = lab.classic_pair();
  lab.join("new");
  lab.reload();
  for (int i = 0; i < 4; ++i) {
    for (const auto& id : ids) lab.follow(id);
    lab.step("new");
  }
  EXPECT_EQ(lab.group->state(), GroupState::stable);
  lab.advance(seconds(11));
  EXPECT_EQ(lab.describe().members.size(), 1U) << "classic members have their own session timeout";
}

}  // namespace
}  // namespace tidegate::groups::test
