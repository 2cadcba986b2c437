// Stop and start again over the same directory: for engines whose data outlives the process.
#include "contract_test.h"

namespace tidegate::test {
namespace {

class ReopenContract : public ContractTest {
 protected:
  void SetUp() override {
    if (!capabilities().durable) GTEST_SKIP() << GetParam().engine.name << " keeps nothing over a restart";
  }
};
TIDEGATE_CONTRACT_SUITE(ReopenContract);

// For every engine: what is not durable is gone cleanly.
class RestartContract : public ContractTest {};
TIDEGATE_CONTRACT_SUITE(RestartContract);

TEST_P(RestartContract, AnEngineWithoutDurability_StartsEmpty) {
  if (capabilities().durable) GTEST_SKIP() << GetParam().engine.name << " keeps its data";
  const auto topic = must_create("t");
  log_of(topic).must_append(batch_of({"x"}));
  ASSERT_TRUE(put("s", 0, {put_op("k", "v")}));
  const std::string cluster = host().engine().cluster_id();
  host().reopen();
  EXPECT_TRUE(topics().empty());
  EXPECT_EQ(*get("s", "k"), std::nullopt);
  EXPECT_NE(host().engine().cluster_id(), cluster) << "another cluster, as far as clients can tell";
}

TEST_P(ReopenContract, TopicsAndClusterId_Stay) {
  auto topic = new_topic("stays", 3);
  topic.configs = {{"retention.ms", "5"}};
  const auto gone = must_create("gone");
  ASSERT_TRUE(create({topic}));
  const bool grows = GetParam().engine.adds_partitions;
  if (grows) ASSERT_TRUE(add_partitions(topic.id, 5));
  ASSERT_TRUE(set_config(topic.id, {{"retention.ms", "6"}}));
  ASSERT_TRUE(remove(gone.id));
  const std::string cluster = host().engine().cluster_id();
  host().reopen();
  EXPECT_EQ(host().engine().cluster_id(), cluster);
  const auto all = topics();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id, topic.id);
  EXPECT_EQ(all[0].partitions, grows ? 5 : 3);
  EXPECT_EQ(all[0].configs.at("retention.ms"), "6");
}

TEST_P(ReopenContract, Records_StayWithTheirOffsets) {
  const auto topic = must_create("t", 4);
  for (std::int32_t p = 0; p < 4; ++p) {
    auto log = log_of(topic, p, small_segments(1024));
    for (int i = 0; i < 20; ++i) log.must_append(numbered_batch("p" + std::to_string(p) + "-", 3 * i, 3));
  }
  std::vector<std::vector<ReadRecord>> before;
  for (std::int32_t p = 0; p < 4; ++p) before.push_back(log_of(topic, p).read_all(0));
  for (int round = 0; round < 2; ++round) {
    host().reopen();
    for (std::int32_t p = 0; p < 4; ++p) {
      auto log = log_of(topic, p, small_segments(1024));
      EXPECT_EQ(log.read_all(0), before[static_cast<std::size_t>(p)]);
      EXPECT_EQ(log.offsets().log_end, 60);
      EXPECT_EQ(log.offsets().high_watermark, 60);
      EXPECT_EQ(log.leader_epoch(), capabilities().epoch_per_start ? round + 1 : 0) << "nothing was cut";
    }
  }
  auto log = log_of(topic, 0, small_segments(1024));
  EXPECT_EQ(log.must_append(batch_of({"after"})).base_offset, 60);
}

TEST_P(ReopenContract, TimesAndHeaders_Stay) {
  const auto topic = must_create("t");
  auto log = log_of(topic, 0, small_segments(1024));
  for (int i = 0; i < 30; ++i)
    log.must_append(batch_at({1000 + 20 * i, 1010 + 20 * i}, {.compression = protocol::Compression::lz4}));
  host().reopen();
  auto again = log_of(topic, 0, small_segments(1024));
  for (Offset offset = 0; offset < 60; ++offset)
    EXPECT_EQ(again.offset_for_time(1000 + 10 * offset)->offset, offset);
  EXPECT_EQ(again.max_timestamp()->offset, 59);
  EXPECT_EQ(again.scan_headers(0, LogHandle::kEnd, 100)->size(), 30U);
  EXPECT_GT(again.readable_bytes(0, LogHandle::kEnd), 0U);
}

TEST_P(ReopenContract, LogStart_Stays) {
  const auto topic = must_create("t", 2);
  for (std::int32_t p = 0; p < 2; ++p) {
    auto log = log_of(topic, p, small_segments(1024));
    for (int i = 0; i < 20; ++i) log.must_append(numbered_batch("v", 3 * i, 3));
  }
  ASSERT_EQ(log_of(topic, 0, small_segments(1024)).trim_before(31), 31);
  ASSERT_EQ(log_of(topic, 1, small_segments(1024)).trim_before(60), 60);
  host().reopen();
  auto middle = log_of(topic, 0, small_segments(1024));
  EXPECT_EQ(middle.offsets().log_start, 31);
  EXPECT_EQ(code_of(middle.read(30)), ErrorCode::offset_out_of_range);
  EXPECT_TRUE(middle.read(31));
  auto all = log_of(topic, 1, small_segments(1024));
  EXPECT_EQ(all.offsets().log_start, 60);
  EXPECT_EQ(all.offsets().log_end, 60) << "an emptied log does not begin anew";
  EXPECT_EQ(all.must_append(batch_of({"next"})).base_offset, 60);
}

TEST_P(ReopenContract, Retention_Stays) {
  auto config = small_segments(1024);
  config.retention_bytes = 3000;
  const auto topic = must_create("t");
  auto log = log_of(topic, 0, config);
  for (int i = 0; i < 50; ++i) log.must_append(sized_batch(250, static_cast<std::uint64_t>(i)));
  host().housekeeping();
  const auto before = log.offsets();
  ASSERT_GT(before.log_start, 0);
  host().reopen();
  EXPECT_EQ(log_of(topic, 0, config).offsets().log_start, before.log_start);
  EXPECT_EQ(log_of(topic, 0, config).offsets().log_end, before.log_end);
}

TEST_P(ReopenContract, MetaAndItsFence_Stay) {
  ASSERT_TRUE(put("group/g", 4, {put_op("a", "1"), put_op("b", "2")}));
  ASSERT_TRUE(put("group/g", 4, {erase_op("a")}));
  host().reopen();
  EXPECT_EQ(*get("group/g", "a"), std::nullopt);
  EXPECT_EQ(*get("group/g", "b"), "2");
  EXPECT_EQ(*scopes("group/"), std::vector<std::string>{"group/g"});
  EXPECT_EQ(code_of(put("group/g", 3, {put_op("b", "stale")})), ErrorCode::not_coordinator);
}

TEST_P(ReopenContract, RemovedTopics_DoNotComeBack) {
  const auto topic = must_create("t");
  log_of(topic).must_append(batch_of({"old"}));
  ASSERT_TRUE(remove(topic.id));
  const auto again = must_create("t");
  host().reopen();
  ASSERT_EQ(topics().size(), 1U);
  EXPECT_EQ(topics()[0].id, again.id);
  EXPECT_EQ(log_of(again).offsets().log_end, 0);
}

TEST_P(ReopenContract, Replacement_Stays) {
  if (!capabilities().compaction || !GetParam().engine.compacts)
    GTEST_SKIP() << GetParam().engine.name << " does not compact";
  const auto topic = must_create("t");
  auto log = log_of(topic, 0, small_segments(1024));
  for (int i = 0; i < 40; ++i) log.must_append(numbered_batch("v", 2 * i, 2));
  const auto range = log.cleanable().at(0);
  ASSERT_TRUE(log.replace(range, {}));
  const auto before = log.read_all(0);
  host().reopen();
  auto again = log_of(topic, 0, small_segments(1024));
  EXPECT_EQ(again.read_all(0), before);
  EXPECT_EQ(again.offsets().log_start, 0);
  EXPECT_EQ(again.offsets().log_end, 80);
}

}  // namespace
}  // namespace tidegate::test
