// Reading: limits, ranges, positions inside batches, headers alone.
#include "contract_test.h"

namespace tidegate::test {
namespace {

using storage::ReadLimits;

class ReadContract : public ContractTest {
 protected:
  // Ten batches of three records, in segments of a few batches each.
  LogHandle filled_log() {
    auto log = new_log(small_segments(1024));
    for (int i = 0; i < 10; ++i) log.must_append(numbered_batch("v", 3 * i, 3));
    return log;
  }
};
TIDEGATE_CONTRACT_SUITE(ReadContract);

TEST_P(ReadContract, AnyOffset_BeginsWithTheBatchThatHoldsIt) {
  auto log = filled_log();
  for (Offset from = 0; from < 30; ++from) {
    const auto read = log.read(from);
    ASSERT_TRUE(read);
    const auto batches = batches_of(*read);
    ASSERT_FALSE(batches.empty());
    EXPECT_LE(batches.front().header.base_offset, from);
    EXPECT_GT(batches.front().header.next_offset(), from);
    EXPECT_EQ(batches.size(), read->batches);
    EXPECT_EQ(joined(read->chunks).size(), read->size_bytes);
    EXPECT_EQ(read->next_offset, batches.back().header.next_offset());
  }
}

TEST_P(ReadContract, ReadingOn_GivesEveryRecordOnceInOrder) {
  auto log = filled_log();
  const auto records = log.read_all(0, {.max_bytes = 300, .at_least_one_batch = true});
  ASSERT_EQ(records.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(records[i].offset, static_cast<Offset>(i));
    EXPECT_EQ(records[i].value, "v" + std::to_string(i));
  }
}

TEST_P(ReadContract, AtTheEnd_GivesNothing) {
  auto log = filled_log();
  const auto read = log.read(30, {.at_least_one_batch = true});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->batches, 0U);
  EXPECT_EQ(read->size_bytes, 0U);
  EXPECT_TRUE(read->chunks.empty());
  EXPECT_EQ(read->next_offset, 30);
}

TEST_P(ReadContract, OutsideOfTheLog_IsOutOfRange) {
  auto log = filled_log();
  EXPECT_EQ(code_of(log.read(31)), ErrorCode::offset_out_of_range);
  EXPECT_EQ(code_of(log.read(-1)), ErrorCode::offset_out_of_range);
  ASSERT_TRUE(log.trim_before(7));
  EXPECT_EQ(code_of(log.read(6)), ErrorCode::offset_out_of_range);
  EXPECT_TRUE(log.read(7));
}

TEST_P(ReadContract, MaxBytes_IsNeverPassedByWholeBatches) {
  auto log = filled_log();
  const std::size_t one = log.read(0, {.max_bytes = 1, .at_least_one_batch = true})->size_bytes;
  for (const std::size_t max_bytes : {one, one + 1, 2 * one, 3 * one - 1, 5 * one}) {
    const auto read = log.read(0, {.max_bytes = max_bytes});
    ASSERT_TRUE(read);
    EXPECT_GE(read->batches, 1U) << "nothing, where a batch fits";
    EXPECT_LE(read->size_bytes, max_bytes);
  }
}

TEST_P(ReadContract, FirstBatchRule_GivesOneBatchLargerThanTheLimit) {
  auto log = filled_log();
  const auto none = log.read(3, {.max_bytes = 10});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->batches, 0U);
  EXPECT_EQ(none->next_offset, 3);
  const auto one = log.read(3, {.max_bytes = 10, .at_least_one_batch = true});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->batches, 1U);
  EXPECT_EQ(one->next_offset, 6);
  const auto zero = log.read(3, {.max_bytes = 0, .at_least_one_batch = true});
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero->batches, 1U);
}

TEST_P(ReadContract, End_HidesBatchesThatReachOverIt) {
  auto log = filled_log();
  EXPECT_EQ(log.read_all(0, {.end = 9}).size(), 9U);
  EXPECT_EQ(log.read_all(0, {.end = 10}).size(), 9U);
  EXPECT_EQ(log.read_all(0, {.end = 12}).size(), 12U);
  const auto hidden = log.read(9, {.at_least_one_batch = true, .end = 9});
  ASSERT_TRUE(hidden);
  EXPECT_EQ(hidden->batches, 0U);
  EXPECT_EQ(hidden->next_offset, 9);
}

TEST_P(ReadContract, ReadableBytes_BoundsWhatAReadGives) {
  constexpr std::size_t kIndexInterval = 512;
  auto log = filled_log();
  const std::size_t one = log.read(0, {.max_bytes = 1, .at_least_one_batch = true})->size_bytes;
  for (Offset from = 0; from <= 30; from += 3) {
    for (Offset end = from; end <= 30; end += 3) {
      const std::size_t really = static_cast<std::size_t>(end - from) / 3 * one;
      const std::size_t said = log.readable_bytes(from, end);
      EXPECT_GE(said, really) << from << " to " << end;
      EXPECT_LE(said, really == 0 ? 0 : really + kIndexInterval + one) << from << " to " << end;
    }
  }
  EXPECT_EQ(log.readable_bytes(30, LogHandle::kEnd), 0U);
}

TEST_P(ReadContract, WhatWasRead_StaysWhileTheLogMovesOn) {
  auto log = filled_log();
  const auto read = log.read(0);
  ASSERT_TRUE(read);
  const auto before = records_of(*read);
  ASSERT_TRUE(log.trim_before(30));
  host().housekeeping();
  for (int i = 0; i < 20; ++i) log.must_append(numbered_batch("w", 0, 3));
  EXPECT_EQ(records_of(*read), before);
}

TEST_P(ReadContract, ScanHeaders_GivesHeadersAsStored) {
  auto log = new_log(small_segments(1024));
  for (int i = 0; i < 12; ++i) {
    log.must_append(
        numbered_batch("v", 0, 2, {.producer_id = 100 + i, .producer_epoch = 3, .base_sequence = 2 * i}));
  }
  const auto all = log.scan_headers(0, LogHandle::kEnd, 100);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ((*all)[i].base_offset, static_cast<Offset>(2 * i));
    EXPECT_EQ((*all)[i].producer_id, static_cast<std::int64_t>(100 + i));
    EXPECT_EQ((*all)[i].base_sequence, static_cast<std::int32_t>(2 * i));
    EXPECT_EQ((*all)[i].partition_leader_epoch, log.leader_epoch());
    EXPECT_EQ((*all)[i].records_count, 2);
  }
  const auto some = log.scan_headers(5, 11, 100);  // holding 5 .. 10
  ASSERT_TRUE(some);
  ASSERT_EQ(some->size(), 4U);
  EXPECT_EQ(some->front().base_offset, 4);
  EXPECT_EQ(some->back().base_offset, 10);
  EXPECT_EQ(log.scan_headers(0, LogHandle::kEnd, 5)->size(), 5U);
  EXPECT_EQ(log.scan_headers(0, LogHandle::kEnd, 0)->size(), 0U);
  EXPECT_EQ(log.scan_headers(24, LogHandle::kEnd, 5)->size(), 0U);
  ASSERT_TRUE(log.trim_before(9));
  const auto behind_trim = log.scan_headers(0, LogHandle::kEnd, 100);
  ASSERT_TRUE(behind_trim);
  ASSERT_FALSE(behind_trim->empty());
  EXPECT_EQ(behind_trim->front().base_offset, 8);
}

TEST_P(ReadContract, Epochs_BeginWithTheFirst) {
  auto log = filled_log();
  const auto epochs = log.epochs();
  ASSERT_FALSE(epochs.empty());
  EXPECT_EQ(epochs.front().epoch, 0);
  EXPECT_EQ(epochs.front().start, 0);
  EXPECT_EQ(epochs.back().epoch, log.leader_epoch());
  for (std::size_t i = 1; i < epochs.size(); ++i) {
    EXPECT_LT(epochs[i - 1].epoch, epochs[i].epoch);
    EXPECT_LE(epochs[i - 1].start, epochs[i].start);
  }
  const PartitionId id = log.id();
  EXPECT_EQ(host().engine().leader_epoch(id), log.leader_epoch());
}

}  // namespace
}  // namespace tidegate::test
