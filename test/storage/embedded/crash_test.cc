// Power failures at random moments: what was acknowledged is there, what is there was written, and
// nothing is there twice.
#include <cerrno>
#include <cstdlib>
#include <set>

#include "engine_rig.h"

namespace tidegate::test {
namespace {

struct Expected {
  std::map<Offset, std::string> promised;             // acknowledged under flush=ack, or flushed
  std::map<Offset, std::set<std::string>> attempted;  // offsets come again after a rollback
  Offset seen_end = 0;                                // highest high watermark that was shown in `epoch`
  LeaderEpoch epoch = 0;
  Offset trimmed_to = 0;  // by deletions that were confirmed
};

// Appends a few batches at once to one partition, notes what was promised.
Task<void> burst(storage::PartitionLog& log, Expected& expected, SeededRng& rng, int& counter, bool promise) {
  struct Attempt {
    Task<Result<storage::Appended>> task;
    std::vector<std::string> values;
  };
  std::vector<Attempt> attempts;
  const auto count = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::vector<std::string> values;
    const auto records = 1 + rng.below(3);
    for (std::uint64_t r = 0; r < records; ++r) {
      values.push_back(std::to_string(counter++) +
                       std::string(rng.below(8) == 0 ? 1500 : rng.below(40), '.'));
    }
    // Taken at the call; behind it a small write may have failed already, and the log end gone back.
    Offset at = log.offsets().log_end;
    auto task = log.append(log.leader_epoch(), list(batch_of(values)));
    for (const auto& value : values) expected.attempted[at++].insert(value);
    attempts.push_back({std::move(task), std::move(values)});
  }
  for (auto& attempt : attempts) {
    auto appended = co_await std::move(attempt.task);
    if (!appended) continue;
    auto durable = co_await log.wait_durable(appended->log_end);
    if (!durable) continue;
    if (!promise) {
      if (rng.below(6) != 0) continue;
      auto flushed = co_await log.flush();
      if (!flushed || log.offsets().log_end < appended->log_end) continue;
    }
    Offset at = appended->base_offset;
    for (const auto& value : attempt.values) expected.promised[at++] = value;
  }
}

// What a client may know of the log from now on.
void look(storage::PartitionLog& log, Expected& expected) {
  const Offset high_watermark = log.offsets().high_watermark;
  if (log.leader_epoch() > expected.epoch) {
    expected.epoch = log.leader_epoch();
    expected.seen_end = high_watermark;
  }
  expected.seen_end = std::max(expected.seen_end, high_watermark);
}

Task<void> delete_some(storage::PartitionLog& log, Expected& expected, SeededRng& rng) {
  const auto at = log.offsets();
  const auto span = static_cast<std::uint64_t>(at.high_watermark - at.log_start);
  const auto trimmed = co_await log.trim_before(at.log_start + static_cast<Offset>(rng.below(span + 1)));
  if (trimmed) expected.trimmed_to = *trimmed;
}

void verify(EngineRig& rig, std::int32_t partition, Expected& expected, bool is_ack) {
  const auto all = rig.read_all(partition);
  EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
  std::map<Offset, std::string> found;
  std::set<std::string> values;
  const Offset log_start = rig.offsets(partition).log_start;
  EXPECT_GE(log_start, expected.trimmed_to);
  Offset due = log_start;
  for (const auto& record : all.records) {
    ASSERT_EQ(record.offset, due++) << "a hole";
    EXPECT_TRUE(expected.attempted[record.offset].contains(record.value))
        << "never written at " << record.offset;
    EXPECT_TRUE(values.insert(record.value).second) << "twice: " << record.value;
    found[record.offset] = record.value;
  }
  for (const auto& [offset, value] : expected.promised) {
    if (offset < log_start) continue;
    ASSERT_TRUE(found.contains(offset)) << "promised and lost: offset " << offset << " of " << due;
    ASSERT_EQ(found[offset], value) << "promised and changed";
  }
  const auto epoch = rig.engine().leader_epoch({kTopicId, partition});
  if (is_ack) EXPECT_GE(due, expected.seen_end) << "a consumer saw what is gone";
  EXPECT_GE(epoch, expected.epoch);
  if (due < expected.seen_end) EXPECT_GT(epoch, expected.epoch) << "gone, and nobody can tell";
  // What survived is fixed from now on.
  expected.attempted.clear();
  for (const auto& [offset, value] : found) expected.attempted[offset] = {value};
  expected.epoch = epoch;
  expected.seen_end = due;
}

void run_crashes(storage::FlushPolicy policy, std::uint64_t seed, int crashes) {
  constexpr std::int32_t kPartitions = 3;
  SeededRng rng(seed);
  EngineRig rig(seed);
  // Under ack alone: every write of the store is synced then.
  rig.rocks_metadata = policy == storage::FlushPolicy::ack && seed % 2 == 0;
  rig.options.flush = policy;
  rig.options.flush_interval_ms = 5;
  rig.config.segment_bytes = 6000;
  rig.config.index_interval_bytes = 500;
  const bool is_ack = policy == storage::FlushPolicy::ack;
  std::vector<Expected> expected;
  for (int crash = 0; crash < crashes; ++crash) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " crash " + std::to_string(crash));
    if (crash % 12 == 0) {
      rig.stop();
      rig.new_disk(rng.next());
      rig.options.syncfs_threshold = rng.below(2) == 0 ? 1 : 8;
      rig.options.tail_cache_bytes = rng.below(2) == 0 ? 0 : 64U << 10;
      rig.start_with_topic(kPartitions);
      expected.assign(kPartitions, {});
    }
    int counter = crash * 100'000;
    rig.disk().power_off_after(1 + rng.below(rng.below(3) == 0 ? 400 : 60));
    if (rng.below(4) == 0) rig.disk().fail_syncs(1 + rng.below(8), 1);
    if (rng.below(6) == 0) rig.disk().fail_writes(1 + rng.below(8), 1, ENOSPC);
    for (int round = 0; round < 200 && !rig.disk().is_dark(); ++round) {
      const auto partition = static_cast<std::int32_t>(rng.below(kPartitions));
      auto opened = rig.open({kTopicId, partition});
      if (!opened) break;
      auto& state = expected[static_cast<std::size_t>(partition)];
      rig.shards().run([&] { return burst(**opened, state, rng, counter, is_ack); });
      if (rng.below(12) == 0) rig.shards().run([&] { return delete_some(**opened, state, rng); });
      rig.shards().call([&] { look(**opened, state); });
    }
    if (rng.below(5) == 0) {
      rig.stop();  // a stop that may itself be cut off
      rig.disk().crash();
    } else {
      rig.disk().crash();
      rig.stop();
    }
    if (rng.below(3) == 0) {  // the next start does not get far
      rig.disk().power_off_after(1 + rng.below(rig.rocks_metadata ? 120 : 40));
      const bool up = rig.start().has_value();
      for (std::int32_t p = 0; up && p < kPartitions; ++p) static_cast<void>(rig.open({kTopicId, p}));
      rig.disk().crash();
      rig.stop();
    }
    rig.disk().fail_syncs(0, 0);
    rig.disk().fail_writes(0, 0, 0);
    const auto started = rig.start();
    ASSERT_TRUE(started) << started.error().message;
    for (std::int32_t p = 0; p < kPartitions; ++p)
      verify(rig, p, expected[static_cast<std::size_t>(p)], is_ack);
    if (::testing::Test::HasFailure()) return;
  }
}

// Seeds from `first` on; TIDEGATE_CRASH_SEEDS asks for more of them than the usual few.
void run_seeds(storage::FlushPolicy policy, std::uint64_t first, std::uint64_t count, int crashes) {
  if (const char* asked = std::getenv("TIDEGATE_CRASH_SEEDS")) count = std::strtoull(asked, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    run_crashes(policy, seed, crashes);
  }
}

TEST(EmbeddedCrash, FlushAck_LosesNothingAcknowledged) { run_seeds(storage::FlushPolicy::ack, 1, 6, 60); }
TEST(EmbeddedCrash, FlushInterval_LosesACleanTail) { run_seeds(storage::FlushPolicy::interval, 1001, 3, 40); }
TEST(EmbeddedCrash, FlushOs_LosesACleanTail) { run_seeds(storage::FlushPolicy::os, 2001, 2, 40); }

}  // namespace
}  // namespace tidegate::test
