// Random operations on one log, each answer compared with the reference log. Seeded: a failure prints
// the seed, TIDEGATE_TEST_SEED walks the same way again.
#include "contract_test.h"
#include "reference_log.h"

namespace tidegate::test {
namespace {

constexpr int kWalks = 4;
constexpr int kSteps = 300;

class RandomWalkContract : public ContractTest {
 protected:
  struct Walk {
    LogHandle log;
    storage::Topic topic;
    ReferenceLog model;
    SeededRng rng;
    std::vector<std::string> done;  // for the failure message

    std::uint64_t below(std::uint64_t bound) { return rng.below(bound); }
    Offset some_offset() {
      // Mostly within, sometimes just outside.
      return model.start() - 2 +
             static_cast<Offset>(below(static_cast<std::uint64_t>(model.end() - model.start() + 5)));
    }
    Offset some_end() { return below(2) == 0 ? model.end() : std::max<Offset>(0, some_offset()); }
  };

  protocol::RecordBatch random_batch(Walk& walk) {
    std::vector<protocol::NewRecord> records(1 + walk.below(5));
    for (auto& record : records) {
      record.timestamp = static_cast<std::int64_t>(1000 + walk.below(2000));
      record.value = std::string(walk.below(120), static_cast<char>('a' + walk.below(26)));
    }
    auto batch = build(records, {.compression = static_cast<protocol::Compression>(walk.below(5))});
    if (walk.below(5) == 0)
      batch = protocol::stamp_append_time(batch, static_cast<std::int64_t>(2000 + walk.below(2000)));
    return batch;
  }

  void append(Walk& walk) {
    std::vector<protocol::RecordBatch> batches;
    for (std::uint64_t i = 0; i <= walk.below(3); ++i) batches.push_back(random_batch(walk));
    const auto appended = walk.log.must_append(batches);
    EXPECT_EQ(appended.base_offset, walk.model.append(batches, walk.log.leader_epoch()));
    EXPECT_EQ(appended.log_end, walk.model.end());
  }

  void read(Walk& walk) {
    const Offset from = walk.some_offset();
    const Offset end = walk.some_end();
    const std::size_t max_bytes = walk.below(2000);
    if (!walk.model.in_range(from)) {
      EXPECT_EQ(code_of(walk.log.read(from)), ErrorCode::offset_out_of_range) << from;
      return;
    }
    const auto expected = walk.model.read(from, end);
    EXPECT_EQ(walk.log.read_all(from, {.at_least_one_batch = true, .end = end}), expected)
        << from << " to " << end;
    const auto some = walk.log.read(from, {.max_bytes = max_bytes, .end = end});
    ASSERT_TRUE(some);
    EXPECT_LE(some->size_bytes, max_bytes);
    const auto records = records_of(*some);
    ASSERT_LE(records.size(), expected.size());
    EXPECT_TRUE(std::equal(records.begin(), records.end(), expected.begin()));
    // An upper bound: an end within a batch may leave bytes that no read gives.
    if (!expected.empty()) EXPECT_GT(walk.log.readable_bytes(from, end), 0U) << from << " to " << end;
    if (end <= from) EXPECT_EQ(walk.log.readable_bytes(from, end), 0U) << from << " to " << end;
  }

  void trim(Walk& walk) {
    const Offset offset = walk.some_offset();
    const auto trimmed = walk.log.trim_before(offset);
    if (offset > walk.model.end()) {
      EXPECT_EQ(code_of(trimmed), ErrorCode::offset_out_of_range);
      return;
    }
    walk.model.trim_before(offset);
    EXPECT_EQ(trimmed, walk.model.start());
  }

  void ask_times(Walk& walk) {
    const auto timestamp = static_cast<std::int64_t>(500 + walk.below(4000));
    const Offset end = walk.some_end();
    const auto found = walk.log.offset_for_time(timestamp, end);
    const auto expected = walk.model.offset_for_time(timestamp, end);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->offset, expected.offset) << "time " << timestamp << " below " << end;
    EXPECT_EQ(found->timestamp, expected.timestamp);
    EXPECT_EQ(found->leader_epoch, expected.leader_epoch);
    const auto latest = walk.log.max_timestamp(end);
    ASSERT_TRUE(latest);
    EXPECT_EQ(latest->offset, walk.model.max_timestamp(end).offset) << "below " << end;
    EXPECT_EQ(latest->timestamp, walk.model.max_timestamp(end).timestamp);
  }

  void scan(Walk& walk) {
    const Offset from = std::max<Offset>(0, walk.some_offset());
    const Offset end = walk.some_end();
    std::vector<Offset> bases;
    const auto headers = walk.log.scan_headers(from, end, 1'000'000);
    ASSERT_TRUE(headers);
    for (const auto& header : *headers) bases.push_back(header.base_offset);
    EXPECT_EQ(bases, walk.model.bases(std::max(from, walk.model.start()), end)) << from << " to " << end;
  }

  void compact(Walk& walk) {
    const auto ranges = walk.log.cleanable();
    if (ranges.empty()) return;
    const auto range = ranges[walk.below(ranges.size())];
    std::vector<protocol::RecordBatch> kept;
    std::vector<Offset> bases;
    for (Offset from = range.begin; from < range.end;) {
      const auto some = walk.log.read(from, {.at_least_one_batch = true, .end = range.end});
      ASSERT_TRUE(some);
      if (some->batches == 0) break;
      for (auto& batch : batches_of(*some)) {
        // One that reaches below the range (over log start) is left as it is.
        if (batch.header.base_offset >= range.begin && walk.below(3) == 0) continue;
        bases.push_back(batch.header.base_offset);
        kept.push_back(std::move(batch));
      }
      from = some->next_offset;
    }
    const auto replaced = walk.log.replace(range, kept);
    ASSERT_TRUE(replaced) << replaced.error().message;
    walk.model.replace(range, bases);
  }

  void reopen(Walk& walk) {
    if (capabilities().durable) host().reopen();
    host().housekeeping();
    static_cast<void>(walk);
  }

  void step(Walk& walk) {
    using Step = void (RandomWalkContract::*)(Walk&);
    struct Choice {
      unsigned weight;
      const char* name;
      Step step;
    };
    static constexpr Choice kChoices[] = {
        {40, "append", &RandomWalkContract::append},   {25, "read", &RandomWalkContract::read},
        {15, "times", &RandomWalkContract::ask_times}, {10, "scan", &RandomWalkContract::scan},
        {3, "trim", &RandomWalkContract::trim},        {6, "compact", &RandomWalkContract::compact},
        {1, "reopen", &RandomWalkContract::reopen}};
    std::uint64_t drawn = walk.below(100);
    for (const auto& choice : kChoices) {
      if (drawn >= choice.weight) {
        drawn -= choice.weight;
        continue;
      }
      const bool compacts = capabilities().compaction && GetParam().engine.compacts;
      if (choice.step == &RandomWalkContract::compact && !compacts) return;
      walk.done.emplace_back(choice.name);
      (this->*choice.step)(walk);
      return;
    }
  }
};
TIDEGATE_CONTRACT_SUITE(RandomWalkContract);

TEST_P(RandomWalkContract, EveryAnswer_IsTheReferenceLogs) {
  for (std::uint64_t seed = ContractTest::seed(); seed < ContractTest::seed() + kWalks; ++seed) {
    const auto topic = must_create("walk-" + std::to_string(seed));
    Walk walk{.log = log_of(topic, 0, small_segments(700)),
              .topic = topic,
              .model = {},
              .rng = SeededRng(seed),
              .done = {}};
    for (int i = 0; i < kSteps && !HasFailure(); ++i) {
      step(walk);
      const auto offsets = walk.log.offsets();
      EXPECT_EQ(offsets.log_start, walk.model.start());
      EXPECT_EQ(offsets.log_end, walk.model.end());
      EXPECT_EQ(offsets.high_watermark, walk.model.end());
    }
    if (HasFailure()) {
      FAIL() << "seed " << seed << " at step " << walk.done.size() << " (" << walk.done.back()
             << "); TIDEGATE_TEST_SEED=" << seed << " walks it first";
    }
  }
}

}  // namespace
}  // namespace tidegate::test
