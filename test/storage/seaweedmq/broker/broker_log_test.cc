// The broker path through the whole engine, over the fake SeaweedFS and its broker: what an acknowledgement
// waits for, what becomes of batches when the broker crashes, forgets, freezes or answers nothing, and that
// nothing is stored twice.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "broker/broker_log_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

class BrokerLogTest : public testing::TestWithParam<Form> {
 protected:
  static RigOptions with(RigOptions options = {}) { return with_form(GetParam(), options); }
};
// What holds for topics that SeaweedMQ has made, too.
class AnyBrokerLogTest : public BrokerLogTest {};

TEST_P(AnyBrokerLogTest, FlushedAck_WaitsUntilTheBatchIsInAFile) {
  BrokerLogRig rig(with());
  rig.broker().hold_flushes(true);
  ASSERT_TRUE(rig.append({"a", "b"}));
  EXPECT_EQ(rig.offsets().log_end, 2);
  EXPECT_EQ(rig.offsets().high_watermark, 0);
  EXPECT_TRUE(rig.values().empty());
  rig.broker().hold_flushes(false);
  ASSERT_TRUE(rig.wait_durable(2));
  EXPECT_EQ(rig.offsets().high_watermark, 2);
  EXPECT_EQ(rig.values(), (Values{"a", "b"}));
}

TEST_P(BrokerLogTest, BrokerAck_IsGivenFromItsMemoryAndConsumersSeeIt) {
  BrokerLogRig rig(with({.flushed = false}));
  rig.broker().hold_flushes(true);
  ASSERT_TRUE(rig.store({"a", "b"}));
  EXPECT_EQ(rig.offsets().high_watermark, 2);
  EXPECT_EQ(rig.values(), (Values{"a", "b"}));
  EXPECT_EQ(rig.stored_messages(), 0U);
  rig.broker().hold_flushes(false);
}

TEST_P(BrokerLogTest, CrashOfTheBroker_LosesNothingThatTheGatewayStillHas) {
  BrokerLogRig rig(with({.flushed = false, .flush_within = milliseconds(300)}));
  ASSERT_TRUE(rig.store({"flushed"}));
  ASSERT_TRUE(rig.eventually([&] { return rig.stored_messages() == 1; }));
  rig.broker().hold_flushes(true);
  ASSERT_TRUE(rig.store({"in memory 1"}));
  ASSERT_TRUE(rig.store({"in memory 2"}));
  rig.crash_broker();
  ASSERT_TRUE(rig.store({"after"}));
  ASSERT_TRUE(rig.eventually([&] { return rig.stored_messages() >= 4; }));
  const Values all{"flushed", "in memory 1", "in memory 2", "after"};
  EXPECT_EQ(rig.values(), all);
  rig.reopen();
  EXPECT_EQ(rig.values(), all);
  EXPECT_EQ(rig.offsets().log_end, 4);
}

TEST_P(AnyBrokerLogTest, FlushedAck_OutlivesCrashesOfTheBrokerAndOrderStays) {
  BrokerLogRig rig(with({.flush_within = milliseconds(300)}));
  Values all;
  for (int i = 0; i < 12; ++i) {
    all.push_back("value " + std::to_string(i));
    ASSERT_TRUE(rig.append({all.back()}));
    if (i % 4 == 3) rig.crash_broker();
  }
  ASSERT_TRUE(rig.wait_durable(12));
  EXPECT_EQ(rig.values(), all);
  rig.reopen();
  EXPECT_EQ(rig.values(), all);
}

TEST_P(AnyBrokerLogTest, AnswerThatWasLost_IsLookedUpAndTheBatchIsStoredOnce) {
  BrokerLogRig rig(with());
  rig.broker().faults().set("Publish", {.kind = Fault::Kind::lost_answer});
  ASSERT_TRUE(rig.store({"once"}));
  EXPECT_EQ(rig.stored_messages(), 1U);
  ASSERT_TRUE(rig.store({"next"}));
  rig.reopen();
  EXPECT_EQ(rig.values(), (Values{"once", "next"}));
}

TEST_P(AnyBrokerLogTest, FateThatCannotBeLearned_IsSentAgainAndReadOnce) {
  BrokerLogRig rig(with({.flush_within = milliseconds(50)}));
  rig.broker().hold_flushes(true);
  rig.broker().faults().set("Publish", {.kind = Fault::Kind::lost_answer});
  ASSERT_TRUE(rig.append({"twice in the files"}));
  ASSERT_TRUE(rig.append({"next"}));
  rig.broker().hold_flushes(false);
  ASSERT_TRUE(rig.wait_durable(2));
  EXPECT_GE(rig.stored_messages(), 2U);
  EXPECT_EQ(rig.values(), (Values{"twice in the files", "next"}));
  rig.reopen();
  EXPECT_EQ(rig.values(), (Values{"twice in the files", "next"}));
  EXPECT_EQ(rig.offsets().log_end, 2);
}

TEST_P(AnyBrokerLogTest, CounterThatWentBack_MovesNoOffset) {
  BrokerLogRig rig(with());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(rig.store({"before " + std::to_string(i)}));
  rig.broker().rewind_counters(5);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.store({"after " + std::to_string(i)}));
  EXPECT_EQ(rig.offsets().log_end, 9);
  rig.reopen();
  EXPECT_EQ(rig.values().size(), 9U);
  EXPECT_EQ(rig.values().back(), "after 2");
}

TEST_P(AnyBrokerLogTest, FrozenBroker_FailsAppendsInTimeAndIsNamed_AndARestartHeals) {
  BrokerLogRig rig(with({.flush_within = milliseconds(100), .give_up_after = milliseconds(1500)}));
  ASSERT_TRUE(rig.store({"before"}));
  rig.broker().freeze();
  const auto failed = rig.append({"failed"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(rig.offsets().log_end, 1) << "the offset goes to the next";
  EXPECT_TRUE(
      rig.eventually([&] { return rig.engine().health().reason.find("broker") != std::string::npos; }));
  rig.crash_broker();
  ASSERT_TRUE(rig.eventually([&] { return rig.store({"after"}).has_value(); }));
  EXPECT_TRUE(rig.eventually([&] { return rig.engine().health().ready; })) << rig.engine().health().reason;
  EXPECT_EQ(rig.values(), (Values{"before", "after"}));
  rig.reopen();
  EXPECT_EQ(rig.values(), (Values{"before", "after"}));
}

TEST_P(AnyBrokerLogTest, AppendThatFailed_IsVoidOnceSomethingElseHasItsOffset) {
  BrokerLogRig rig(with({.flush_within = milliseconds(50), .give_up_after = milliseconds(300)}));
  rig.broker().hold_flushes(true);
  auto appended = rig.append({"never acknowledged"});
  ASSERT_TRUE(appended);
  ASSERT_FALSE(rig.wait_durable(1)) << "it is not flushed in time";
  rig.broker().hold_flushes(false);
  ASSERT_TRUE(rig.eventually([&] { return rig.store({"acknowledged"}).has_value(); }));
  rig.reopen();
  EXPECT_EQ(rig.values(), Values{"acknowledged"});
}

TEST_P(BrokerLogTest, LostTailOfBrokerAck_IsAGapAndItsOffsetsAreNotGivenAgain) {
  BrokerLogRig rig(with({.flushed = false, .flush_within = milliseconds(100)}));
  ASSERT_TRUE(rig.store({"kept"}));
  ASSERT_TRUE(rig.eventually([&] { return rig.stored_messages() == 1; }));
  rig.broker().hold_flushes(true);
  ASSERT_TRUE(rig.store({"lost 1", "lost 2"}));
  rig.cluster().kill(Part::broker);
  rig.stop();
  rig.cluster().start(Part::broker);
  rig.start();
  rig.open();
  EXPECT_EQ(rig.offsets().log_end, 3);
  ASSERT_TRUE(rig.store({"next"}));
  EXPECT_EQ(rig.values(), (Values{"kept", "next"}));
  EXPECT_EQ(rig.offsets().log_end, 4);
}

TEST_P(BrokerLogTest, TopicConfThatABrokerWroteAnew_IsPutBack) {
  BrokerLogRig rig(with());
  ASSERT_TRUE(rig.store({"before"}));
  const std::string path = "/topics/kafka/topic/topic.conf";
  const std::string ours = rig.topic_conf();
  ASSERT_FALSE(ours.empty());
  ASSERT_TRUE(rig.cluster().filer().put_content(
      path, encode_topic_conf({.slots = 2, .generation_ns = 1'900'000'000'000'000'000})));
  rig.crash_broker();
  ASSERT_TRUE(rig.eventually([&] { return rig.store({"after"}).has_value(); }));
  EXPECT_EQ(rig.topic_conf(), ours);
  EXPECT_EQ(rig.values(), (Values{"before", "after"}));
}

TEST_P(BrokerLogTest, StreamOfAnIdleTopic_StaysOpenSoThatTheBrokerDoesNotFreeze) {
  BrokerLogRig rig(with({.times = {.flush = milliseconds(10), .cleanup = milliseconds(10)}}));
  ASSERT_TRUE(rig.store({"x"}));
  ASSERT_TRUE(rig.eventually([&] { return rig.broker().cleanups() >= 10; }));
  EXPECT_EQ(rig.broker().streams(), 1);
  EXPECT_FALSE(rig.broker().frozen());
}

TEST_P(AnyBrokerLogTest, StreamIsOpenBeforeTheFilesHaveBeenRead) {
  BrokerLogRig rig(with());
  ASSERT_TRUE(rig.store({"x"}));
  rig.stop();
  ASSERT_TRUE(rig.eventually([&] { return rig.broker().streams() == 0; }));
  rig.start();
  rig.cluster().volume().faults().set("GET", {.kind = Fault::Kind::delay, .delay = milliseconds(2000)});
  std::atomic<bool> opened = false;
  std::thread opener([&] {
    rig.open();
    opened = true;
  });
  EXPECT_TRUE(rig.eventually([&] { return rig.broker().streams() == 1 || opened; }));
  EXPECT_FALSE(opened) << "its file takes two seconds to read";
  opener.join();
  EXPECT_EQ(rig.values(), Values{"x"});
  ASSERT_TRUE(rig.store({"y"}));
  EXPECT_EQ(rig.values(), (Values{"x", "y"}));
}

TEST_P(AnyBrokerLogTest, FileThatCannotBeRead_FailsTheOpenAndLeavesNoStream) {
  BrokerLogRig rig(with());
  ASSERT_TRUE(rig.store({"x"}));
  rig.stop();
  ASSERT_TRUE(rig.eventually([&] { return rig.broker().streams() == 0; }));
  rig.start();
  rig.cluster().volume().faults().set("GET", {.code = 500, .times = -1});
  EXPECT_FALSE(rig.try_open());
  EXPECT_TRUE(rig.eventually([&] { return rig.broker().streams() == 0; }));
  rig.cluster().volume().faults().clear();
  ASSERT_TRUE(rig.eventually([&] { return rig.try_open().has_value(); }));
  EXPECT_EQ(rig.values(), Values{"x"});
}

TEST_P(BrokerLogTest, RemovedTopicKeepsAStream_UntilOneOfItsNameIsMade) {
  BrokerLogRig rig(with({.times = {.flush = milliseconds(10), .cleanup = milliseconds(10)}}));
  ASSERT_TRUE(rig.store({"of before"}));
  rig.remove_topic();
  const int cleanups = rig.broker().cleanups();
  ASSERT_TRUE(rig.eventually([&] { return rig.broker().cleanups() >= cleanups + 10; }));
  EXPECT_EQ(rig.broker().streams(), 1);
  EXPECT_FALSE(rig.broker().frozen());
}

TEST_P(BrokerLogTest, TopicMadeAnewUnderItsName_WritesToItsOwnFiles) {
  BrokerLogRig rig(with());
  ASSERT_TRUE(rig.store({"of before"}));
  rig.remove_topic();
  ASSERT_TRUE(rig.make_anew());
  rig.open();
  ASSERT_TRUE(rig.eventually([&] { return rig.store({"anew"}).has_value(); }));
  EXPECT_EQ(rig.values(), Values{"anew"});
  EXPECT_TRUE(rig.eventually([&] { return rig.broker().streams() == 1; })) << "the one of before is closed";
  rig.reopen();
  EXPECT_EQ(rig.values(), Values{"anew"});
}

TEST_P(BrokerLogTest, WhatBrokersCannotDo_IsRefusedWithItsReason) {
  BrokerLogRig rig(with());
  const auto grown = rig.grow(2);
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code, ErrorCode::invalid_partitions);
  EXPECT_NE(grown.error().message.find("broker path"), std::string::npos) << grown.error().message;
  const auto compacted = rig.configure({{"cleanup.policy", "compact"}});
  ASSERT_FALSE(compacted);
  EXPECT_EQ(compacted.error().code, ErrorCode::invalid_config);
  EXPECT_EQ(rig.configure({{"seaweedmq.path", "direct"}}).error().code, ErrorCode::invalid_config);
  Topic topic{.name = "other", .id = {}, .partitions = 1, .configs = {}};
  topic.id.bytes = {9};
  topic.configs = {{"seaweedmq.path", "broker"}, {"cleanup.policy", "compact"}};
  EXPECT_EQ(rig.create(topic).error().code, ErrorCode::invalid_config);
  // The path is only the default here.
  topic.configs = {{"cleanup.policy", "compact"}};
  ASSERT_TRUE(rig.create(topic));
  EXPECT_TRUE(rig.configs_of("other").contains("seaweedmq.path"));
}

TEST_P(AnyBrokerLogTest, RecordsOfEveryKind_ComeBackFromTheFiles) {
  BrokerLogRig rig(with());
  std::vector<std::string> expected;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRng rng(seed);
    auto batch = test::random_batch(rng, 0);
    expected.push_back(test::seen(batch));
    ASSERT_TRUE(rig.append_batch(std::move(batch)));
  }
  ASSERT_TRUE(rig.wait_durable(rig.offsets().log_end));
  // All but where they are.
  const auto without_place = [](const std::string& one) { return one.substr(one.find(" attributes")); };
  std::ranges::transform(expected, expected.begin(), without_place);
  const auto found = [&] {
    std::vector<std::string> all;
    for (const auto& batch : rig.batches()) all.push_back(without_place(test::seen(batch)));
    return all;
  };
  EXPECT_EQ(found(), expected) << "from memory";
  rig.reopen();
  EXPECT_EQ(found(), expected) << "from the files";
}

TEST_P(AnyBrokerLogTest, BatchThatBrokeOff_IsThereOnceAndWhole) {
  BrokerLogRig rig(with({.flush_within = milliseconds(300)}));
  ASSERT_TRUE(rig.store({"first"}));
  Values all{"first"};
  for (int round = 0; round < 5; ++round) {
    Values some;
    for (int i = 0; i < 50; ++i) some.push_back(std::to_string(round) + "/" + std::to_string(i));
    all.insert(all.end(), some.begin(), some.end());
    ASSERT_TRUE(rig.append(some));
    rig.crash_broker();
  }
  ASSERT_TRUE(rig.wait_durable(251));
  EXPECT_EQ(rig.values(), all);
  rig.reopen();
  EXPECT_EQ(rig.values(), all);
  EXPECT_EQ(rig.offsets().log_end, 251);
}

TEST_P(BrokerLogTest, SomebodyElsesMessages_ArePassedOver) {
  BrokerLogRig rig(with());
  rig.broker().publish_beside(true);
  Values all;
  for (int i = 0; i < 5; ++i) {
    const Values some{std::to_string(i), "b", "c", "d", "e"};
    all.insert(all.end(), some.begin(), some.end());
    ASSERT_TRUE(rig.store(some));
  }
  EXPECT_EQ(rig.values(), all);
  rig.reopen();
  EXPECT_EQ(rig.values(), all);
}

TEST_P(AnyBrokerLogTest, RestOfABatchThatBrokeOff_IsNotWaitedFor) {
  // Longer than an append may take.
  BrokerLogRig rig(with({.flush_within = milliseconds(60'000), .times = {.flush = milliseconds(300)}}));
  const int taken = GetParam().layout == Layout::record ? 5 : 1;
  rig.broker().faults().set("Publish", {.kind = Fault::Kind::lost_answer, .after = taken - 1});
  const Values values{"a", "b", "c", "d", "e", "f"};
  ASSERT_TRUE(rig.store(values));
  EXPECT_EQ(rig.values(), values);
}

TEST_P(BrokerLogTest, FileInWhichABatchHasBegun_StaysUntilItIsWhole) {
  // Each message in a file of its own.
  RigOptions options = with({.times = {.flush = milliseconds(5)}});
  const auto second = std::make_shared<std::atomic<std::int64_t>>(1'900'000'000);
  options.times.now_ns = [second] { return second->fetch_add(1) * 1'000'000'000; };
  options.times.chunk_messages = 1;
  BrokerLogRig rig(options);
  ASSERT_TRUE(rig.store({"below log start"}));
  rig.broker().faults().set("Publish", {.kind = Fault::Kind::delay, .delay = milliseconds(60), .times = -1});
  const Values values{"a", "b", "c", "d", "e", "f", "g", "h"};
  std::atomic<bool> appended = false;
  std::thread producer([&] {
    EXPECT_TRUE(rig.append(values));
    appended = true;
  });
  EXPECT_TRUE(rig.trim(1));
  EXPECT_TRUE(rig.eventually([&] {
    rig.housekeeping();
    return appended.load();
  }));
  producer.join();
  ASSERT_TRUE(rig.wait_durable(9));
  EXPECT_EQ(rig.values(), values);
  rig.reopen();
  EXPECT_EQ(rig.values(), values);
}

INSTANTIATE_TEST_SUITE_P(Form, BrokerLogTest,
                         testing::Values(Form{"batch", Layout::batch, 1'000'000},
                                         Form{"record", Layout::record, 1'000'000},
                                         Form{"record_by_three", Layout::record, 3}),
                         [](const auto& info) { return std::string(info.param.name); });
INSTANTIATE_TEST_SUITE_P(Form, AnyBrokerLogTest,
                         testing::Values(Form{"batch", Layout::batch, 1'000'000},
                                         Form{"record", Layout::record, 1'000'000},
                                         Form{"record_by_three", Layout::record, 3},
                                         Form{"of_others", Layout::record, 1'000'000, true},
                                         Form{"of_others_by_three", Layout::record, 3, true}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tidegate::storage::seaweedmq
