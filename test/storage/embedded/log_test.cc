// Appending, reading and coming back, on a disk that behaves.
#include "engine_rig.h"

namespace tidegate::test {
namespace {

TEST(EmbeddedLog, AppendedRecords_AreReadBackAfterRestart) {
  EngineRig rig;
  rig.start_with_topic(2);
  ASSERT_TRUE(rig.append_values(0, {"a", "b"}));
  ASSERT_TRUE(rig.append_values(0, {"c"}));
  EXPECT_EQ(values_of(rig.read_all(0).records), (std::vector<std::string>{"a", "b", "c"}));
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(values_of(rig.read_all(0).records), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(rig.offsets(1).log_end, 0);
  auto again = rig.append_values(0, {"d"});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->base_offset, 3);
  EXPECT_EQ(values_of(rig.read_all(0).records), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(EmbeddedLog, PartitionsWithData_AreKnownAfterRestart_Unopened) {
  EngineRig rig;
  rig.start_with_topic(3);
  EXPECT_TRUE(rig.engine().partitions_with_data().empty());
  ASSERT_TRUE(rig.append_values(1, {"a"}));
  const std::vector<PartitionId> wanted{{kTopicId, 1}};
  EXPECT_EQ(rig.engine().partitions_with_data(), wanted);
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.engine().partitions_with_data(), wanted);
}

TEST(EmbeddedLog, KilledProcess_LosesNothing_AndKeepsItsEpoch) {
  for (const auto policy :
       {storage::FlushPolicy::ack, storage::FlushPolicy::interval, storage::FlushPolicy::os}) {
    EngineRig rig;
    rig.options.flush = policy;
    rig.start_with_topic(1);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(rig.append_values(0, {std::to_string(i)}));
    rig.disk().kill();
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.read_all(0).records.size(), 20U);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 0);
  }
}

TEST(EmbeddedLog, SmallSegments_RollAndReadAcross) {
  EngineRig rig;
  rig.config.segment_bytes = 700;
  rig.start_with_topic(1);
  std::vector<std::string> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back("value " + std::to_string(i));
    ASSERT_TRUE(rig.append_values(0, {values.back()}));
  }
  EXPECT_EQ(values_of(rig.read_all(0).records), values);
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(values_of(rig.read_all(0).records), values);
  std::size_t segments = 0;
  for (const auto& path : rig.disk().files()) segments += path.ends_with(".log") ? 1 : 0;
  EXPECT_GT(segments, 10U);
}

TEST(EmbeddedLog, ColdReads_FindEveryOffset) {
  EngineRig rig;
  rig.options.tail_cache_bytes = 0;
  rig.config.index_interval_bytes = 300;
  rig.start_with_topic(1);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(rig.append(0, list(numbered_batch("v", 3 * i, 3))));
  for (int round = 0; round < 2; ++round) {
    for (Offset at = 0; at < 600; at += 7) {
      auto got = rig.read(0, at, {.max_bytes = 1, .at_least_one_batch = true});
      ASSERT_TRUE(got) << got.error().message;
      ASSERT_EQ(got->batches, 1U);
      EXPECT_EQ(records_of(*got).front().offset, at - at % 3);
      EXPECT_EQ(records_of(*got)[static_cast<std::size_t>(at % 3)].value, "v" + std::to_string(at));
    }
    rig.stop();
    ASSERT_TRUE(rig.start());
  }
}

TEST(EmbeddedLog, MissingOrDamagedIndex_IsMadeAnew) {
  EngineRig rig;
  rig.options.tail_cache_bytes = 0;
  rig.config.index_interval_bytes = 200;
  rig.config.segment_bytes = 3000;
  rig.start_with_topic(1);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.append(0, list(numbered_batch("v", i, 1))));
  rig.stop();
  int turn = 0;
  for (const auto& path : rig.disk().files()) {
    if (!path.ends_with(".index")) continue;
    if (turn++ % 2 == 0) {
      rig.disk().remove(path);
    } else {
      auto bytes = rig.disk().content(path);
      for (auto& byte : bytes) byte ^= 0x5a;
      rig.disk().set_content(path, bytes);
    }
  }
  EXPECT_GT(turn, 2);
  ASSERT_TRUE(rig.start());
  for (Offset at = 99; at >= 0; --at) {
    auto got = rig.read(0, at);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(records_of(*got).front().offset, at);
  }
}

TEST(EmbeddedLog, Epoch_OfAnotherLeader_IsRefused) {
  EngineRig rig;
  rig.start_with_topic(1);
  auto refused =
      rig.on_log(0, [](storage::PartitionLog& log) { return log.append(3, list(batch_of({"x"}))); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(rig.offsets().log_end, 0);
}

TEST(EmbeddedLog, TrimmedRecords_StayGone_AndTheirFilesGo) {
  EngineRig rig;
  rig.config.segment_bytes = 500;
  rig.config.file_delete_delay_ms = 0;
  rig.start_with_topic(1);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(rig.append_values(0, {"value " + std::to_string(i)}));
  auto trimmed = rig.on_log(0, [](storage::PartitionLog& log) { return log.trim_before(40); });
  ASSERT_TRUE(trimmed);
  EXPECT_EQ(*trimmed, 40);
  EXPECT_EQ(rig.read(0, 39).error().code, ErrorCode::offset_out_of_range);
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.offsets().log_start, 40);
  EXPECT_EQ(rig.read_all(0).records.size(), 10U);
  for (const auto& path : rig.disk().files())
    EXPECT_FALSE(path.ends_with("00000000000000000000.log")) << path;
}

TEST(EmbeddedLog, QueueOfOneLog_IsBounded) {
  EngineRig rig;
  rig.options.append_queue_bytes = 1000;
  rig.start_with_topic(1);
  auto& log = rig.log(0);
  const auto codes = rig.shards().run([&]() -> Task<std::vector<ErrorCode>> {
    std::vector<Task<Result<storage::Appended>>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(log.append(0, list(sized_batch(200))));
    std::vector<ErrorCode> out;
    for (auto& task : tasks) {
      auto appended = co_await std::move(task);
      out.push_back(appended ? ErrorCode::none : appended.error().code);
    }
    co_return out;
  });
  EXPECT_EQ(codes.front(), ErrorCode::none);
  EXPECT_EQ(codes.back(), ErrorCode::throttling_quota_exceeded);
  EXPECT_TRUE(rig.append_values(0, {"later"}));
}

}  // namespace
}  // namespace tidegate::test
