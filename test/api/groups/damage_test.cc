// A group whose stored state makes no sense: shown, refused, and deleted when an administrator says so.
#include <gtest/gtest.h>

#include "group_plane.h"
#include "tidegate/groups/record.h"
#include "tidegate/protocol/messages/consumer_group_describe.h"
#include "tidegate/protocol/messages/delete_groups.h"
#include "tidegate/protocol/messages/describe_groups.h"
#include "tidegate/protocol/messages/list_groups.h"

namespace tidegate {
namespace {

using test::ApiHarnessOptions;
using test::GroupPlane;
using test::HeldMetaEngine;

class DamagedGroup : public ::testing::Test {
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
  void SetUp() override {
    plane.settle_one("bad");
    ASSERT_EQ(plane.commit("bad", topic, 0, 7), ErrorCode::unknown_member_id);  // it has a member
    ASSERT_EQ(plane.commit("good", topic, 0, 1), ErrorCode::none);
    ASSERT_EQ(plane.commit("other", topic, 0, 1), ErrorCode::none);
    // The first bytes of a committed offset, and nothing behind them.
    store("bad", groups::PutOffset{.topic = "t", .partition = 0, .value = {.offset = 7}}, 4);
    restart();
  }
  // Overwrites what is stored with the first bytes of the record.
  void store(const std::string& group, const groups::Record& record, std::size_t bytes) {
    std::vector<groups::StoredOp> stored;
    groups::encode(record, stored);
    std::vector<storage::MetaOp> ops{
        {storage::MetaOp::Kind::put, stored.at(0).key, stored.at(0).value->substr(0, bytes)}};
    const auto written = plane.api.run([&] {
      return plane.api.engine().meta().put_batch(groups::scope_of_group(group), 0, std::move(ops),
                                                 storage::MetaDurability::synced);
    });
    ASSERT_TRUE(written);
  }
  void restart() {
    plane.api.restart_broker();
    for (int i = 0; i < 1000; ++i) {
      plane.api.shards().settle();
      if (list().error_code == ErrorCode::none) return;
    }
    FAIL() << "never loaded";
  }
  protocol::ListGroupsResponse list(std::vector<std::string> states = {}) {
    protocol::ListGroupsRequest request;
    request.states_filter = std::move(states);
    return plane.api.call<protocol::ListGroupsResponse>(request);
  }
  protocol::DescribeGroupsResponse::DescribedGroup describe(std::int16_t version = 6) {
    protocol::DescribeGroupsRequest request;
    request.groups = {"bad"};
    return plane.api.call<protocol::DescribeGroupsResponse>(request, version).groups.at(0);
  }
  protocol::ConsumerGroupDescribeResponse::DescribedGroup describe_consumer() {
    protocol::ConsumerGroupDescribeRequest request;
    request.group_ids = {"bad"};
    return plane.api.call<protocol::ConsumerGroupDescribeResponse>(request).groups.at(0);
  }
  ErrorCode remove(const std::string& group = "bad") {
    protocol::DeleteGroupsRequest request;
    request.groups_names = {group};
    return plane.api.call<protocol::DeleteGroupsResponse>(request).results.at(0).error_code;
  }
  std::size_t stored_entries() {
    return plane.api
        .run([&] { return plane.api.engine().meta().scan(groups::scope_of_group("bad"), {}, {}, 100); })
        ->size();
  }

  HeldMetaEngine* engine = nullptr;
  GroupPlane plane{held_engine()};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 3);
};

TEST_F(DamagedGroup, IsListedAsUnknownWithTheTypeThatCouldBeRead) {
  const auto listed = list();
  EXPECT_EQ(listed.error_code, ErrorCode::none);
  ASSERT_EQ(listed.groups.size(), 3U);
  EXPECT_EQ(listed.groups[0].group_id, "bad");
  EXPECT_EQ(listed.groups[0].group_state, "Unknown");
  EXPECT_EQ(listed.groups[0].group_type, "classic");
  EXPECT_EQ(list({"unknown"}).groups.size(), 1U);
  EXPECT_EQ(list({"Empty"}).groups.size(), 2U);
}

TEST_F(DamagedGroup, IsDescribedByWhatIsWrongAndWhatToDo) {
  for (const auto& told : {describe(6), describe(5)}) {
    EXPECT_EQ(told.error_code, ErrorCode::unknown_server_error);
    EXPECT_TRUE(told.members.empty());
  }
  const auto why = describe().error_message.value_or("");
  EXPECT_NE(why.find("group 'bad' cannot be read"), std::string::npos) << why;
  EXPECT_NE(why.find("delete the group"), std::string::npos) << why;
  EXPECT_EQ(describe_consumer().error_code, ErrorCode::unknown_server_error);
  EXPECT_EQ(describe_consumer().error_message, why);
}

TEST_F(DamagedGroup, IsCountedAndFailsAlone) {
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 1);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  EXPECT_EQ(plane.heartbeat("bad", "m", 1), ErrorCode::unknown_server_error);
  EXPECT_EQ(plane.join(GroupPlane::join_request("bad")).error_code, ErrorCode::unknown_server_error);
  EXPECT_EQ(plane.commit("bad", topic, 0, 1), ErrorCode::unknown_server_error);
  EXPECT_EQ(plane.fetch_offset("good", topic, 0).committed_offset, 1);
}

TEST_F(DamagedGroup, StaysAsItIsUntilItIsDeleted) {
  const auto before = stored_entries();
  EXPECT_GE(before, 3U);
  plane.commit("bad", topic, 0, 9);
  plane.api.shards().advance(std::chrono::hours(24 * 30));
  restart();
  EXPECT_EQ(stored_entries(), before);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 1);
}

TEST_F(DamagedGroup, Delete_TakesAllOfItAndTheNameIsFree) {
  EXPECT_EQ(remove(), ErrorCode::none);
  EXPECT_EQ(stored_entries(), 0U);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 0);
  EXPECT_EQ(list().groups.size(), 2U);
  EXPECT_EQ(remove(), ErrorCode::group_id_not_found);
  EXPECT_EQ(plane.fetch_offset("bad", topic, 0).committed_offset, -1);
  EXPECT_EQ(plane.commit("bad", topic, 0, 3), ErrorCode::none);
  restart();
  EXPECT_EQ(plane.fetch_offset("bad", topic, 0).committed_offset, 3);
  EXPECT_EQ(plane.fetch_offset("good", topic, 0).committed_offset, 1);
}

TEST_F(DamagedGroup, DeleteThatCannotBeWritten_LeavesItAsItIs) {
  const auto before = stored_entries();
  engine->fail_next(1);
  EXPECT_EQ(remove(), ErrorCode::coordinator_not_available);
  EXPECT_EQ(stored_entries(), before);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 1);
  EXPECT_EQ(describe().error_code, ErrorCode::unknown_server_error);
  EXPECT_EQ(remove(), ErrorCode::none);
}

TEST_F(DamagedGroup, IsNotDeletedUnderMembersThatAreAtWork) {
  for (const auto& at_work : std::vector<std::function<void()>>{
           [&] { plane.heartbeat("bad", "m", 1); },
           [&] { plane.join(GroupPlane::join_request("bad")); },
           [&] { plane.commit("bad", topic, 0, 1); },
       }) {
    at_work();
    EXPECT_EQ(remove(), ErrorCode::non_empty_group);
    plane.api.shards().advance(std::chrono::seconds(29));
    EXPECT_EQ(remove(), ErrorCode::non_empty_group);
    EXPECT_GE(stored_entries(), 3U);
  }
  describe();
  plane.api.shards().advance(std::chrono::seconds(2));
  EXPECT_EQ(remove(), ErrorCode::none) << "looking at it is no work in it";
}

TEST_F(DamagedGroup, OfALaterRelease_IsNotToBeDeletedButReadByThatRelease) {
  std::vector<groups::StoredOp> stored;
  groups::encode(groups::PutOffset{.topic = "t", .partition = 0, .value = {.offset = 7}}, stored);
  std::string value = *stored.at(0).value;
  value[0] = 0x7f;  // the record's version
  std::vector<storage::MetaOp> ops{{storage::MetaOp::Kind::put, stored.at(0).key, value}};
  ASSERT_TRUE(plane.api.run([&] {
    return plane.api.engine().meta().put_batch(groups::scope_of_group("bad"), 0, ops,
                                               storage::MetaDurability::synced);
  }));
  restart();
  const auto why = describe().error_message.value_or("");
  EXPECT_NE(why.find("Run the release that wrote it"), std::string::npos) << why;
  EXPECT_EQ(why.find("Restore"), std::string::npos) << why;
}

TEST_F(DamagedGroup, WhileItIsBeingDeleted_OthersAreToldToComeAgain) {
  engine->hold();
  protocol::DeleteGroupsRequest request;
  request.groups_names = {"bad"};
  auto first = plane.send<protocol::DeleteGroupsResponse>(request);
  plane.api.shards().settle();
  EXPECT_EQ(remove(), ErrorCode::coordinator_load_in_progress);
  EXPECT_EQ(plane.heartbeat("bad", "m", 1), ErrorCode::coordinator_load_in_progress);
  engine->let_go(plane.api.shards());
  EXPECT_EQ(first.get().results.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(stored_entries(), 0U);
}

TEST_F(DamagedGroup, WithoutAReadableHead_ItsTypeIsUnknown) {
  store("bad", groups::PutClassicHead{}, 0);
  restart();
  EXPECT_EQ(list().groups.at(0).group_id, "bad");
  EXPECT_EQ(list().groups.at(0).group_type, "Unknown");
}

TEST_F(DamagedGroup, EmptyRecord_IsDamageToo) {
  store("other", groups::PutOffset{.topic = "t", .partition = 1, .value = {.offset = 7}}, 0);
  restart();
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 2);
  EXPECT_EQ(remove("other"), ErrorCode::none);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 1);
}

TEST_F(DamagedGroup, ScopeThatCannotBeReadAtAll_IsOneOfThem) {
  engine->damage(groups::scope_of_group("other"));
  restart();
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 2);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  EXPECT_EQ(plane.fetch_offset("good", topic, 0).committed_offset, 1);
  EXPECT_EQ(list({"Unknown"}).groups.size(), 2U);
  EXPECT_EQ(remove("other"), ErrorCode::none);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 1);
  EXPECT_EQ(plane.commit("other", topic, 0, 5), ErrorCode::none);
  EXPECT_EQ(plane.fetch_offset("other", topic, 0).committed_offset, 5);
}

TEST_F(DamagedGroup, EntriesThatDoNotFitTogether_AreDamageToo) {
  store("other", groups::PutClassicHead{{.phase = groups::ClassicPhase::stable, .generation = 3}}, 1000);
  restart();
  EXPECT_EQ(plane.metric("tidegate_broker_groups_unreadable"), 2);
  EXPECT_EQ(plane.fetch_offset_error("other", topic, 0), ErrorCode::unknown_server_error);
  protocol::DescribeGroupsRequest request;
  request.groups = {"other"};
  const auto told = plane.api.call<protocol::DescribeGroupsResponse>(request).groups.at(0);
  EXPECT_NE(told.error_message.value_or("").find("without members"), std::string::npos);
  EXPECT_EQ(remove("other"), ErrorCode::none);
}

TEST_F(DamagedGroup, OneThatStorageDoesNotGiveOut_HoldsUpNoOtherAndComesWhenItDoes) {
  std::set<std::string> refused;
  for (int i = 0; i < 40; ++i) {
    const auto name = "late" + std::to_string(i);
    ASSERT_EQ(plane.commit(name, topic, 0, i), ErrorCode::none);
    refused.insert(groups::scope_of_group(name));
  }
  engine->refuse_reads_of(refused);
  plane.api.restart_broker();
  for (int i = 0; i < 50; ++i) plane.api.shards().settle();
  EXPECT_EQ(plane.fetch_offset("good", topic, 0).committed_offset, 1)
      << "more wait than are read side by side";
  EXPECT_EQ(plane.metric("tidegate_broker_groups_load_failing"), 40);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 40);
  EXPECT_EQ(list().error_code, ErrorCode::coordinator_load_in_progress);
  EXPECT_EQ(plane.fetch_offset_error("late7", topic, 0), ErrorCode::coordinator_load_in_progress);

  for (int i = 0; i < 40; ++i) plane.api.shards().advance(std::chrono::milliseconds(500));
  const auto listed = list();
  EXPECT_EQ(listed.error_code, ErrorCode::none) << "the others are not hidden for ever";
  EXPECT_EQ(listed.groups.size(), 43U);
  EXPECT_EQ(remove("late7"), ErrorCode::coordinator_load_in_progress) << "it may be whole";

  engine->refuse_reads_of({});
  for (int i = 0; i < 40; ++i) plane.api.shards().advance(std::chrono::milliseconds(500));
  EXPECT_EQ(plane.metric("tidegate_broker_groups_load_failing"), 0);
  EXPECT_EQ(plane.metric("tidegate_broker_groups_loading"), 0);
  EXPECT_EQ(plane.fetch_offset("late7", topic, 0).committed_offset, 7);
}

}  // namespace
}  // namespace tidegate
