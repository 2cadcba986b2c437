#include <gtest/gtest.h>

#include "groups/consumer_lab.h"

namespace tidegate::groups {
namespace {

using namespace test;
using Errors = std::vector<ErrorCode>;

CommitOffsets commit_of(const std::string& topic, std::int32_t partition, Offset offset) {
  return {.topics = {{.topic = topic, .partitions = {{.partition = partition, .offset = offset}}}}};
}
CommitOffsets by(CommitOffsets commit, const std::string& member, std::int32_t generation) {
  commit.member_id = member;
  commit.generation_or_epoch = generation;
  return commit;
}
ErrorCode commit(Lab& lab, CommitOffsets request) { return lab.ask<CommitReply>(std::move(request)).error; }
FetchOffsetsReply::Partition fetch(Lab& lab, const std::string& topic, std::int32_t partition,
                                   TopicId id = {}) {
  const auto reply = lab.ask<FetchOffsetsReply>(
      FetchOffsets{.topics = {{{.topic = topic, .topic_id = id, .partitions = {partition}}}}});
  EXPECT_EQ(reply.error, ErrorCode::none);
  return reply.topics.at(0).partitions.at(0);
}
Offset offset_of(Lab& lab, const std::string& topic, std::int32_t partition) {
  return fetch(lab, topic, partition).offset;
}
// ---- commit

TEST(GroupOffsets, SimpleCommit_MakesAGroup) {
  Lab lab;
  EXPECT_EQ(commit(lab, commit_of("t", 0, 5)), ErrorCode::none);
  EXPECT_TRUE(lab.group->exists());
  EXPECT_EQ(lab.group->type(), GroupType::classic);
  EXPECT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(lab.group->listing().protocol_type, "");
  EXPECT_EQ(offset_of(lab, "t", 0), 5);
}

TEST(GroupOffsets, NothingCommitted_MakesNoGroup) {
  Lab lab;
  EXPECT_EQ(commit(lab, {}), ErrorCode::none);
  EXPECT_TRUE(lab.group->can_forget());
}

TEST(GroupOffsets, EmptyGroupId_IsLegalForCommits) {
  Lab lab({}, "");
  EXPECT_EQ(commit(lab, commit_of("t", 0, 5)), ErrorCode::none);
  EXPECT_EQ(offset_of(lab, "t", 0), 5);
}

TEST(GroupOffsets, GenerationOfAGroupThatIsNotThere_IsIllegal) {
  Lab lab;
  auto request = by(commit_of("t", 0, 5), "m", 0);
  EXPECT_EQ(commit(lab, request), ErrorCode::illegal_generation);
  request.knows_epochs = true;
  EXPECT_EQ(commit(lab, request), ErrorCode::group_id_not_found);
}

TEST(GroupOffsets, WhoMayCommit) {
  Lab lab;
  const auto ids = lab.stable_group(2);
  const auto request = commit_of("t", 0, 5);
  EXPECT_EQ(commit(lab, by(request, ids[0], 1)), ErrorCode::none);
  EXPECT_EQ(commit(lab, by(request, "", -1)), ErrorCode::unknown_member_id);  // simple, but there are members
  EXPECT_EQ(commit(lab, by(request, "nobody", 1)), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit(lab, by(request, ids[0], 2)), ErrorCode::illegal_generation);
  EXPECT_EQ(commit(lab, by(request, ids[0], -1)), ErrorCode::illegal_generation);
  auto with_instance = by(request, ids[0], 1);
  with_instance.instance_id = "i";
  EXPECT_EQ(commit(lab, with_instance), ErrorCode::unknown_member_id);
  // While it prepares members may still commit what they are about to give up.
  lab.send(Lab::join_request(ids[0]));
  EXPECT_EQ(commit(lab, by(request, ids[1], 1)), ErrorCode::none);
  lab.send(Lab::join_request(ids[1]));
  EXPECT_EQ(commit(lab, by(request, ids[1], 2)), ErrorCode::rebalance_in_progress);
}

TEST(GroupOffsets, EmptyGroup_TakesSimpleCommitsOnly) {
  Lab lab;
  const auto ids = lab.stable_group(1);
  lab.advance(seconds(30));
  ASSERT_EQ(lab.group->state(), GroupState::empty);
  EXPECT_EQ(commit(lab, by(commit_of("t", 0, 5), "", -1)), ErrorCode::none);
  EXPECT_EQ(commit(lab, by(commit_of("t", 0, 5), ids[0], 1)), ErrorCode::unknown_member_id);
}

TEST(GroupOffsets, MetadataTooLong_IsRefusedForItsPartitionAlone) {
  Lab lab({.offset_metadata_max_bytes = 4});
  CommitOffsets request{.topics = {{.topic = "t",
                                    .partitions = {{.partition = 0, .offset = 1, .metadata = "12345"},
                                                   {.partition = 1, .offset = 2, .metadata = "1234"}}}}};
  const auto reply = lab.ask<CommitReply>(request);
  EXPECT_EQ(reply.partitions, (Errors{ErrorCode::offset_metadata_too_large, ErrorCode::none}));
  EXPECT_EQ(offset_of(lab, "t", 0), -1);
  EXPECT_EQ(fetch(lab, "t", 1).metadata, "1234");
}

TEST(GroupOffsets, TooManyPartitions_AreRefusedButKnownOnesGoOn) {
  Lab lab({.max_offsets_per_group = 1});
  EXPECT_EQ(lab.ask<CommitReply>(commit_of("t", 0, 1)).partitions, Errors{ErrorCode::none});
  EXPECT_EQ(lab.ask<CommitReply>(commit_of("t", 1, 1)).partitions,
            Errors{ErrorCode::invalid_commit_offset_size});
  EXPECT_EQ(lab.ask<CommitReply>(commit_of("t", 0, 2)).partitions, Errors{ErrorCode::none});
}

TEST(GroupOffsets, AnswerToACommit_WaitsForItsRecord) {
  Lab lab;
  const auto reply = lab.send(commit_of("t", 0, 1));
  ASSERT_TRUE(lab.last.persist);
  EXPECT_EQ(lab.held[reply], lab.last.persist->sequence);
}

// ---- fetch

TEST(GroupOffsets, Fetch_ShowsWhatWasCommitted) {
  Lab lab;
  CommitOffsets request{
      .topics = {{.topic = "t",
                  .topic_id = id_of(1),
                  .partitions = {{.partition = 3, .offset = 9, .leader_epoch = 4, .metadata = "here"}}}}};
  commit(lab, request);
  lab.reload();
  const auto row = fetch(lab, "t", 3);
  EXPECT_EQ(row.offset, 9);
  EXPECT_EQ(row.leader_epoch, 4);
  EXPECT_EQ(row.metadata, "here");
}

TEST(GroupOffsets, FetchOfNothing_IsNoError) {
  Lab lab;
  const auto row = fetch(lab, "t", 0);
  EXPECT_EQ(row.offset, -1);
  EXPECT_EQ(row.leader_epoch, -1);
  EXPECT_EQ(row.metadata, "");
  EXPECT_EQ(row.error, ErrorCode::none);
  EXPECT_TRUE(lab.ask<FetchOffsetsReply>(FetchOffsets{}).topics.empty());
  EXPECT_TRUE(lab.group->can_forget());
}

TEST(GroupOffsets, FetchOfAll_GivesEveryTopic) {
  Lab lab;
  commit(lab, commit_of("b", 1, 2));
  commit(lab, commit_of("a", 0, 1));
  commit(lab, commit_of("b", 0, 3));
  const auto reply = lab.ask<FetchOffsetsReply>(FetchOffsets{});
  ASSERT_EQ(reply.topics.size(), 2U);
  EXPECT_EQ(reply.topics[0].topic, "a");
  EXPECT_EQ(reply.topics[1].partitions.size(), 2U);
}

TEST(GroupOffsets, Fetch_WaitsForCommitsThatItShows) {
  Lab lab;
  commit(lab, commit_of("t", 0, 1));
  const auto reply = lab.send(FetchOffsets{});
  EXPECT_EQ(lab.held[reply], lab.group->last_persist());
}

TEST(GroupOffsets, TopicMadeAnew_DoesNotInheritOffsets) {
  Lab lab;
  auto request = commit_of("t", 0, 7);
  request.topics[0].topic_id = id_of(1);
  commit(lab, request);
  EXPECT_EQ(fetch(lab, "t", 0, id_of(1)).offset, 7);
  EXPECT_EQ(fetch(lab, "t", 0, id_of(2)).offset, -1);
  lab.topics.add("t", 1, 2);
  EXPECT_TRUE(lab.ask<FetchOffsetsReply>(FetchOffsets{}).topics.empty());
}

// ---- delete

TEST(GroupOffsets, DeletedTopic_LosesItsOffsetsUnlessTheyAreOfANewerOne) {
  Lab lab;
  auto old = commit_of("t", 0, 7);
  old.topics[0].topic_id = id_of(1);
  auto newer = commit_of("t", 1, 8);
  newer.topics[0].topic_id = id_of(2);
  commit(lab, old);
  commit(lab, newer);
  commit(lab, commit_of("t", 2, 9));  // id not known
  commit(lab, commit_of("u", 0, 1));
  lab.tell(TopicsChanged{.deleted = {{.name = "t", .id = id_of(1)}}});
  EXPECT_EQ(offset_of(lab, "t", 0), -1);
  EXPECT_EQ(offset_of(lab, "t", 1), 8);
  EXPECT_EQ(offset_of(lab, "t", 2), -1);
  EXPECT_EQ(offset_of(lab, "u", 0), 1);
}

DeleteOffsets delete_of(const std::string& topic) {
  return {.topics = {{.topic = topic, .partitions = {0}}}};
}

TEST(GroupOffsets, Delete_RefusesSubscribedTopics) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  auto request = Lab::join_request(lab.new_id());
  request.protocols = {{"range", subscription({"read"})}};
  const auto id = request.member_id;
  lab.send(request);
  lab.sync_all({id});
  commit(lab, by(commit_of("read", 0, 1), id, 1));
  commit(lab, by(commit_of("left", 0, 1), id, 1));
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("read")).partitions,
            Errors{ErrorCode::group_subscribed_to_topic});
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("left")).partitions, Errors{ErrorCode::none});
  EXPECT_EQ(offset_of(lab, "read", 0), 1);
  EXPECT_EQ(offset_of(lab, "left", 0), -1);
}

TEST(GroupOffsets, Delete_TakesUnreadableMetadataForASubscriptionToAll) {
  Lab lab;
  lab.stable_group(1);  // metadata of no protocol
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("t")).partitions,
            Errors{ErrorCode::group_subscribed_to_topic});
}

TEST(GroupOffsets, Delete_OfOtherGroups) {
  Lab lab({.initial_rebalance_delay = Duration::zero()});
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("t")).error, ErrorCode::group_id_not_found);
  commit(lab, commit_of("t", 0, 1));
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("t")).partitions, Errors{ErrorCode::none});
  EXPECT_EQ(offset_of(lab, "t", 0), -1);
  auto request = Lab::join_request(lab.new_id());
  request.protocol_type = "connect";
  lab.send(request);
  EXPECT_EQ(lab.ask<DeleteOffsetsReply>(delete_of("t")).error, ErrorCode::non_empty_group);
}

TEST(GroupOffsets, DeleteGroup_TakesEverythingOfAnEmptyGroup) {
  Lab lab;
  EXPECT_EQ(lab.ask<DeleteGroupReply>(DeleteGroup{}).error, ErrorCode::group_id_not_found);
  const auto ids = lab.stable_group(1);
  commit(lab, by(commit_of("t", 0, 1), ids[0], 1));
  EXPECT_EQ(lab.ask<DeleteGroupReply>(DeleteGroup{}).error, ErrorCode::non_empty_group);
  lab.advance(seconds(30));
  EXPECT_EQ(lab.ask<DeleteGroupReply>(DeleteGroup{}).error, ErrorCode::none);
  EXPECT_TRUE(lab.store.empty());
  EXPECT_TRUE(lab.group->can_forget());
  EXPECT_EQ(lab.group->state(), GroupState::dead);
}

// ---- expiry

void pass(Lab& lab, Duration time) {
  lab.advance(time);
  lab.tell(ExpireOffsets{});
}

TEST(GroupOffsets, SimpleGroup_ExpiresEachOffsetFromItsCommit) {
  Lab lab({.offsets_retention = seconds(100)});
  commit(lab, commit_of("t", 0, 1));
  pass(lab, seconds(50));
  commit(lab, commit_of("t", 1, 1));
  pass(lab, milliseconds(49'999));
  EXPECT_EQ(lab.group->counts().offsets, 2U);
  pass(lab, milliseconds(1));
  EXPECT_EQ(lab.group->counts().offsets, 1U);
  pass(lab, seconds(50));
  EXPECT_TRUE(lab.store.empty());
  EXPECT_TRUE(lab.group->can_forget());
}

TEST(GroupOffsets, GroupWithMembers_ExpiresNothingThatItReads) {
  Lab lab({.initial_rebalance_delay = Duration::zero(), .offsets_retention = seconds(100)});
  auto request = Lab::join_request(lab.new_id());
  request.protocols = {{"range", subscription({"read"})}};
  request.session_timeout_ms = 1'000'000;
  const auto id = request.member_id;
  lab.send(request);
  lab.sync_all({id});
  commit(lab, by(commit_of("read", 0, 1), id, 1));
  commit(lab, by(commit_of("left", 0, 1), id, 1));
  pass(lab, seconds(99));
  EXPECT_EQ(offset_of(lab, "left", 0), 1);
  pass(lab, seconds(1));
  EXPECT_EQ(offset_of(lab, "read", 0), 1);
  EXPECT_EQ(offset_of(lab, "left", 0), -1);
}

TEST(GroupOffsets, EmptiedGroup_ExpiresFromWhenItBecameEmptyOrFromALaterCommit) {
  Lab lab({.offsets_retention = seconds(100)});
  const auto ids = lab.stable_group(1);
  commit(lab, by(commit_of("t", 0, 1), ids[0], 1));
  lab.advance(milliseconds(10'000));  // the session ends
  ASSERT_EQ(lab.group->state(), GroupState::empty);
  lab.advance(seconds(40));
  commit(lab, commit_of("t", 1, 1));  // reset by an administrator
  pass(lab, milliseconds(59'999));
  EXPECT_EQ(lab.group->counts().offsets, 2U);
  pass(lab, milliseconds(1));
  EXPECT_EQ(offset_of(lab, "t", 0), -1);
  EXPECT_EQ(offset_of(lab, "t", 1), 1);
}

TEST(GroupOffsets, EmptiedConsumerGroup_ExpiresFromWhenItBecameEmpty) {
  ConsumerLab lab({.offsets_retention = seconds(100)});
  lab.join("m");
  auto request = by(commit_of("u", 0, 1), "m", lab.known["m"].epoch);
  request.knows_epochs = true;
  commit(lab, request);
  // It subscribes to t; from a commit of long ago, what nobody reads may go even while there are members.
  for (int i = 0; i < 3; ++i) {
    pass(lab, seconds(30));
    lab.step("m");
  }
  EXPECT_EQ(lab.group->counts().offsets, 1U);
  lab.say(ConsumerLab::beat("m", -1));
  pass(lab, milliseconds(99'999));
  EXPECT_EQ(lab.group->counts().offsets, 1U);
  pass(lab, milliseconds(1));
  EXPECT_EQ(lab.group->counts().offsets, 0U);
  EXPECT_EQ(lab.group->state(), GroupState::dead) << "nothing is left of it";
}

TEST(GroupOffsets, UnreadableSubscription_ExpiresNothing) {
  Lab lab({.offsets_retention = seconds(1)});
  const auto ids = lab.stable_group(1);
  commit(lab, by(commit_of("t", 0, 1), ids[0], 1));
  pass(lab, seconds(5));
  EXPECT_EQ(offset_of(lab, "t", 0), 1);
}

TEST(GroupOffsets, RetentionOfTheCommit_GoesBeforeTheConfigured) {
  Lab lab({.offsets_retention = seconds(100)});
  auto soon = commit_of("t", 0, 1);
  soon.retention_ms = 10;
  commit(lab, soon);
  auto never = commit_of("t", 1, 1);
  never.retention_ms = std::numeric_limits<std::int64_t>::max();
  commit(lab, never);
  pass(lab, milliseconds(10));
  EXPECT_EQ(offset_of(lab, "t", 0), -1);
  pass(lab, seconds(200));
  EXPECT_EQ(offset_of(lab, "t", 1), 1);
}

TEST(GroupOffsets, EmptyGroupWithoutOffsets_GoesAway) {
  Lab lab;
  lab.stable_group(1);
  lab.tell(ExpireOffsets{});
  EXPECT_TRUE(lab.group->exists());
  lab.advance(seconds(30));
  lab.tell(ExpireOffsets{});
  EXPECT_FALSE(lab.group->exists());
}

}  // namespace
}  // namespace tidegate::groups
