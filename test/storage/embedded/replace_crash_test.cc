// replace() with the power going off at each of its steps in turn: afterwards the log is the old one or
// the new one, whole, and stays so.
#include <cerrno>

#include "compacted_segments.h"
#include "engine_rig.h"

namespace tidegate::test {
namespace {

using storage::CleanableRange;
using storage::FlushPolicy;

constexpr Offset kAll = std::numeric_limits<Offset>::max();
const PartitionId kId{kTopicId, 0};

class ReplaceRig {
 public:
  ReplaceRig(FlushPolicy policy, std::uint64_t seed) : rig_(seed), seed_(seed) {
    rig_.options.flush = policy;
    rig_.options.tail_cache_bytes = seed % 2 == 0 ? 0 : 64U << 10;
    rig_.config.index_interval_bytes = 200;
    rig_.config.cleanup_compact = true;
    // Deleted at once, or left for the next start to find.
    rig_.config.file_delete_delay_ms = seed % 3 == 0 ? 0 : 60'000;
  }

  EngineRig& rig() { return rig_; }

  // Thirty batches in small segments, of which several then come as one range.
  void fill(std::uint64_t disk_seed) {
    rig_.stop();
    rig_.new_disk(seed_ * 1000 + disk_seed);
    rig_.config.segment_bytes = 400;
    rig_.start_with_topic(1);
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(rig_.append(0, list(numbered_batch("value-" + std::string(50, 'x'), 2 * i, 2))));
    }
    ASSERT_TRUE(rig_.on_log(0, [](storage::PartitionLog& log) { return log.flush(); }));
    rig_.config.segment_bytes = 1500;
    rig_.shards().call([this] { rig_.engine().apply_config(kId, rig_.config); });
  }
  // Every batch begins a segment, and none is put together with another.
  void use_tiny_segments() {
    rig_.config.segment_bytes = 1;
    rig_.shards().call([this] { rig_.engine().apply_config(kId, rig_.config); });
  }
  std::vector<CleanableRange> ranges() {
    return rig_.shards().call([this] { return rig_.log().cleanable(kAll); });
  }
  std::vector<protocol::RecordBatch> batches_in(const CleanableRange& range) {
    std::vector<protocol::RecordBatch> all;
    for (Offset from = range.begin; from < range.end;) {
      const auto some = rig_.read(0, from, {.at_least_one_batch = true, .end = range.end});
      if (!some || some->batches == 0) break;
      for (auto& batch : batches_of(*some)) all.push_back(std::move(batch));
      from = some->next_offset;
    }
    return all;
  }
  Result<void> replace(const CleanableRange& range, std::vector<protocol::RecordBatch> batches) {
    return rig_.on_log(
        0, [&](storage::PartitionLog& log) { return log.replace(range, storage::source_of(batches)); });
  }
  std::vector<ReadRecord> records() {
    auto all = rig_.read_all(0);
    EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
    return all.records;
  }
  void power_cut_and_start() {
    rig_.disk().crash();
    rig_.stop();
    const auto started = rig_.start();
    ASSERT_TRUE(started) << started.error().message;
  }

 private:
  EngineRig rig_;
  std::uint64_t seed_;
};

std::vector<protocol::RecordBatch> every_second(const std::vector<protocol::RecordBatch>& batches) {
  std::vector<protocol::RecordBatch> kept;
  for (std::size_t i = 1; i < batches.size(); i += 2) kept.push_back(batches[i]);
  return kept;
}

std::vector<ReadRecord> without(const std::vector<ReadRecord>& records, const CleanableRange& range,
                                const std::vector<protocol::RecordBatch>& kept) {
  std::vector<ReadRecord> left;
  for (const auto& record : records) {
    const bool inside = record.offset >= range.begin && record.offset < range.end;
    const bool stays = std::ranges::any_of(kept, [&](const protocol::RecordBatch& batch) {
      return record.offset >= batch.header.base_offset && record.offset < batch.header.next_offset();
    });
    if (!inside || stays) left.push_back(record);
  }
  return left;
}

// True when the power lasted until the end.
bool cut_at(ReplaceRig& at, std::uint64_t step) {
  at.fill(step);
  const auto range = at.ranges().at(step % 2);
  const auto kept = every_second(at.batches_in(range));
  const auto old_records = at.records();
  const auto new_records = without(old_records, range, kept);
  at.rig().disk().power_off_after(step);
  const auto replaced = at.replace(range, kept);
  if (replaced && step % 3 == 0) at.rig().shards().run([&] { return at.rig().engine().housekeeping(); });
  const bool went_out = at.rig().disk().is_dark();
  at.power_cut_and_start();
  const auto found = at.records();
  if (replaced) {
    EXPECT_EQ(found, new_records) << "confirmed and lost";
  } else {
    EXPECT_TRUE(found == old_records || found == new_records) << "neither the old log nor the new one";
  }
  const auto offsets = at.rig().offsets();
  EXPECT_EQ(offsets.log_start, 0);
  EXPECT_EQ(offsets.log_end, 60);
  // The start has dealt with what was left behind; another one changes nothing.
  at.power_cut_and_start();
  EXPECT_EQ(at.records(), found);
  EXPECT_TRUE(at.rig().append_values(0, {"goes on"}));
  // And it can be cleaned again, all of it.
  Offset empty_to = 0;
  for (auto left = at.ranges(); !left.empty() && left.back().end > empty_to; left = at.ranges()) {
    const auto next =
        *std::ranges::find_if(left, [&](const CleanableRange& one) { return one.end > empty_to; });
    EXPECT_TRUE(at.replace(next, {}));
    empty_to = next.end;
  }
  EXPECT_GT(empty_to, range.end);
  EXPECT_EQ(at.records().front().offset, empty_to);
  return !went_out && replaced.has_value();
}

void cut_everywhere(FlushPolicy policy) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    ReplaceRig at(policy, seed);
    std::uint64_t step = 1;
    for (; step < 200; ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", power off at call " + std::to_string(step));
      const bool done = cut_at(at, step);
      if (testing::Test::HasFailure()) return;
      if (done) break;
    }
    EXPECT_GT(step, 6U) << "a replacement has more steps than that";
    EXPECT_LT(step, 200U);
  }
}

TEST(ReplaceCrash, FlushAck_OldOrNewAtEveryStep) { cut_everywhere(FlushPolicy::ack); }
TEST(ReplaceCrash, FlushInterval_OldOrNewAtEveryStep) { cut_everywhere(FlushPolicy::interval); }
TEST(ReplaceCrash, FlushOs_OldOrNewAtEveryStep) { cut_everywhere(FlushPolicy::os); }

TEST(ReplaceCrash, FullDiskAndFailedSync_LeaveTheOldLog) {
  ReplaceRig at(FlushPolicy::ack, 1);
  at.fill(1);
  const auto range = at.ranges().at(0);
  const auto kept = every_second(at.batches_in(range));
  const auto before = at.records();
  const auto files = at.rig().disk().files().size();
  at.rig().disk().fail_writes(1, 1, ENOSPC);
  EXPECT_FALSE(at.replace(range, kept));
  EXPECT_EQ(at.records(), before);
  at.rig().disk().fail_syncs(1, 1);
  EXPECT_FALSE(at.replace(range, kept));
  EXPECT_EQ(at.records(), before);
  EXPECT_EQ(at.rig().disk().files().size(), files) << "nothing is left lying about";
  EXPECT_TRUE(at.replace(range, kept));
  EXPECT_EQ(at.records(), without(before, range, kept));
}

// Waits for the repair of a log that broke, which fails.
Task<void> failed_repair(storage::PartitionLog& log) {
  auto one_turn = [](Resume resume) { Shard::current()->post(std::move(resume)); };
  for (;;) {
    const auto flushed = co_await log.flush();
    if (!flushed && flushed.error().message.starts_with("repair")) co_return;
    co_await suspend(one_turn);
  }
}

TEST(ReplaceCrash, LogThatBreaksMeanwhile_IsRepairedAroundTheCompactedSegment) {
  ReplaceRig at(FlushPolicy::os, 2);
  at.fill(1);
  at.use_tiny_segments();
  const auto before = at.records();
  ASSERT_TRUE(at.rig().append_values(0, {"not synced"}));
  const auto range = at.ranges().back();
  ASSERT_EQ(range.end, 60);
  const auto kept = every_second(at.batches_in(range));
  ASSERT_FALSE(kept.empty());
  auto& log = at.rig().log();
  bool given = false;
  const storage::BatchSource source = [&]() -> Task<Result<std::vector<protocol::RecordBatch>>> {
    if (std::exchange(given, true)) co_return std::vector<protocol::RecordBatch>();
    at.rig().disk().fail_syncs(1, 2);  // of the log, and of its repair
    EXPECT_FALSE(co_await log.flush());
    co_await failed_repair(log);
    co_return kept;
  };
  const auto replaced =
      at.rig().on_log(0, [&](storage::PartitionLog& one) { return one.replace(range, source); });
  ASSERT_TRUE(replaced) << replaced.error().message;
  // The next repair comes with an append, a second after the failed one.
  Result<storage::Appended> again = fail(ErrorCode::none);
  while (!again) again = at.rig().append_values(0, {"again"});
  EXPECT_EQ(again->base_offset, 60);
  auto expected = without(before, range, kept);
  auto found = at.records();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back().value, "again");
  found.pop_back();
  EXPECT_EQ(found, expected);
  for (const auto& path : at.rig().disk().files()) {
    if (!path.ends_with(".log") || path.find("-00000") == std::string::npos) continue;
    EXPECT_EQ(at.rig().disk().content(path).size(), kept.front().bytes.size()) << "nobody touches it";
  }
  ASSERT_TRUE(at.rig().on_log(0, [](storage::PartitionLog& one) { return one.flush(); }));
  at.power_cut_and_start();
  found = at.records();
  found.pop_back();
  EXPECT_EQ(found, expected);
}

TEST(ReplaceCrash, KilledBeforeTheOldFilesAreDeleted_TheyGoAtTheNextStart) {
  ReplaceRig at(FlushPolicy::ack, 1);
  at.fill(1);
  const auto range = at.ranges().at(0);
  const auto kept = every_second(at.batches_in(range));
  const auto old_records = at.records();
  ASSERT_TRUE(at.replace(range, kept));
  const auto new_records = at.records();
  EXPECT_NE(new_records, old_records);
  // Killed before the old files' delay is over: they are leftovers.
  at.rig().disk().kill();
  at.rig().stop();
  ASSERT_TRUE(at.rig().start());
  EXPECT_EQ(at.records(), new_records);
  const auto files = at.rig().disk().files();
  for (const auto& path : files) EXPECT_FALSE(path.ends_with("/00000000000000000000.log")) << path;
}

TEST(ReplaceCrash, TrimmedCompactedSegments_AreForgotten) {
  ReplaceRig at(FlushPolicy::ack, 1);
  at.fill(1);
  const auto range = at.ranges().front();
  ASSERT_TRUE(at.replace(range, every_second(at.batches_in(range))));
  const Offset end = range.end;
  ASSERT_TRUE(at.rig().on_log(0, [end](storage::PartitionLog& log) { return log.trim_before(end); }));
  at.power_cut_and_start();
  const auto left = at.records();
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.front().offset, end);
  for (const auto& path : at.rig().disk().files()) EXPECT_EQ(path.find("-00000"), std::string::npos) << path;
}

TEST(ReplaceCrash, DamagedCompactedSegment_IsReportedForItsOffsetsAlone) {
  ReplaceRig at(FlushPolicy::ack, 2);
  at.fill(1);
  const auto range = at.ranges().at(0);
  ASSERT_TRUE(at.replace(range, every_second(at.batches_in(range))));
  at.rig().stop();
  for (const auto& path : at.rig().disk().files()) {
    if (!path.ends_with(".log") || path.find("-00000") == std::string::npos) continue;
    auto bytes = at.rig().disk().content(path);
    bytes.at(100) ^= 1;
    at.rig().disk().set_content(path, bytes);
  }
  ASSERT_TRUE(at.rig().start());
  const auto all = at.rig().read_all(0);
  ASSERT_FALSE(all.errors.empty());
  EXPECT_EQ(all.errors.front().code, ErrorCode::corrupt_message);
  ASSERT_FALSE(all.records.empty());
  EXPECT_LT(all.records.front().offset, range.end) << "what is good behind the damage is served";
  EXPECT_EQ(all.records.back().offset, 59);
}

TEST(ReplaceCrash, ListOfCompactedSegments_IsRefusedWhenDamaged) {
  const auto disk = std::make_shared<FaultDisk>(1);
  const auto kv = disk->mount_kv();
  const std::vector<storage::embedded::CompactedSegment> list{{0, 10, 500, 1}, {10, 30, 0, 4}};
  ASSERT_TRUE(store_compacted(*kv, kId, list));
  EXPECT_EQ(*load_compacted(*kv, kId), list);
  EXPECT_TRUE(load_compacted(*kv, {kTopicId, 1})->empty());
  ASSERT_TRUE(store_compacted(
      *kv, kId, std::vector<storage::embedded::CompactedSegment>{{10, 30, 0, 4}, {0, 10, 500, 1}}));
  EXPECT_FALSE(load_compacted(*kv, kId));
  ASSERT_TRUE(store_compacted(*kv, kId, {}));
  EXPECT_TRUE(load_compacted(*kv, kId)->empty());
}

}  // namespace
}  // namespace tidegate::test
