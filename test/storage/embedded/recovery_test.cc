// Power cuts and kills with a chosen outcome: what a start makes of it, and what the leader epoch says.
#include <algorithm>
#include <cerrno>

#include "engine_rig.h"

namespace tidegate::test {
namespace {

using storage::FlushPolicy;

constexpr std::int64_t kNever = 3'600'000;  // flush interval

bool nothing(const std::string&) { return false; }

std::vector<std::string> segments(FaultDisk& disk, std::int32_t partition = 0) {
  std::vector<std::string> paths;
  for (const auto& path : disk.files()) {
    if (path.find("/" + std::to_string(partition) + "/") != std::string::npos && path.ends_with(".log")) {
      paths.push_back(path);
    }
  }
  return paths;
}

Result<void> flush(EngineRig& rig, std::int32_t partition = 0) {
  return rig.on_log(partition, [](storage::PartitionLog& log) { return log.flush(); });
}

std::vector<std::string> append_many(EngineRig& rig, int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) {
    values.push_back("value " + std::to_string(i));
    EXPECT_TRUE(rig.append_values(0, {values.back()}));
  }
  return values;
}

// The repair is under way or done; it never takes long on a disk that works again.
Result<storage::Appended> append_when_repaired(EngineRig& rig, const std::string& value) {
  Result<storage::Appended> again = fail(ErrorCode::none);
  for (int i = 0; i < 1000 && !again; ++i) again = rig.append_values(0, {value});
  return again;
}

void expect_whole(EngineRig& rig, const std::vector<std::string>& values) {
  const auto all = rig.read_all(0);
  EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
  EXPECT_EQ(values_of(all.records), values);
}

TEST(EmbeddedRecovery, EarlierSegmentsLost_LaterOneKept_IsNoLog) {
  for (const FlushPolicy policy : {FlushPolicy::interval, FlushPolicy::os}) {
    SCOPED_TRACE(static_cast<int>(policy));
    EngineRig rig;
    rig.options.flush = policy;
    rig.options.flush_interval_ms = kNever;
    rig.config.segment_bytes = 400;
    rig.start_with_topic(1);
    append_many(rig, 30);
    const auto files = segments(rig.disk());
    ASSERT_GT(files.size(), 3U);
    rig.disk().crash_keeping([&](const std::string& path) { return path == files.back(); });
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.offsets().log_end, 0);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
    ASSERT_TRUE(rig.append_values(0, {"after"}));
    rig.stop();
    ASSERT_TRUE(rig.start());
    expect_whole(rig, {"after"});
  }
}

TEST(EmbeddedRecovery, MiddleSegmentLost_EndsTheLogInFrontOfIt) {
  EngineRig rig;
  rig.options.flush = FlushPolicy::os;
  rig.config.segment_bytes = 400;
  rig.start_with_topic(1);
  auto values = append_many(rig, 30);
  const auto files = segments(rig.disk());
  ASSERT_GT(files.size(), 3U);
  rig.disk().crash_keeping([&](const std::string& path) { return path != files[1]; });
  rig.stop();
  ASSERT_TRUE(rig.start());
  const auto end = rig.offsets().log_end;
  EXPECT_GT(end, 0);
  EXPECT_EQ(segments(rig.disk()).size(), 1U);
  values.resize(static_cast<std::size_t>(end));
  expect_whole(rig, values);
}

TEST(EmbeddedRecovery, TailLostAtABatchBorder_RaisesTheEpochOnce_ForWhatWasWrittenAlone) {
  for (const FlushPolicy policy : {FlushPolicy::interval, FlushPolicy::os}) {
    SCOPED_TRACE(static_cast<int>(policy));
    EngineRig rig;
    rig.options.flush = policy;
    rig.options.flush_interval_ms = kNever;
    rig.start_with_topic(2);
    ASSERT_TRUE(rig.append_values(1, {"other"}));
    append_many(rig, 5);
    rig.stop();
    ASSERT_TRUE(rig.start());
    append_many(rig, 3);
    EXPECT_EQ(rig.offsets().high_watermark, 8);
    rig.disk().crash_keeping(nothing);
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.offsets().log_end, 5);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 1}), 0);
    // Nothing is written between this cut and the one before.
    rig.disk().crash_keeping(nothing);
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 1}), 0);
  }
}

TEST(EmbeddedRecovery, NothingShownIsLost_EpochStays) {
  struct Case {
    FlushPolicy policy;
    bool power_cut;
    bool clean_stop;
  };
  for (const Case& c : {Case{FlushPolicy::ack, true, false}, Case{FlushPolicy::os, false, false},
                        Case{FlushPolicy::interval, false, false}, Case{FlushPolicy::os, true, true}}) {
    EngineRig rig;
    rig.options.flush = c.policy;
    rig.options.flush_interval_ms = kNever;
    rig.start_with_topic(1);
    const auto values = append_many(rig, 5);
    if (c.clean_stop) rig.stop();
    if (c.power_cut) {
      rig.disk().crash_keeping(nothing);
    } else {
      rig.disk().kill();
    }
    rig.stop();
    ASSERT_TRUE(rig.start());
    expect_whole(rig, values);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 0);
  }
}

// Slots are synced now and then: the one on disk may be from before log start moved.
TEST(EmbeddedRecovery, SlotOlderThanLogStart_LosesNothing) {
  EngineRig rig;
  rig.config.segment_bytes = 400;
  rig.start_with_topic(1);
  auto values = append_many(rig, 30);
  const auto trimmed = rig.on_log(0, [](storage::PartitionLog& log) { return log.trim_before(20); });
  ASSERT_TRUE(trimmed);
  rig.disk().crash_keeping(nothing);
  rig.stop();
  ASSERT_TRUE(rig.start());
  EXPECT_EQ(rig.offsets().log_start, 20);
  EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 0);
  expect_whole(rig, {values.begin() + 20, values.end()});
}

// ------------------------------------------------------------------------------- without the slots

struct Filled {
  EngineRig rig;
  std::vector<std::string> values;
  std::vector<std::string> files;
  Filled() {
    rig.options.tail_cache_bytes = 0;
    rig.config.segment_bytes = 1000;
    rig.start_with_topic(1);
    values = append_many(rig, 45);
    rig.stop();
    files = segments(rig.disk());
    rig.disk().remove("/data/slots");
  }
};

TEST(EmbeddedRecovery, SlotsLost_BadMiddle_IsReportedAndKept) {
  // In the first segment, and in the last one.
  for (const bool last : {false, true}) {
    Filled filled;
    auto& disk = filled.rig.disk();
    ASSERT_GT(filled.files.size(), 2U);
    const std::string& path = last ? filled.files.back() : filled.files.front();
    auto bytes = disk.content(path);
    bytes[30] ^= 0x10;  // in the first batch
    disk.set_content(path, bytes);
    ASSERT_TRUE(filled.rig.start());
    const auto all = filled.rig.read_all(0);
    EXPECT_EQ(all.damaged.size(), 1U);
    for (const auto& error : all.errors) EXPECT_EQ(error.code, ErrorCode::corrupt_message);
    EXPECT_EQ(all.records.size(), 44U);
    EXPECT_EQ(filled.rig.offsets().log_end, 45);
    EXPECT_EQ(filled.rig.engine().leader_epoch({kTopicId, 0}), 0);
    EXPECT_EQ(filled.rig.append_values(0, {"more"})->base_offset, 45);
  }
}

TEST(EmbeddedRecovery, SlotsLost_SegmentMissing_IsReportedAndTheRestKept) {
  for (const std::size_t missing : {std::size_t{0}, std::size_t{1}}) {
    Filled filled;
    auto& disk = filled.rig.disk();
    disk.remove(filled.files[missing]);
    ASSERT_TRUE(filled.rig.start());
    const auto all = filled.rig.read_all(0);
    EXPECT_GT(all.damaged.size(), 0U);
    EXPECT_EQ(all.records.size() + all.damaged.size(), 45U);
    EXPECT_EQ(all.records.back().value, filled.values.back());
    EXPECT_EQ(filled.rig.engine().leader_epoch({kTopicId, 0}), 0);
  }
}

TEST(EmbeddedRecovery, SlotsLost_TornTail_IsCut) {
  Filled filled;
  auto& disk = filled.rig.disk();
  auto bytes = disk.content(filled.files.back());
  bytes.resize(bytes.size() - 3);
  disk.set_content(filled.files.back(), bytes);
  ASSERT_TRUE(filled.rig.start());
  filled.values.pop_back();
  expect_whole(filled.rig, filled.values);
  EXPECT_EQ(filled.rig.engine().leader_epoch({kTopicId, 0}), 1);
}

TEST(EmbeddedRecovery, SlotsLost_LastSegmentAllBad_IsDropped) {
  Filled filled;
  auto& disk = filled.rig.disk();
  auto bytes = disk.content(filled.files.back());
  std::fill(bytes.begin(), bytes.end(), 0);
  disk.set_content(filled.files.back(), bytes);
  ASSERT_TRUE(filled.rig.start());
  const auto end = static_cast<std::size_t>(filled.rig.offsets().log_end);
  EXPECT_LT(end, 45U);
  filled.values.resize(end);
  expect_whole(filled.rig, filled.values);
  EXPECT_EQ(filled.rig.engine().leader_epoch({kTopicId, 0}), 1);
}

// -------------------------------------------------------------------------------- failed syncs

// The sync fails and what the process would do about it does not happen: it is killed.
TEST(EmbeddedRecovery, FailedSync_KilledBeforeRepair_DoesNotBelieveThePageCache) {
  for (const FlushPolicy policy : {FlushPolicy::ack, FlushPolicy::interval}) {
    SCOPED_TRACE(static_cast<int>(policy));
    EngineRig rig(3);
    rig.options.flush = policy;
    rig.options.flush_interval_ms = kNever;
    rig.start_with_topic(1);
    ASSERT_TRUE(rig.append_values(0, {"a"}));
    ASSERT_TRUE(flush(rig));
    if (policy == FlushPolicy::interval) ASSERT_TRUE(rig.append_values(0, {"b"}));
    rig.disk().fail_syncs(1, 1);
    // The sync (behind the write, under ack) and the slot's write; then every call fails.
    rig.disk().power_off_after(policy == FlushPolicy::ack ? 4 : 3);
    if (policy == FlushPolicy::ack) {
      EXPECT_FALSE(rig.append_values(0, {"b"}));
    } else {
      EXPECT_FALSE(flush(rig));
    }
    rig.disk().kill();
    rig.stop();
    ASSERT_TRUE(rig.start());
    EXPECT_EQ(rig.offsets().log_end, 1);
    EXPECT_EQ(rig.engine().leader_epoch({kTopicId, 0}), 1);
    ASSERT_TRUE(rig.append_values(0, {"c"}));
    ASSERT_TRUE(flush(rig));
    rig.disk().crash_keeping(nothing);
    rig.stop();
    ASSERT_TRUE(rig.start());
    expect_whole(rig, {"a", "c"});
  }
}

TEST(EmbeddedRecovery, FailedSync_Repaired_AKillLosesNothing) {
  EngineRig rig;
  rig.options.flush = FlushPolicy::os;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"a"}));
  ASSERT_TRUE(flush(rig));
  ASSERT_TRUE(rig.append_values(0, {"b"}));
  rig.disk().fail_syncs(1, 1);
  ASSERT_FALSE(flush(rig));
  ASSERT_TRUE(append_when_repaired(rig, "c"));
  rig.disk().kill();
  rig.stop();
  ASSERT_TRUE(rig.start());
  expect_whole(rig, {"a", "c"});
}

// After a reboot reads show what the disk has, and the slot may be an old one: its mark means nothing then.
TEST(EmbeddedRecovery, FailedSyncLongAgo_DoesNotCutWhatWasSyncedSince) {
  EngineRig rig;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"a"}));
  rig.disk().fail_syncs(1, 1);
  ASSERT_FALSE(rig.append_values(0, {"b"}));
  ASSERT_TRUE(append_when_repaired(rig, "c"));
  const auto broken = rig.disk().content("/data/slots");
  ASSERT_TRUE(rig.append_values(0, {"d"}));
  rig.disk().crash_keeping([](const std::string& path) { return path.ends_with("/slots"); });
  rig.disk().set_content("/data/slots", broken);
  rig.stop();
  ASSERT_TRUE(rig.start());
  expect_whole(rig, {"a", "c", "d"});
}

// A write that fails and cannot be taken back breaks the log too; what was written before is still to be
// synced.
TEST(EmbeddedRecovery, FailedWriteThatStays_LeavesNoHoleInWhatIsSynced) {
  EngineRig rig;
  rig.options.flush = FlushPolicy::interval;
  rig.options.flush_interval_ms = kNever;
  rig.start_with_topic(1);
  ASSERT_TRUE(rig.append_values(0, {"first"}));
  ASSERT_TRUE(flush(rig));
  ASSERT_TRUE(rig.append_values(0, {"a"}));
  rig.disk().fail_writes(1, 1, EIO);
  rig.disk().fail_truncates(1);
  ASSERT_FALSE(rig.append_values(0, {"b"}));
  ASSERT_TRUE(append_when_repaired(rig, "c"));
  ASSERT_TRUE(flush(rig));
  rig.disk().crash_keeping(nothing);
  rig.stop();
  ASSERT_TRUE(rig.start());
  expect_whole(rig, {"first", "a", "c"});
}

}  // namespace
}  // namespace tidegate::test
