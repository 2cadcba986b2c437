// Disks that are full or fail: producers are told, readers go on, and the log goes on when it can.
#include <cerrno>
#include <system_error>

#include "engine_rig.h"
#include "support/captured_log.h"

namespace tidegate::test {
namespace {

TEST(EmbeddedFailure, FullDisk_AtAnyWrite_RefusesThenGoesOn) {
  for (std::uint64_t point = 1; point <= 60; ++point) {
    SCOPED_TRACE("write " + std::to_string(point));
    EngineRig rig(point);
    rig.options.tail_cache_bytes = point % 2 == 0 ? 0 : 1U << 20;
    rig.config.segment_bytes = 600;
    rig.config.index_interval_bytes = 100;
    rig.start_with_topic(1);
    rig.disk().fail_writes(point, 1 + point % 3, ENOSPC);
    std::vector<std::string> good;
    int failed = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string value = "value " + std::to_string(i);
      auto appended = rig.append_values(0, {value});
      if (appended) {
        good.push_back(value);
      } else {
        EXPECT_EQ(appended.error().code, ErrorCode::kafka_storage_error);
        ++failed;
      }
      if (i % 7 == 0) EXPECT_EQ(values_of(rig.read_all(0).records), good);
    }
    EXPECT_LE(failed, 3);
    EXPECT_EQ(values_of(rig.read_all(0).records), good);
    rig.disk().kill();
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(values_of(rig.read_all(0).records), good);
  }
}

TEST(EmbeddedFailure, DiskWithoutRoom_ResumesWhenThereIsSome) {
  EngineRig rig;
  rig.options.tail_cache_bytes = 0;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"first"}));
  rig.disk().set_capacity(3000);
  int written = 1;
  while (rig.append(0, list(sized_batch(300)))) ++written;
  EXPECT_EQ(rig.append_values(0, {std::string(3000, 'x')}).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(rig.read_all(0).records.size(), static_cast<std::size_t>(written));
  rig.disk().set_capacity(1U << 20);
  EXPECT_TRUE(rig.append_values(0, {"room again"}));
  EXPECT_EQ(rig.read_all(0).records.back().value, "room again");
}

TEST(EmbeddedFailure, DiskWithoutRoom_IsSaidInTheLog_NotForEveryAppend) {
  CapturedLog log;  // before the rig's threads
  EngineRig rig;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"first"}));
  rig.disk().set_capacity(1);
  log.listen();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(rig.append_values(0, {std::string(3000, 'x')}));
  rig.stop();
  EXPECT_GE(log.count("event=append_failed"), 1U);
  EXPECT_LE(log.count("event=append_failed"), 10U);
  EXPECT_GE(log.count(std::generic_category().message(ENOSPC)), 1U) << log.text();
}

TEST(EmbeddedFailure, FailedSync_RollsBackToTheDurableEnd_AndProvesTheDisk) {
  for (const std::size_t threshold : {std::size_t{0}, std::size_t{8}}) {
    EngineRig rig;
    rig.options.syncfs_threshold = threshold == 0 ? 1 : threshold;
    rig.start_with_topic(1);
    ASSERT_TRUE(rig.append_values(0, {"good"}));
    rig.disk().fail_syncs(1, 1);
    auto lost = rig.append_values(0, {"lost"});
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, ErrorCode::kafka_storage_error);
    EXPECT_EQ(rig.offsets().log_end, 1);
    // The repair is under way or done; it never takes long on a disk that works again.
    Result<storage::Appended> again = fail(ErrorCode::none);
    for (int i = 0; i < 1000 && !again; ++i) again = rig.append_values(0, {"again"});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->base_offset, 1);
    rig.disk().crash();
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(values_of(rig.read_all(0).records), (std::vector<std::string>{"good", "again"}));
  }
}

TEST(EmbeddedFailure, DiskThatKeepsFailing_IsRefused_AndReadersGoOn) {
  EngineRig rig;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"good"}));
  rig.disk().fail_syncs(1, 1'000'000);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(rig.append_values(0, {"x"}).error().code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(values_of(rig.read_all(0).records), std::vector<std::string>{"good"});
}

TEST(EmbeddedFailure, FailedSyncUnderInterval_TellsReadersByTheEpoch) {
  EngineRig rig;
  rig.options.flush = storage::FlushPolicy::interval;
  rig.options.flush_interval_ms = 3'600'000;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"a"}));
  auto flush = [](storage::PartitionLog& log) { return log.flush(); };
  ASSERT_TRUE(rig.on_log(0, flush));
  ASSERT_TRUE(rig.append_values(0, {"b"}));
  EXPECT_EQ(rig.offsets().high_watermark, 2);
  rig.disk().fail_syncs(1, 1);
  EXPECT_EQ(rig.on_log(0, flush).error().code, ErrorCode::kafka_storage_error);
  Result<storage::Appended> again = fail(ErrorCode::none);
  for (int i = 0; i < 1000 && !again; ++i) again = rig.append_values(0, {"c"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->base_offset, 1);
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
  EXPECT_EQ(values_of(rig.read_all(0).records), (std::vector<std::string>{"a", "c"}));
}

// A repeat of a batch in flight asks for the end of an append that it did not make.
TEST(EmbeddedFailure, WaitForAnAppendThatFails_FailsUnderEveryPolicy) {
  using storage::FlushPolicy;
  for (const FlushPolicy flush : {FlushPolicy::ack, FlushPolicy::interval, FlushPolicy::os}) {
    SCOPED_TRACE(static_cast<int>(flush));
    EngineRig rig;
    rig.options.flush = flush;
    rig.start_with_topic(1);
    auto& log = rig.log(0);
    rig.disk().fail_writes(1, 100, ENOSPC);
    rig.shards().run([&]() -> Task<void> {
      auto appending = log.append(0, list(sized_batch(200)));
      auto durable = co_await log.wait_durable(1);
      EXPECT_FALSE(durable);
      if (!durable) EXPECT_EQ(durable.error().code, ErrorCode::kafka_storage_error);
      auto appended = co_await std::move(appending);
      EXPECT_FALSE(appended);
    });
  }
}

TEST(EmbeddedFailure, OpenFiles_StayWithinTheirLimit) {
  EngineRig rig;
  rig.options.open_file_limit = 8;
  rig.start_with_topic(100);
  for (int round = 0; round < 3; ++round) {
    for (std::int32_t p = 0; p < 100; ++p) ASSERT_TRUE(rig.append_values(p, {std::to_string(round)}));
  }
  EXPECT_LE(rig.metrics().gauge("tidegate_storage_open_files", "").value(), 8);
  for (std::int32_t p = 0; p < 100; ++p) EXPECT_EQ(rig.read_all(p).records.size(), 3U);
}

TEST(EmbeddedFailure, UnsyncedFiles_BeyondTheLimit_AreSyncedAndClosed) {
  EngineRig rig;
  rig.options.open_file_limit = 8;
  rig.options.flush = storage::FlushPolicy::os;
  rig.start_with_topic(60);
  for (std::int32_t p = 0; p < 60; ++p) ASSERT_TRUE(rig.append_values(p, {"x"}));
  for (std::int32_t p = 0; p < 60; ++p) {
    const auto flushed = rig.on_log(p, [](storage::PartitionLog& log) { return log.flush(); });
    ASSERT_TRUE(flushed);
  }
  // A file that is in use while others are opened stays: the number settles with the next few that open one.
  const auto open_files = [&] { return rig.metrics().gauge("tidegate_storage_open_files", "").value(); };
  for (int n = 0; n == 0 || (n < 1000 && open_files() > 10); ++n) {
    ASSERT_TRUE(rig.append_values(n % 60, {"y"}));
  }
  EXPECT_LE(open_files(), 10);
}

}  // namespace
}  // namespace tidegate::test
