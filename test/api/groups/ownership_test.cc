// A group that goes to another node and comes back: nothing is said or written of it that is not this node's
// to say.
#include <gtest/gtest.h>

#include <atomic>

#include "group_plane.h"
#include "tidegate/groups/record.h"
#include "tidegate/protocol/messages/delete_groups.h"
#include "tidegate/protocol/messages/describe_groups.h"
#include "tidegate/protocol/messages/list_groups.h"

namespace tidegate {
namespace {

using test::GroupPlane;

// Two nodes, and all groups belong to one of them.
class MovingGroups final : public storage::Cluster {
 public:
  const std::string& cluster_id() const override { return id_; }
  NodeId self() const override { return 1; }
  std::vector<storage::Member> members() const override {
    return {{.node = 1, .rack = {}, .endpoints = {}}, {.node = 2, .rack = {}, .endpoints = {}}};
  }
  bool has_peers() const override { return true; }
  Owner owner_of(const PartitionId&) const override { return {.node = 1, .epoch = 0}; }
  Owner owner_of_group(std::string_view) const override { return {.node = owner, .epoch = epoch}; }
  void on_lost(std::function<void(const PartitionId&)>) override {}

  std::atomic<NodeId> owner = 1;
  std::atomic<std::int32_t> epoch = 4;

 private:
  std::string id_ = "moving";
};

class GroupOwnership : public ::testing::Test {
 protected:
  test::ApiHarnessOptions options(GroupPlane::Settings config = {}) {
    auto options = GroupPlane::with(std::move(config));
    options.cluster = &cluster;
    options.wrap_engine = [this](std::unique_ptr<storage::Engine> inner, ShardPool&) {
      auto wrapped = std::make_unique<test::HeldMetaEngine>(std::move(inner));
      engine = wrapped.get();
      return wrapped;
    };
    return options;
  }
  void move_to(NodeId node, std::int32_t epoch) {
    cluster.owner = node;
    cluster.epoch = epoch;
  }
  // As the other node does.
  void store(std::int32_t epoch, const groups::Record& record, std::size_t bytes = 1000) {
    std::vector<groups::StoredOp> stored;
    groups::encode(record, stored);
    std::vector<storage::MetaOp> ops{
        {storage::MetaOp::Kind::put, stored.at(0).key, stored.at(0).value->substr(0, bytes)}};
    ASSERT_TRUE(plane.api.run([&] {
      return plane.api.engine().meta().put_batch(groups::scope_of_group("g"), epoch, std::move(ops),
                                                 storage::MetaDurability::synced);
    }));
  }
  static groups::PutOffset offset(Offset offset) {
    return {.topic = "t", .partition = 0, .value = {.offset = offset}};
  }
  std::size_t stored_entries() {
    return plane.api
        .run([&] { return plane.api.engine().meta().scan(groups::scope_of_group("g"), {}, {}, 100); })
        ->size();
  }
  void restart() {
    plane.api.restart_broker();
    settle();
  }
  void settle() {
    for (int i = 0; i < 50; ++i) plane.api.shards().settle();
  }
  // Whoever asks may be told to come again.
  void begin_to_read() {
    const auto told = plane.fetch_offset_error("g", topic, 0);
    EXPECT_TRUE(told == ErrorCode::none || told == ErrorCode::coordinator_load_in_progress);
    settle();
  }
  ErrorCode describe() {
    protocol::DescribeGroupsRequest request;
    request.groups = {"g"};
    return plane.api.call<protocol::DescribeGroupsResponse>(request).groups.at(0).error_code;
  }
  ErrorCode remove() {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {"g"};
    return plane.api.call<protocol::DeleteGroupsResponse>(request).results.at(0).error_code;
  }
  protocol::ListGroupsResponse list() {
    return plane.api.call<protocol::ListGroupsResponse>(protocol::ListGroupsRequest{});
  }

  MovingGroups cluster;
  test::HeldMetaEngine* engine = nullptr;
  GroupPlane plane{options()};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(GroupOwnership, DamagedGroupOfAnotherNode_IsNeitherShownNorDeleted) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  store(4, offset(1), 3);
  restart();
  ASSERT_EQ(describe(), ErrorCode::unknown_server_error);
  move_to(2, 5);
  EXPECT_EQ(describe(), ErrorCode::not_coordinator);
  EXPECT_EQ(remove(), ErrorCode::not_coordinator);
  EXPECT_TRUE(list().groups.empty());
  EXPECT_EQ(stored_entries(), 2U);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 0) << "it is the other's to count";
}

TEST_F(GroupOwnership, DamagedGroupThatAnotherNodeMended_IsReadAgain) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  store(4, offset(1), 3);
  restart();
  ASSERT_EQ(describe(), ErrorCode::unknown_server_error);
  store(5, offset(7));
  move_to(1, 6);
  begin_to_read();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 7);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 0);
}

TEST_F(GroupOwnership, DeleteInTheNameOfAnEarlierOwnership_IsFenced) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  store(4, offset(1), 3);
  restart();
  store(5, offset(9));  // this node has not heard of it yet
  EXPECT_EQ(remove(), ErrorCode::not_coordinator);
  EXPECT_EQ(stored_entries(), 2U);
  move_to(1, 6);
  begin_to_read();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 9);
}

TEST_F(GroupOwnership, GroupThatComesBack_IsReadAgainBeforeAnybodyIsAnswered) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  move_to(2, 5);
  EXPECT_EQ(plane.commit("g", topic, 0, 2), ErrorCode::not_coordinator);
  store(5, offset(9));
  move_to(1, 6);
  begin_to_read();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 9);
  EXPECT_EQ(plane.commit("g", topic, 0, 10), ErrorCode::none);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Empty"), 1);
}

TEST_F(GroupOwnership, GroupThatWentAndCameBackUnseen_IsReadAgain) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  store(5, offset(9));
  move_to(1, 6);
  begin_to_read();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 9);
}

TEST_F(GroupOwnership, GroupThatAnotherNodeMade_IsReadBeforeAnythingIsWritten) {
  move_to(2, 5);
  EXPECT_EQ(plane.commit("g", topic, 0, 2), ErrorCode::not_coordinator);
  store(5, groups::PutClassicHead{});
  store(5, offset(9));
  move_to(1, 6);
  EXPECT_EQ(plane.commit("g", topic, 1, 2), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 9);
  EXPECT_EQ(plane.fetch_offset("g", topic, 1).committed_offset, 2);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
}

TEST_F(GroupOwnership, GroupThatNobodyMade_IsMade) {
  EXPECT_EQ(plane.fetch_offset("new", topic, 0).committed_offset, -1);
  EXPECT_TRUE(list().groups.empty());
  EXPECT_EQ(plane.commit("new", topic, 0, 1), ErrorCode::none);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Empty"), 1);
}

TEST_F(GroupOwnership, WriteInTheNameOfAnEarlierOwnership_IsFencedAndForgotten) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  store(5, offset(9));  // this node has not heard of it yet
  EXPECT_EQ(plane.commit("g", topic, 0, 2), ErrorCode::not_coordinator);
  settle();
  EXPECT_EQ(plane.fetch_offset_error("g", topic, 0), ErrorCode::coordinator_load_in_progress)
      << "what is there is not this node's to tell";
  move_to(2, 5);
  plane.api.shards().advance(std::chrono::seconds(1));
  settle();
  EXPECT_EQ(plane.fetch_offset_error("g", topic, 0), ErrorCode::not_coordinator);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0) << "it is not tried for ever";
  move_to(1, 6);
  begin_to_read();
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 9);
}

TEST_F(GroupOwnership, ReadingWritesTheOwnersEpoch_SoThatTheOneBeforeIsFenced) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  move_to(1, 6);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 1);
  std::vector<storage::MetaOp> late{{storage::MetaOp::Kind::put, "k", "v"}};
  const auto written = plane.api.run([&] {
    return plane.api.engine().meta().put_batch(groups::scope_of_group("g"), 5, std::move(late),
                                               storage::MetaDurability::synced);
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::not_coordinator);
}

TEST_F(GroupOwnership, GroupThatAnotherNodeMade_IsListedAndDescribedAfterTheTakeOver) {
  move_to(2, 5);
  store(5, groups::PutClassicHead{});
  store(5, offset(9));
  move_to(1, 6);
  EXPECT_NE(describe(), ErrorCode::not_coordinator);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0) << "describing has read it";
  move_to(2, 7);
  EXPECT_TRUE(list().groups.empty());
  move_to(1, 8);
  list();  // begins to read it
  settle();
  const auto listed = list();
  EXPECT_EQ(listed.error_code, ErrorCode::none);
  ASSERT_EQ(listed.groups.size(), 1U);
  EXPECT_EQ(listed.groups[0].group_id, "g");
}

TEST_F(GroupOwnership, GroupsOfAnotherNode_TakeNoRoom) {
  GroupPlane small(options({{"group.coordinator.max.groups", "2"}}));  // one a shard
  const auto its_topic = small.api.make_topic("t", 3);
  for (int i = 0; i < 20; ++i) {
    const std::string group = "g" + std::to_string(i);
    ASSERT_EQ(small.commit(group, its_topic, 0, 1), ErrorCode::none);
    move_to(2, cluster.epoch + 1);
    ASSERT_EQ(small.commit(group, its_topic, 0, 1), ErrorCode::not_coordinator);
    move_to(1, cluster.epoch + 1);
  }
  EXPECT_EQ(small.metric("tidegate_broker_groups", "Empty"), 0);
}

// What is stored of the group is older than this node's view of the topics.
TEST_F(GroupOwnership, OffsetsOfATopicThatAnotherNodeHasJustMade_AreKept) {
  engine->share_topics();
  move_to(2, 5);
  storage::Topic late{.name = "late", .id = *TopicId::parse("AAAAAAAAAAAAAAAAAAAAZA"), .partitions = 1};
  ASSERT_TRUE(plane.api.run([&] { return engine->topics().create({late}); }));
  ASSERT_EQ(plane.api.find_topic("late"), nullptr);
  auto of_late = offset(9);
  of_late.topic = "late";
  of_late.value.topic_id = late.id;
  store(5, groups::PutClassicHead{});
  store(5, of_late);
  move_to(1, 6);
  EXPECT_EQ(plane.fetch_offset_error("g", topic, 0), ErrorCode::none);
  settle();
  const auto known = plane.api.find_topic("late");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(plane.fetch_offset("g", known, 0).committed_offset, 9);
  EXPECT_EQ(stored_entries(), 2U);
}

TEST_F(GroupOwnership, OffsetsOfATopicThatIsGone_Go) {
  engine->share_topics();
  move_to(2, 5);
  auto of_gone = offset(9);
  of_gone.topic = "gone";
  of_gone.value.topic_id = *TopicId::parse("AAAAAAAAAAAAAAAAAAAAZA");
  store(5, groups::PutClassicHead{});
  store(5, offset(3));
  store(5, of_gone);
  ASSERT_EQ(stored_entries(), 3U);
  move_to(1, 6);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 3);
  settle();
  EXPECT_EQ(stored_entries(), 2U);
}

TEST_F(GroupOwnership, GroupsOfAnotherNode_AreNotReadAtTheStart) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  move_to(2, 5);
  restart();
  EXPECT_EQ(list().error_code, ErrorCode::none);
  EXPECT_TRUE(list().groups.empty());
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  move_to(1, 6);
  list();  // begins to read them
  settle();
  EXPECT_EQ(list().groups.size(), 1U);
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 1);
}

}  // namespace
}  // namespace tidegate
