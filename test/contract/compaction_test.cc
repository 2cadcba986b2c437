// cleanable() and replace(): what log compaction stands on.
#include "contract_test.h"
#include "tidegate/protocol/batch_filter.h"

namespace tidegate::test {
namespace {

using storage::CleanableRange;

class CompactionContract : public ContractTest {
 protected:
  void SetUp() override {
    if (!capabilities().compaction || !GetParam().engine.compacts)
      GTEST_SKIP() << GetParam().engine.name << " does not compact";
  }
  // Forty batches of two records, several segments.
  LogHandle filled_log() {
    auto log = new_log(small_segments(1024));
    for (int i = 0; i < 40; ++i) {
      log.must_append(batch_at({1000 + 20 * i, 1010 + 20 * i}));
    }
    return log;
  }
  static std::vector<protocol::RecordBatch> batches_in(const LogHandle& log, const CleanableRange& range) {
    std::vector<protocol::RecordBatch> all;
    for (Offset from = range.begin; from < range.end;) {
      const auto read = log.read(from, {.end = range.end});
      if (!read || read->batches == 0) break;
      for (auto& batch : batches_of(*read)) all.push_back(std::move(batch));
      from = read->next_offset;
    }
    return all;
  }
  static void drop_odd(std::vector<protocol::RecordBatch>& batches) {
    std::vector<protocol::RecordBatch> kept;
    for (std::size_t i = 0; i < batches.size(); i += 2) kept.push_back(batches[i]);
    batches = std::move(kept);
  }
};
TIDEGATE_CONTRACT_SUITE(CompactionContract);

TEST_P(CompactionContract, Cleanable_IsSealedAscendingAndBelowTheHighWatermark) {
  auto log = filled_log();
  const auto ranges = log.cleanable();
  ASSERT_GE(ranges.size(), 3U);
  Offset from = 0;
  for (const auto& range : ranges) {
    EXPECT_GE(range.begin, from);
    EXPECT_LT(range.begin, range.end);
    EXPECT_GT(range.size_bytes, 0U);
    from = range.end;
  }
  EXPECT_EQ(ranges.front().begin, 0);
  EXPECT_LT(ranges.back().end, log.offsets().high_watermark) << "the active segment is not sealed";
}

TEST_P(CompactionContract, Cleanable_EndsAtOrBelowTheBound) {
  auto log = filled_log();
  const auto all = log.cleanable();
  const auto some = log.cleanable(all.at(1).end);
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some.back().end, all.at(1).end);
  EXPECT_EQ(log.cleanable(all.at(1).end - 1).size(), 1U);
  EXPECT_TRUE(log.cleanable(0).empty());
}

TEST_P(CompactionContract, SmallRanges_BecomeOneAndStayReadable) {
  auto log = filled_log();
  std::vector<ReadRecord> expected;
  Offset end = 0;
  for (int round = 0; round < 40; ++round) {
    const auto ranges = log.cleanable();
    const auto next =
        std::ranges::find_if(ranges, [&](const CleanableRange& range) { return range.end > end; });
    if (next == ranges.end()) break;
    auto kept = batches_in(log, *next);
    if (kept.size() > 1) kept.erase(kept.begin() + 1, kept.end());
    ASSERT_TRUE(log.replace(*next, kept));
    end = next->end;
  }
  const auto left = log.read_all(0);
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.front().offset, 0);
  EXPECT_EQ(left.back().offset, 79);
  EXPECT_LT(left.size(), 60U);
  for (std::size_t i = 1; i < left.size(); ++i) EXPECT_LT(left[i - 1].offset, left[i].offset);
}

TEST_P(CompactionContract, NewLog_HasNothingToClean) {
  auto log = new_log(small_segments());
  EXPECT_TRUE(log.cleanable().empty());
  log.must_append(batch_of({"one"}));
  EXPECT_TRUE(log.cleanable().empty());
}

TEST_P(CompactionContract, Replace_LeavesGapsAndMovesNoEnds) {
  auto log = filled_log();
  const auto range = log.cleanable().at(1);
  const auto before = log.read_all(0);
  auto kept = batches_in(log, range);
  ASSERT_GE(kept.size(), 3U);
  const auto dropped = kept.at(1).header;
  drop_odd(kept);
  ASSERT_TRUE(log.replace(range, kept));

  EXPECT_EQ(log.offsets().log_start, 0);
  EXPECT_EQ(log.offsets().log_end, 80);
  EXPECT_EQ(log.offsets().high_watermark, 80);
  std::vector<ReadRecord> expected;
  for (const auto& record : before) {
    const bool inside = record.offset >= range.begin && record.offset < range.end;
    const bool stays = std::ranges::any_of(kept, [&](const protocol::RecordBatch& batch) {
      return record.offset >= batch.header.base_offset && record.offset < batch.header.next_offset();
    });
    if (!inside || stays) expected.push_back(record);
  }
  EXPECT_EQ(log.read_all(0), expected);

  // From within the gap the read goes on with the next batch.
  const auto read = log.read(dropped.base_offset + 1);
  ASSERT_TRUE(read);
  EXPECT_EQ(batches_of(*read).front().header.base_offset, dropped.next_offset());
  EXPECT_EQ(batches_of(*read).front().header.crc, kept.at(1).header.crc);
}

TEST_P(CompactionContract, RebuiltBatches_KeepTheirOffsets) {
  auto log = filled_log();
  const auto range = log.cleanable().at(0);
  const auto rebuilt =
      build({{.timestamp = 7, .value = "survivor"}}, {.base_offset = range.begin + 1, .leader_epoch = 0});
  ASSERT_TRUE(log.replace(range, list(rebuilt)));
  const auto records = log.read_all(0);
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records[0], (ReadRecord{.offset = range.begin + 1, .timestamp = 7, .value = "survivor"}));
  EXPECT_EQ(records[1].offset, range.end);
  EXPECT_EQ(log.scan_headers(0, range.end, 10)->size(), 1U);
}

TEST_P(CompactionContract, ReplaceByNothing_EmptiesTheRange) {
  auto log = filled_log();
  const auto range = log.cleanable().at(0);
  const std::size_t size = log.size_bytes();
  ASSERT_TRUE(log.replace(range, {}));
  EXPECT_LT(log.size_bytes(), size);
  EXPECT_EQ(log.offsets().log_start, 0);
  const auto records = log.read_all(0);
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.front().offset, range.end);
  for (Offset from = 0; from < range.end; ++from) EXPECT_TRUE(log.read(from)) << from;
}

TEST_P(CompactionContract, TimesAndBytes_FollowTheReplacement) {
  auto log = filled_log();
  const auto range = log.cleanable().at(0);
  const std::size_t before = log.readable_bytes(0, LogHandle::kEnd);
  ASSERT_TRUE(log.replace(range, {}));
  EXPECT_LT(log.readable_bytes(0, LogHandle::kEnd), before);
  const auto found = log.offset_for_time(0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->offset, range.end);
  EXPECT_EQ(log.max_timestamp()->offset, 79);
}

TEST_P(CompactionContract, EmptiedBatches_KeepTheirPlaceAndHaveNoTime) {
  auto log = filled_log();
  log.must_append(batch_at({9'999'999}));
  for (int i = 0; i < 20; ++i) log.must_append(batch_at({2000 + i, 2000 + i}));
  const auto ranges = log.cleanable();
  const auto range = *std::ranges::find_if(ranges, [](const CleanableRange& one) { return one.end > 80; });
  auto batches = batches_in(log, range);
  for (auto& batch : batches) {
    if (batch.header.base_offset == 80) batch = protocol::empty_batch(batch.header);
  }
  EXPECT_EQ(log.max_timestamp()->offset, 80);
  ASSERT_TRUE(log.replace(range, batches));
  const auto read = log.read(80);
  ASSERT_TRUE(read);
  EXPECT_EQ(batches_of(*read).front().header.base_offset, 80);
  EXPECT_EQ(batches_of(*read).front().header.records_count, 0);
  EXPECT_EQ(log.max_timestamp()->timestamp, 2019);
  EXPECT_EQ(log.offset_for_time(3'000'000)->offset, -1);
  EXPECT_EQ(log.scan_headers(80, 81, 10)->size(), 1U);
}

TEST_P(CompactionContract, BatchesInPieces_AreOneReplacement) {
  auto log = filled_log();
  const auto range = log.cleanable().at(1);
  auto kept = batches_in(log, range);
  drop_odd(kept);
  const auto replaced = log.on_shard([range, kept](storage::PartitionLog& at) {
    struct Pieces {
      std::vector<protocol::RecordBatch> left;
      Task<Result<std::vector<protocol::RecordBatch>>> next() {
        std::vector<protocol::RecordBatch> one;
        if (!left.empty()) one.push_back(left.front());
        if (!left.empty()) left.erase(left.begin());
        co_return one;
      }
    };
    const auto pieces = std::make_shared<Pieces>(Pieces{kept});
    return at.replace(range, [pieces] { return pieces->next(); });
  });
  ASSERT_TRUE(replaced) << replaced.error().message;
  const auto now = batches_in(log, range);
  ASSERT_EQ(now.size(), kept.size());
  for (std::size_t i = 0; i < now.size(); ++i) EXPECT_EQ(now[i].bytes, kept[i].bytes);
}

TEST_P(CompactionContract, FailingSource_ChangesNothing) {
  auto log = filled_log();
  const auto range = log.cleanable().at(1);
  const auto before = log.read_all(0);
  const std::size_t size = log.size_bytes();
  const auto batches = batches_in(log, range);
  const auto replaced = log.on_shard([range, batches](storage::PartitionLog& at) {
    struct Broken {
      std::vector<protocol::RecordBatch> first;
      Task<Result<std::vector<protocol::RecordBatch>>> next() {
        if (first.empty()) co_return fail(ErrorCode::request_timed_out, "no more");
        co_return std::exchange(first, {});
      }
    };
    const auto broken = std::make_shared<Broken>(Broken{{batches.front()}});
    return at.replace(range, [broken] { return broken->next(); });
  });
  EXPECT_EQ(code_of(replaced), ErrorCode::request_timed_out);
  EXPECT_EQ(log.read_all(0), before);
  EXPECT_EQ(log.size_bytes(), size);
  ASSERT_TRUE(log.replace(range, batches)) << "and it works the next time";
  EXPECT_EQ(log.read_all(0), before);
}

TEST_P(CompactionContract, EarlierReaders_KeepTheOldData) {
  auto log = filled_log();
  const auto range = log.cleanable().at(0);
  const auto read = log.read(range.begin);
  ASSERT_TRUE(read);
  const auto before = records_of(*read);
  ASSERT_TRUE(log.replace(range, {}));
  host().housekeeping();
  EXPECT_EQ(records_of(*read), before);
}

TEST_P(CompactionContract, WrongRangesAndBatches_ChangeNothing) {
  auto log = filled_log();
  const auto ranges = log.cleanable();
  const auto range = ranges.at(1);
  const auto before = log.read_all(0);
  const auto batches = batches_in(log, range);
  const auto refused = [&](CleanableRange of, std::vector<protocol::RecordBatch> by, const char* why) {
    EXPECT_EQ(code_of(log.replace(of, std::move(by))), ErrorCode::invalid_request) << why;
  };
  refused({.begin = range.begin, .end = range.end - 1}, {}, "half a range");
  refused({.begin = range.begin, .end = ranges.at(2).end}, {}, "two ranges");
  refused({.begin = range.end, .end = log.offsets().log_end + 10}, {}, "beyond the end");
  refused(range, batches_in(log, ranges.at(0)), "batches below");
  refused(range, batches_in(log, ranges.at(2)), "batches above");
  auto descending = batches;
  std::ranges::reverse(descending);
  refused(range, descending, "descending batches");
  auto twice = batches;
  twice.insert(twice.begin(), twice.front());
  refused(range, twice, "overlapping batches");
  EXPECT_EQ(log.read_all(0), before);
}

TEST_P(CompactionContract, ReplacedRange_CanBeCleanedAgainAndTrimmed) {
  auto log = filled_log();
  auto range = log.cleanable().at(0);
  auto kept = batches_in(log, range);
  drop_odd(kept);
  ASSERT_TRUE(log.replace(range, kept));
  range = log.cleanable().at(0);
  kept = batches_in(log, range);
  drop_odd(kept);
  ASSERT_TRUE(log.replace(range, kept));
  EXPECT_EQ(log.trim_before(range.end), range.end);
  EXPECT_EQ(log.read_all(range.end).size(), static_cast<std::size_t>(80 - range.end));
  for (const auto& left : log.cleanable()) EXPECT_GE(left.begin, range.end);
}

}  // namespace
}  // namespace tidegate::test
