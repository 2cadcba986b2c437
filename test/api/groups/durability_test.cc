// What an answer rests on is stored first; what could not be stored is taken back; what was stored comes
// back after a restart.
#include <gtest/gtest.h>

#include "fault_engine.h"
#include "group_plane.h"
#include "tidegate/protocol/messages/list_groups.h"

namespace tidegate {
namespace {

using test::ApiHarnessOptions;
using test::GroupPlane;
using test::HeldMetaEngine;

class GroupDurability : public ::testing::Test {
 protected:
  ApiHarnessOptions held_engine() {
    auto options = GroupPlane::with({});
    options.wrap_engine = [this](std::unique_ptr<storage::Engine> inner, ShardPool&) {
      auto held = std::make_unique<HeldMetaEngine>(std::move(inner));
      engine = held.get();
      return held;
    };
    return options;
  }
  // The broker goes and another one comes, over what the engine holds.
  void restart() { plane.api.restart_broker(); }
  // Loading is in the background.
  void wait_until_loaded(const std::string& group) {
    for (int i = 0; i < 1000; ++i) {
      plane.api.shards().settle();
      if (plane.heartbeat(group, "nobody", 1) != ErrorCode::coordinator_load_in_progress) return;
    }
    FAIL() << "never loaded";
  }
  auto send_commit(const std::string& group, Offset offset) {
    return plane.send<protocol::OffsetCommitResponse>(GroupPlane::commit_request(group, topic, 0, offset));
  }
  auto send_fetch(const std::string& group) {
    return plane.send<protocol::OffsetFetchResponse>(GroupPlane::fetch_request(group, topic, 0));
  }

  HeldMetaEngine* engine = nullptr;
  GroupPlane plane{held_engine()};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(GroupDurability, Answers_WaitUntilTheRecordsAreStored) {
  engine->hold();
  auto commit = send_commit("g", 5);
  auto fetch = send_fetch("g");
  plane.api.shards().settle();
  EXPECT_FALSE(commit.is_answered());
  EXPECT_FALSE(fetch.is_answered()) << "what was fetched could still be lost";
  engine->let_go(plane.api.shards());
  EXPECT_EQ(GroupPlane::error_of(commit.get()), ErrorCode::none);
  EXPECT_EQ(GroupPlane::offset_of(fetch.get()).committed_offset, 5);
}

TEST_F(GroupDurability, Generation_IsStoredBeforeAJoinIsAnswered) {
  const std::string member = plane.new_member("g");
  engine->hold();
  auto joined = plane.start_join(GroupPlane::join_request("g", member));
  plane.api.shards().settle();
  EXPECT_FALSE(joined.is_answered());
  engine->let_go(plane.api.shards());
  EXPECT_EQ(joined.get().generation_id, 1);
}

TEST_F(GroupDurability, CommitsOfOneGroup_ShareAWrite) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  engine->hold();
  const int before = engine->writes();
  std::vector<test::Sent<protocol::OffsetCommitResponse>> commits;
  for (Offset offset = 2; offset < 50; ++offset) commits.push_back(send_commit("g", offset));
  plane.api.shards().settle();
  engine->let_go(plane.api.shards());
  for (auto& commit : commits) EXPECT_EQ(GroupPlane::error_of(commit.get()), ErrorCode::none);
  EXPECT_EQ(engine->writes() - before, 2) << "the first, and all that came meanwhile";
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 49);
}

TEST_F(GroupDurability, SlowWriteOfOneGroup_HoldsUpNoOther) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  engine->hold();
  auto commit = send_commit("g", 2);
  auto other = send_fetch("h");
  EXPECT_EQ(GroupPlane::offset_of(other.get()).committed_offset, -1);
  EXPECT_FALSE(commit.is_answered());
  engine->let_go(plane.api.shards());
  EXPECT_EQ(GroupPlane::error_of(commit.get()), ErrorCode::none);
}

TEST_F(GroupDurability, FailedWrite_TakesBackWhatItWouldHaveStored) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  engine->hold();
  auto first = send_commit("g", 2);
  auto second = send_commit("g", 3);
  auto fetch = send_fetch("g");
  plane.api.shards().settle();
  engine->fail_next(1);
  engine->let_go(plane.api.shards());
  EXPECT_EQ(GroupPlane::error_of(first.get()), ErrorCode::coordinator_not_available);
  EXPECT_EQ(GroupPlane::error_of(second.get()), ErrorCode::coordinator_not_available);
  EXPECT_EQ(fetch.get().groups.at(0).error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(plane.metric("tidegate_broker_group_write_failures_total"), 1);

  EXPECT_EQ(plane.heartbeat("g", "m", 1), ErrorCode::coordinator_load_in_progress);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 1);
  plane.api.shards().advance(std::chrono::milliseconds(100));
  wait_until_loaded("g");
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 1);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  EXPECT_EQ(plane.commit("g", topic, 0, 4), ErrorCode::none);
}

TEST_F(GroupDurability, FailedFirstWrite_LeavesNoGroup) {
  engine->fail_next(1);
  EXPECT_EQ(plane.commit("g", topic, 0, 2), ErrorCode::coordinator_not_available);
  plane.api.shards().advance(std::chrono::milliseconds(100));
  wait_until_loaded("g");
  EXPECT_TRUE(plane.api.call<protocol::ListGroupsResponse>(protocol::ListGroupsRequest{}).groups.empty());
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Empty"), 0);
}

TEST_F(GroupDurability, FailedWrite_SendsTheMembersBackIn) {
  const auto joined = plane.settle_one("g");
  const std::string second = plane.new_member("g");
  auto waiting = plane.start_join(GroupPlane::join_request("g", second));
  plane.api.shards().settle();
  engine->fail_next(1);
  EXPECT_EQ(plane.join(GroupPlane::join_request("g", joined.member_id)).error_code,
            ErrorCode::coordinator_not_available);
  EXPECT_EQ(waiting.get().error_code, ErrorCode::coordinator_not_available);
  plane.api.shards().advance(std::chrono::milliseconds(100));
  wait_until_loaded("g");
  // Both come back with the ids that they have.
  auto first_again = plane.start_join(GroupPlane::join_request("g", joined.member_id));
  plane.api.shards().settle();
  const auto code = plane.heartbeat("g", joined.member_id, 1);
  EXPECT_TRUE(code == ErrorCode::rebalance_in_progress || code == ErrorCode::none) << error_name(code);
}

TEST_F(GroupDurability, Restart_BringsGroupsMembersAndOffsetsBack) {
  const auto joined = plane.settle_one("g");
  auto request = GroupPlane::commit_request("g", topic, 0, 77);
  request.member_id = joined.member_id;
  request.generation_id_or_member_epoch = 1;
  ASSERT_EQ(plane.commit(request), ErrorCode::none);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(plane.commit("c" + std::to_string(i), topic, 1, i), ErrorCode::none);

  restart();
  wait_until_loaded("g");
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 1), ErrorCode::none) << "the member has noticed nothing";
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 77);
  for (int i = 0; i < 20; ++i) {
    wait_until_loaded("c" + std::to_string(i));
    EXPECT_EQ(plane.fetch_offset("c" + std::to_string(i), topic, 1).committed_offset, i);
  }
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Stable"), 1);
  EXPECT_EQ(plane.metric("tidegate_broker_groups", "Empty"), 20);
  // The member has a whole session timeout from the load on, and no more.
  plane.api.shards().advance(std::chrono::seconds(11));
  plane.api.shards().settle();
  EXPECT_EQ(plane.heartbeat("g", joined.member_id, 1), ErrorCode::unknown_member_id);
}

TEST_F(GroupDurability, WhileGroupsAreRead_RequestsAreToldToComeBack) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  engine->hold();
  restart();
  EXPECT_EQ(plane.heartbeat("g", "m", 1), ErrorCode::coordinator_load_in_progress);
  const auto listed = plane.api.call<protocol::ListGroupsResponse>(protocol::ListGroupsRequest{});
  EXPECT_EQ(listed.error_code, ErrorCode::coordinator_load_in_progress);
  engine->let_go(plane.api.shards());
  wait_until_loaded("g");
  EXPECT_EQ(plane.fetch_offset("g", topic, 0).committed_offset, 1);
}

TEST_F(GroupDurability, TopicThatWentMeanwhile_TakesItsOffsetsAlong) {
  ASSERT_EQ(plane.commit("g", topic, 0, 1), ErrorCode::none);
  // As after a crash between the two: the topic is gone, its offsets are still stored.
  const auto removed = plane.api.run([&] { return plane.api.engine().topics().remove({topic->topic.id}); });
  ASSERT_TRUE(removed.at(0));
  restart();
  wait_until_loaded("g");
  EXPECT_EQ(plane.metric("tidegate_broker_group_offsets"), 0);
  // A group without members and offsets goes with the next look for what has expired.
  plane.api.shards().advance(std::chrono::minutes(10));
  plane.api.shards().settle();
  EXPECT_TRUE(plane.api.call<protocol::ListGroupsResponse>(protocol::ListGroupsRequest{}).groups.empty());
}

TEST_F(GroupDurability, StoredBytesThatMakeNoSense_FailTheirGroupAlone) {
  ASSERT_EQ(plane.commit("good", topic, 0, 1), ErrorCode::none);
  const auto damaged = plane.api.run([&] {
    std::vector<storage::MetaOp> ops{{storage::MetaOp::Kind::put, "nonsense", "\xff\xff"}};
    return plane.api.engine().meta().put_batch(groups::scope_of_group("bad"), 0, std::move(ops),
                                               storage::MetaDurability::synced);
  });
  ASSERT_TRUE(damaged);
  restart();
  wait_until_loaded("good");
  wait_until_loaded("bad");
  EXPECT_EQ(plane.heartbeat("bad", "m", 1), ErrorCode::unknown_server_error);
  EXPECT_EQ(plane.commit("bad", topic, 0, 1), ErrorCode::unknown_server_error);
  EXPECT_EQ(plane.fetch_offset("good", topic, 0).committed_offset, 1);
}

}  // namespace
}  // namespace tidegate
