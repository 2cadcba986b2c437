// The topic store, and what it means for open logs.
#include "contract_test.h"

namespace tidegate::test {
namespace {

using storage::Topic;

class TopicsContract : public ContractTest {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& topic : topics()) all.push_back(topic.name);
    return all;
  }
  Result<std::shared_ptr<storage::PartitionLog>> open(PartitionId id) {
    return host().call(host().shard_of(id), [=, this] { return host().engine().partition(id, {}); });
  }
};
TIDEGATE_CONTRACT_SUITE(TopicsContract);

TEST_P(TopicsContract, Started_IsReadyWithAClusterId) {
  EXPECT_TRUE(host().engine().health().ready);
  EXPECT_TRUE(host().engine().health().reason.empty());
  EXPECT_TRUE(Uuid::parse(host().engine().cluster_id()).has_value()) << host().engine().cluster_id();
  EXPECT_FALSE(host().engine().name().empty());
  EXPECT_GT(capabilities().max_partitions, 0);
}

TEST_P(TopicsContract, Create_IsListedAsGiven) {
  Topic topic = new_topic("orders", 7);
  topic.configs = {{"retention.ms", "1000"}, {"max.message.bytes", "5000"}};
  topic.created_ms = 1'700'000'000'123;
  ASSERT_TRUE(create({topic, new_topic("other")}));
  const auto all = topics();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "orders");
  EXPECT_EQ(all[0].id, topic.id);
  EXPECT_EQ(all[0].partitions, 7);
  EXPECT_EQ(all[0].configs, topic.configs);
  EXPECT_EQ(all[0].created_ms, topic.created_ms);
  EXPECT_EQ(all[1].name, "other");
}

TEST_P(TopicsContract, CreateOfSeveral_IsAllOrNothing) {
  must_create("taken");
  const auto failed = create({new_topic("a"), new_topic("taken"), new_topic("b")});
  EXPECT_EQ(code_of(failed), ErrorCode::topic_already_exists);
  EXPECT_NE(failed.error().message.find("taken"), std::string::npos) << failed.error().message;
  EXPECT_EQ(names(), std::vector<std::string>{"taken"});
  EXPECT_TRUE(create({new_topic("a"), new_topic("b")}));
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "b", "taken"}));
}

TEST_P(TopicsContract, OneNameTwiceInACall_CreatesNeither) {
  EXPECT_EQ(code_of(create({new_topic("twin"), new_topic("twin")})), ErrorCode::topic_already_exists);
  EXPECT_TRUE(names().empty());
}

TEST_P(TopicsContract, Remove_TakesTheTopicAndItsLogs) {
  const Topic topic = must_create("gone", 3);
  auto log = log_of(topic);
  log.must_append(batch_of({"data"}));
  EXPECT_TRUE(remove(topic.id));
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(code_of(open({.topic = topic.id, .index = 1})), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(code_of(open({.topic = topic.id, .index = 0})), ErrorCode::unknown_topic_or_partition);
}

TEST_P(TopicsContract, OpenLogOfARemovedTopic_RefusesEveryCall) {
  constexpr auto kGone = ErrorCode::unknown_topic_or_partition;
  const Topic topic = must_create("gone");
  auto log = log_of(topic);
  log.must_append(batch_of({"data"}));
  ASSERT_TRUE(remove(topic.id));
  EXPECT_EQ(code_of(log.append(list(batch_of({"x"})))), kGone);
  EXPECT_EQ(code_of(log.read(0)), kGone);
  EXPECT_EQ(code_of(log.offset_for_time(0)), kGone);
  EXPECT_EQ(code_of(log.max_timestamp()), kGone);
  EXPECT_EQ(code_of(log.scan_headers(0, 10, 10)), kGone);
  EXPECT_EQ(code_of(log.trim_before(1)), kGone);
  EXPECT_EQ(code_of(log.flush()), kGone);
  EXPECT_EQ(code_of(log.wait_durable(1)), kGone);
  static_cast<void>(log.offsets());
  host().housekeeping();
}

TEST_P(TopicsContract, RemovingTheUnknown_SaysSo) {
  EXPECT_EQ(code_of(remove(random_uuid(host().rng()))), ErrorCode::unknown_topic_id);
  const Topic topic = must_create("once");
  EXPECT_TRUE(remove(topic.id));
  EXPECT_EQ(code_of(remove(topic.id)), ErrorCode::unknown_topic_id);
}

TEST_P(TopicsContract, TheSameNameAnew_SeesNoOldData) {
  const Topic first = must_create("phoenix");
  log_of(first).must_append(batch_of({"old"}));
  ASSERT_TRUE(remove(first.id));
  const Topic second = must_create("phoenix");
  ASSERT_NE(first.id, second.id);
  auto log = log_of(second);
  EXPECT_EQ(log.offsets().log_end, 0);
  EXPECT_EQ(log.must_append(batch_of({"new"})).base_offset, 0);
  EXPECT_EQ(log.values(), std::vector<std::string>{"new"});
}

TEST_P(TopicsContract, AddPartitions_IsRefusedWhereTopicsCannotGrow) {
  if (GetParam().engine.adds_partitions) GTEST_SKIP() << GetParam().engine.name << " adds partitions";
  const Topic topic = must_create("stays", 2);
  EXPECT_EQ(code_of(add_partitions(topic.id, 4)), ErrorCode::invalid_partitions);
  EXPECT_EQ(topics().at(0).partitions, 2);
  log_of(topic, 1).must_append(batch_of({"x"}));
}

TEST_P(TopicsContract, AddPartitions_GrowsOnly) {
  if (!GetParam().engine.adds_partitions) GTEST_SKIP() << GetParam().engine.name << " adds no partitions";
  const Topic topic = must_create("grows", 2);
  EXPECT_EQ(code_of(open({.topic = topic.id, .index = 3})), ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(add_partitions(topic.id, 4));
  EXPECT_EQ(topics().at(0).partitions, 4);
  auto log = log_of(topic, 3);
  log.must_append(batch_of({"x"}));
  EXPECT_EQ(log.values(), std::vector<std::string>{"x"});
  EXPECT_EQ(code_of(add_partitions(topic.id, 4)), ErrorCode::invalid_partitions);
  EXPECT_EQ(code_of(add_partitions(topic.id, 1)), ErrorCode::invalid_partitions);
  EXPECT_EQ(topics().at(0).partitions, 4);
  EXPECT_EQ(code_of(add_partitions(random_uuid(host().rng()), 4)), ErrorCode::unknown_topic_id);
}

TEST_P(TopicsContract, RemoveOfSeveral_AnswersEachAtItsPlace) {
  const Topic a = must_create("a", 2);
  const Topic b = must_create("b");
  const Topic c = must_create("c");
  auto log = log_of(a, 1);
  log.must_append(batch_of({"x"}));
  const auto removed = remove_all({a.id, random_uuid(host().rng()), c.id, a.id});
  ASSERT_EQ(removed.size(), 4U);
  EXPECT_TRUE(removed[0]);
  EXPECT_EQ(code_of(removed[1]), ErrorCode::unknown_topic_id);
  EXPECT_TRUE(removed[2]);
  EXPECT_EQ(code_of(removed[3]), ErrorCode::unknown_topic_id) << "gone by then";
  EXPECT_EQ(names(), std::vector<std::string>{"b"});
  EXPECT_EQ(code_of(log.read(0)), ErrorCode::unknown_topic_or_partition);
  log_of(b).must_append(batch_of({"stays"}));
  EXPECT_TRUE(remove_all({}).empty());
  EXPECT_TRUE(create({new_topic("a"), new_topic("c")})) << "the names are free";
}

TEST_P(TopicsContract, HundredsOfTopics_GoInOneCall) {
  std::vector<Topic> many;
  std::vector<TopicId> ids;
  for (int i = 0; i < 600; ++i) {
    many.push_back(new_topic("t" + std::to_string(i)));
    ids.push_back(many.back().id);
  }
  ASSERT_TRUE(create(many));
  auto log = log_of(many.at(555));
  log.must_append(batch_of({"x"}));
  const auto removed = remove_all(ids);
  EXPECT_EQ(std::ranges::count_if(removed, [](const auto& one) { return one.has_value(); }), 600);
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(code_of(log.read(0)), ErrorCode::unknown_topic_or_partition);
}

TEST_P(TopicsContract, AddPartitionsToSeveral_AnswersEachAtItsPlace) {
  if (!GetParam().engine.adds_partitions) GTEST_SKIP() << GetParam().engine.name << " adds no partitions";
  const Topic a = must_create("a", 2);
  const Topic b = must_create("b", 2);
  const Topic c = must_create("c", 1);
  const auto grown =
      grow_all({{a.id, 4}, {random_uuid(host().rng()), 9}, {b.id, 2}, {c.id, 3}, {a.id, 4}, {a.id, 5}});
  ASSERT_EQ(grown.size(), 6U);
  EXPECT_TRUE(grown[0]);
  EXPECT_EQ(code_of(grown[1]), ErrorCode::unknown_topic_id);
  EXPECT_EQ(code_of(grown[2]), ErrorCode::invalid_partitions);
  EXPECT_TRUE(grown[3]);
  EXPECT_EQ(code_of(grown[4]), ErrorCode::invalid_partitions) << "it has four by then";
  EXPECT_TRUE(grown[5]);
  const auto all = topics();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].partitions, 5);
  EXPECT_EQ(all[1].partitions, 2);
  EXPECT_EQ(all[2].partitions, 3);
  EXPECT_TRUE(grow_all({}).empty());
}

TEST_P(TopicsContract, SetConfig_ReplacesTheWholeSet) {
  Topic topic = new_topic("configured");
  topic.configs = {{"a", "1"}, {"b", "2"}};
  ASSERT_TRUE(create({topic}));
  const std::map<std::string, std::string> changed{{"b", "3"}, {"c", ""}};
  EXPECT_TRUE(set_config(topic.id, changed));
  EXPECT_EQ(topics().at(0).configs, changed);
  EXPECT_EQ(code_of(set_config(random_uuid(host().rng()), changed)), ErrorCode::unknown_topic_id);
}

TEST_P(TopicsContract, PartitionsThatDoNotExist_AreUnknown) {
  const Topic topic = must_create("two", 2);
  for (const std::int32_t index : {-1, 2, 1000}) {
    EXPECT_EQ(code_of(open({.topic = topic.id, .index = index})), ErrorCode::unknown_topic_or_partition)
        << index;
  }
  EXPECT_EQ(code_of(open({.topic = random_uuid(host().rng()), .index = 0})),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(host().engine().leader_epoch({.topic = topic.id, .index = 1}), 0) << "never written";
}

TEST_P(TopicsContract, OpeningTwice_GivesTheSameLog) {
  const Topic topic = must_create("once");
  const auto first = open({.topic = topic.id, .index = 0});
  const auto second = open({.topic = topic.id, .index = 0});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->get(), second->get());
}

TEST_P(TopicsContract, PartitionsOfATopic_AreApart) {
  const Topic topic = must_create("many", 8);
  for (std::int32_t i = 0; i < 8; ++i) log_of(topic, i).must_append(batch_of({"p" + std::to_string(i)}));
  for (std::int32_t i = 0; i < 8; ++i) {
    EXPECT_EQ(log_of(topic, i).values(), std::vector<std::string>{"p" + std::to_string(i)});
  }
}

}  // namespace
}  // namespace tidegate::test
