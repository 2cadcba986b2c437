// Compaction against a plain model while the power fails at random moments: after each crash the whole log
// gives the model's latest value of every key, no deleted key comes back, what is there stands where it was
// written, and each producer's last batch can still be told.
#include <cerrno>

#include "compaction/dirty_log.h"
#include "engine_rig.h"

namespace tidegate::test {
namespace {

using broker::CleanerCheckpoint;
using protocol::BatchHeader;

constexpr std::int32_t kPartition = 0;
const PartitionId kId{kTopicId, kPartition};

struct Entry {
  std::string key;
  std::optional<std::string> value;
  auto operator<=>(const Entry&) const = default;
};
struct LastBatch {
  Offset last_offset = -1;
  std::int32_t last_sequence = -1;
  bool operator==(const LastBatch&) const = default;
};
struct WrittenBatch {
  BatchHeader header;  // with its offset
  std::vector<Entry> entries;
};

// What the log holds, as if nothing had ever been compacted.
struct Model {
  std::map<Offset, WrittenBatch> batches;  // by base offset: acknowledged, or found after a crash
  std::map<Offset, std::vector<WrittenBatch>> attempts;  // may or may not be there
  Offset promised_end = 0;
  std::map<std::int64_t, std::int32_t> next_sequence;
  int counter = 0;

  std::map<std::string, std::pair<Offset, std::optional<std::string>>> latest(Offset end) const {
    std::map<std::string, std::pair<Offset, std::optional<std::string>>> last;
    for (const auto& [base, batch] : batches) {
      if (base >= end) break;
      for (std::size_t i = 0; i < batch.entries.size(); ++i) {
        last[batch.entries[i].key] = {base + static_cast<Offset>(i), batch.entries[i].value};
      }
    }
    return last;
  }
  std::map<std::int64_t, LastBatch> producers(Offset end) const {
    std::map<std::int64_t, LastBatch> last;
    for (const auto& [base, batch] : batches) {
      if (base < end)
        last[batch.header.producer_id] = {batch.header.last_offset(), batch.header.last_sequence()};
    }
    return last;
  }
};

WrittenBatch random_batch(Model& model, SeededRng& rng, protocol::RecordBatch& out) {
  WrittenBatch written;
  std::vector<protocol::NewRecord> records;
  const auto count = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    Entry entry{.key = "key-" + std::to_string(rng.below(25)), .value = std::nullopt};
    if (rng.below(4) != 0) entry.value = std::to_string(model.counter++) + std::string(rng.below(60), '.');
    records.push_back({.timestamp = kFirstTimestamp + model.counter,
                       .key = entry.key,
                       .value = entry.value,
                       .headers = {}});
    written.entries.push_back(std::move(entry));
  }
  const auto producer = static_cast<std::int64_t>(1 + rng.below(3));
  auto& sequence = model.next_sequence[producer];
  out = build(records, {.compression = static_cast<protocol::Compression>(rng.below(5)),
                        .producer_id = producer,
                        .producer_epoch = 0,
                        .base_sequence = sequence});
  sequence += static_cast<std::int32_t>(count);
  written.header = out.header;
  return written;
}

Task<void> append_some(std::shared_ptr<storage::PartitionLog> log, Model& model, SeededRng& rng) {
  for (auto left = 1 + rng.below(12); left > 0; --left) {
    protocol::RecordBatch batch;
    WrittenBatch written = random_batch(model, rng, batch);
    const Offset base = log->offsets().log_end;
    written.header.base_offset = base;
    model.attempts[base].push_back(written);
    auto appended = co_await log->append(log->leader_epoch(), list(batch));
    if (!appended) co_return;
    auto durable = co_await log->wait_durable(appended->log_end);
    if (!durable) co_return;
    model.batches[base] = std::move(written);
    model.promised_end = appended->log_end;
  }
}

// As the broker does it, a pass or several.
Task<void> clean(EngineRig& rig, std::shared_ptr<storage::PartitionLog> log, Model& model, SeededRng& rng,
                 std::int64_t now_ms, bool& cleaned) {
  broker::IoThrottle throttle(rig.shards().clock(), 1e12);
  const broker::CleaningMeans means{.blocking = rig.blocking(),
                                    .throttle = throttle,
                                    .map_bytes = rng.below(2) == 0 ? 200U : 100'000U,
                                    .map_load = 0.9,
                                    .secret = {.first = 3, .second = 4},
                                    .read_bytes = 100 + rng.below(3000)};
  for (int pass = 0; pass < 20; ++pass) {
    auto stored = co_await broker::load_checkpoint(rig.engine().meta(), kId);
    if (!stored) co_return;
    const Offset first_dirty = stored->value_or(CleanerCheckpoint()).apply(*log);
    const broker::CompactionSettings settings;
    const Offset stable_end = log->offsets().high_watermark;
    auto dirty = co_await broker::assess_log(log, first_dirty, stable_end, settings, now_ms);
    if (!dirty || !*dirty) co_return;
    broker::SieveRules rules{.now_ms = now_ms,
                             .delete_retention_ms = static_cast<std::int64_t>(rng.below(3) * 40)};
    for (const auto& [producer, last] : model.producers(log->offsets().high_watermark)) {
      rules.producer_ends[producer] = last.last_offset;
    }
    const LeaderEpoch epoch = log->leader_epoch();
    auto report = co_await broker::clean_partition(log, (*dirty)->stretch, std::move(rules), means);
    if (!report) co_return;
    cleaned = true;
    const CleanerCheckpoint next{.first_dirty = report->cleaned_to, .epoch = epoch};
    auto kept = co_await broker::store_checkpoint(rig.engine().meta(), kId, next);
    if (!kept || report->cleaned_to >= (*dirty)->stretch.end) co_return;
  }
}

std::vector<protocol::RecordBatch> everything(EngineRig& rig) {
  std::vector<protocol::RecordBatch> all;
  const auto at = rig.offsets(kPartition);
  for (Offset from = at.log_start; from < at.high_watermark;) {
    const auto got = rig.read(kPartition, from,
                              {.max_bytes = 1U << 16, .at_least_one_batch = true, .end = at.high_watermark});
    if (!got || got->batches == 0) {
      ADD_FAILURE() << "cannot read at " << from << " of " << at.high_watermark << ": "
                    << (got ? "nothing there" : got.error().message);
      break;
    }
    for (auto& batch : batches_of(*got)) all.push_back(std::move(batch));
    from = got->next_offset;
  }
  return all;
}

std::optional<std::string> text_of(const std::optional<ByteView>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

// Takes over what survived beyond what was promised; what was promised must be there.
void adopt(Model& model, const std::vector<protocol::RecordBatch>& found, Offset log_end) {
  ASSERT_GE(log_end, model.promised_end) << "promised and lost";
  model.batches.erase(model.batches.lower_bound(model.promised_end), model.batches.end());
  for (const auto& batch : found) {
    if (batch.header.base_offset < model.promised_end) continue;
    const auto& attempts = model.attempts[batch.header.base_offset];
    const auto same = std::ranges::find_if(attempts, [&](const WrittenBatch& one) {
      return one.header.crc == batch.header.crc && one.header.base_sequence == batch.header.base_sequence;
    });
    ASSERT_NE(same, attempts.end()) << "never written at " << batch.header.base_offset;
    model.batches[batch.header.base_offset] = *same;
  }
  model.promised_end = log_end;
  model.attempts.clear();
}

void verify(EngineRig& rig, Model& model) {
  const auto offsets = rig.offsets(kPartition);
  const auto found = everything(rig);
  ASSERT_EQ(offsets.log_start, 0);
  ASSERT_NO_FATAL_FAILURE(adopt(model, found, offsets.log_end));
  std::map<std::string, std::pair<Offset, std::optional<std::string>>> read;
  std::map<std::int64_t, LastBatch> producers;
  Offset next = 0;
  for (const auto& batch : found) {
    ASSERT_GE(batch.header.base_offset, next) << "out of order";
    next = batch.header.next_offset();
    const auto original = model.batches.find(batch.header.base_offset);
    ASSERT_NE(original, model.batches.end());
    ASSERT_EQ(batch.header.next_offset(), original->second.header.next_offset());
    ASSERT_TRUE(protocol::batch_crc_is_valid(batch.bytes, batch.header));
    producers[batch.header.producer_id] = {batch.header.last_offset(), batch.header.last_sequence()};
    auto walked = protocol::for_each_record(batch, {}, [&](const protocol::RecordView& record) {
      const Entry entry{.key = *text_of(record.key), .value = text_of(record.value)};
      EXPECT_EQ(entry, original->second.entries.at(static_cast<std::size_t>(record.offset_delta)));
      read[entry.key] = {batch.header.base_offset + record.offset_delta, entry.value};
      return true;
    });
    ASSERT_TRUE(walked) << walked.error().message;
  }
  for (const auto& [key, last] : model.latest(offsets.log_end)) {
    if (last.second) {
      EXPECT_EQ(read[key], last) << key;
    } else if (read.contains(key)) {
      EXPECT_EQ(read[key], last) << key << " was deleted";
    }
    read.erase(key);
  }
  EXPECT_TRUE(read.empty()) << "a key that was never written";
  EXPECT_EQ(producers, model.producers(offsets.log_end));
}

void run_crashes(std::uint64_t seed, int crashes, int& cleanings) {
  SeededRng rng(seed);
  EngineRig rig(seed);
  rig.config.segment_bytes = 900;
  rig.config.index_interval_bytes = 200;
  rig.config.cleanup_compact = true;
  rig.config.cleanup_delete = false;
  Model model;
  std::int64_t now_ms = kFirstTimestamp + 1'000'000;
  for (int crash = 0; crash < crashes; ++crash) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " crash " + std::to_string(crash));
    if (crash % 15 == 0) {
      rig.stop();
      rig.new_disk(rng.next());
      rig.options.tail_cache_bytes = rng.below(2) == 0 ? 0 : 64U << 10;
      rig.config.file_delete_delay_ms = rng.below(2) == 0 ? 0 : 60'000;
      rig.start_with_topic(1);
      model = {};
    }
    rig.disk().power_off_after(1 + rng.below(rng.below(3) == 0 ? 600 : 150));
    if (rng.below(6) == 0) rig.disk().fail_syncs(1 + rng.below(12), 1);
    if (rng.below(6) == 0) rig.disk().fail_writes(1 + rng.below(20), 1, ENOSPC);
    for (int round = 0; round < 60 && !rig.disk().is_dark(); ++round) {
      auto opened = rig.open(kId);
      if (!opened) break;
      now_ms += static_cast<std::int64_t>(rng.below(30));
      if (rng.below(3) != 0) {
        rig.shards().run([&] { return append_some(*opened, model, rng); });
      } else {
        bool cleaned = false;
        rig.shards().run([&] { return clean(rig, *opened, model, rng, now_ms, cleaned); });
        cleanings += cleaned ? 1 : 0;
        if (rng.below(4) == 0) rig.shards().run([&] { return rig.engine().housekeeping(); });
      }
    }
    if (rng.below(5) == 0) {
      rig.stop();
      rig.disk().crash();
    } else if (rng.below(4) == 0) {
      rig.disk().kill();
      rig.stop();
    } else {
      rig.disk().crash();
      rig.stop();
    }
    if (rng.below(3) == 0) {  // the next start does not get far
      rig.disk().power_off_after(1 + rng.below(40));
      if (rig.start()) static_cast<void>(rig.open(kId));
      rig.disk().crash();
      rig.stop();
    }
    rig.disk().fail_syncs(0, 0);
    rig.disk().fail_writes(0, 0, 0);
    const auto started = rig.start();
    ASSERT_TRUE(started) << started.error().message;
    verify(rig, model);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(CleaningCrash, PowerCuts_LoseNoKeyAndResurrectNone) {
  int cleanings = 0;
  for (std::uint64_t seed = 1; seed <= 8 && !HasFailure(); ++seed) run_crashes(seed, 45, cleanings);
  EXPECT_GT(cleanings, 100) << "the test does not reach what it is for";
}

}  // namespace
}  // namespace tidegate::test
