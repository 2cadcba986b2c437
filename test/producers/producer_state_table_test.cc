#include "tidegate/producers/producer_state_table.h"

#include <gtest/gtest.h>

#include <limits>

#include "producers/batches.h"

namespace tidegate::producers {
namespace {

using test::Batch;
using test::header_at;
using test::marker_at;
using Kind = Verdict::Kind;
constexpr std::int32_t kMaxSequence = std::numeric_limits<std::int32_t>::max();

struct Table {
  ProducerLimits limits;
  ProducerStateTable state{limits};
  MonoTime now{};

  Table() = default;
  explicit Table(ProducerLimits some) : limits(some), state(some) {}

  Verdict offer(const Batch& batch) { return state.prepare(header_at(state.prepared_end(), batch), now); }
  Verdict marker(std::int64_t producer, std::int16_t epoch) {
    return state.prepare(marker_at(state.prepared_end(), producer, epoch), now);
  }
  void commit() { state.committed_up_to(state.prepared_end()); }
  // Appended and durable.
  void append(const Batch& batch) {
    const auto verdict = offer(batch);
    ASSERT_EQ(verdict.kind, Kind::append) << verdict.error.message;
    commit();
  }
};

void expect_refused(const Verdict& verdict, ErrorCode code) {
  EXPECT_EQ(verdict.kind, Kind::refused);
  EXPECT_EQ(verdict.error.code, code);
  EXPECT_FALSE(verdict.error.message.empty());
}

// ------------------------------------------------------------------------------------- sequences

TEST(ProducerState, PlainBatchesAlwaysPassAndAreNotRemembered) {
  Table table;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(table.offer({.producer = -1, .records = 4}).kind, Kind::append);
  EXPECT_EQ(table.state.prepared_end(), 12);
  EXPECT_EQ(table.state.size(), 0U);
  EXPECT_EQ(table.state.in_flight(), 0U);
}

TEST(ProducerState, NextSequenceFollowsTheLastRecord) {
  Table table;
  table.append({.sequence = 0, .records = 3});
  table.append({.sequence = 3, .records = 1});
  table.append({.sequence = 4, .records = 10});
  EXPECT_EQ(table.state.find(1)->last()->last_sequence, 13);
  EXPECT_EQ(table.state.find(1)->last()->last_offset, 13);
}

TEST(ProducerState, RefusesAGapAndAStepBack) {
  Table table;
  table.append({.sequence = 0, .records = 3});
  expect_refused(table.offer({.sequence = 4}), ErrorCode::out_of_order_sequence_number);
  expect_refused(table.offer({.sequence = 2}), ErrorCode::out_of_order_sequence_number);
  expect_refused(table.offer({.sequence = 0, .records = 2}), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(table.state.prepared_end(), 3);  // a refusal takes no offset
  table.append({.sequence = 3});
}

TEST(ProducerState, UnknownProducerBeginsAnywhere) {
  Table table;
  table.append({.producer = 1, .epoch = 7, .sequence = 1234});
  table.append({.producer = 1, .epoch = 7, .sequence = 1235});
  table.append({.producer = 2, .sequence = 0});
}

TEST(ProducerState, SequencesWrapToZero) {
  Table table;
  table.append({.sequence = kMaxSequence - 1, .records = 2});
  table.append({.sequence = 0, .records = 2});
  EXPECT_EQ(table.offer({.sequence = kMaxSequence - 1, .records = 2}).kind, Kind::duplicate);
  EXPECT_EQ(table.offer({.sequence = 0, .records = 2}).kind, Kind::duplicate);

  Table inside;
  inside.append({.sequence = kMaxSequence - 1, .records = 5});  // ..., max, 0, 1, 2
  EXPECT_EQ(inside.state.find(1)->last()->last_sequence, 2);
  EXPECT_EQ(inside.offer({.sequence = kMaxSequence - 1, .records = 5}).kind, Kind::duplicate);
  inside.append({.sequence = 3});
}

// ------------------------------------------------------------------------------------ duplicates

TEST(ProducerState, RepeatIsAnsweredWithTheOriginal) {
  Table table;
  table.append({.producer = -1, .records = 10});
  table.append({.sequence = 0, .records = 3});
  table.append({.sequence = 3, .records = 1});
  const auto first = table.offer({.sequence = 0, .records = 3});
  EXPECT_EQ(first.kind, Kind::duplicate);
  EXPECT_EQ(first.base_offset, 10);
  EXPECT_EQ(first.timestamp, 1010);
  const auto second = table.offer({.sequence = 3, .records = 1});
  EXPECT_EQ(second.kind, Kind::duplicate);
  EXPECT_EQ(second.base_offset, 13);
  EXPECT_EQ(table.state.prepared_end(), 14);
}

TEST(ProducerState, RemembersExactlyFiveBatches) {
  Table table;
  for (std::int32_t i = 0; i < 6; ++i) table.append({.sequence = i});
  expect_refused(table.offer({.sequence = 0}), ErrorCode::out_of_order_sequence_number);
  for (std::int32_t i = 1; i < 6; ++i) EXPECT_EQ(table.offer({.sequence = i}).kind, Kind::duplicate) << i;
}

TEST(ProducerState, RepeatInFlightNamesWhatToWaitFor) {
  Table table;
  EXPECT_EQ(table.offer({.sequence = 0, .records = 3}).kind, Kind::append);
  EXPECT_EQ(table.offer({.sequence = 3, .records = 2}).kind, Kind::append);
  const auto waiting = table.offer({.sequence = 0, .records = 3});
  EXPECT_EQ(waiting.kind, Kind::duplicate_in_flight);
  EXPECT_EQ(waiting.base_offset, 0);
  EXPECT_EQ(waiting.wait_for, 3);
  table.state.committed_up_to(3);
  EXPECT_EQ(table.offer({.sequence = 0, .records = 3}).kind, Kind::duplicate);
  EXPECT_EQ(table.offer({.sequence = 3, .records = 2}).kind, Kind::duplicate_in_flight);
  table.commit();
  EXPECT_EQ(table.offer({.sequence = 3, .records = 2}).kind, Kind::duplicate);
}

// ---------------------------------------------------------------------------------------- epochs

TEST(ProducerState, LowerEpochIsFenced) {
  Table table;
  table.append({.epoch = 5, .sequence = 0});
  expect_refused(table.offer({.epoch = 4, .sequence = 1}), ErrorCode::invalid_producer_epoch);
  expect_refused(table.offer({.epoch = 4, .sequence = 0}), ErrorCode::invalid_producer_epoch);
  expect_refused(table.marker(1, 4), ErrorCode::invalid_producer_epoch);
}

TEST(ProducerState, HigherEpochBeginsAtZeroAndForgetsTheOld) {
  Table table;
  table.append({.epoch = 5, .sequence = 0});
  expect_refused(table.offer({.epoch = 6, .sequence = 1}), ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(table.state.find(1)->epoch, 5);
  table.append({.epoch = 6, .sequence = 0});
  EXPECT_EQ(table.state.find(1)->remembered().size(), 1U);
  expect_refused(table.offer({.epoch = 5, .sequence = 0}), ErrorCode::invalid_producer_epoch);
}

// ---------------------------------------------------------------------------------- transactions

TEST(ProducerState, TransactionIsOpenUntilItsMarker) {
  Table table;
  table.append({.producer = -1, .records = 5});
  table.append({.sequence = 0, .records = 2, .transactional = true});
  table.append({.sequence = 2, .transactional = true});
  EXPECT_EQ(table.state.find(1)->open_transaction, 5);
  EXPECT_EQ(table.state.first_open_transaction(), 5);
  table.append({.producer = 2, .sequence = 0, .transactional = true});
  EXPECT_EQ(table.state.first_open_transaction(), 5);
  EXPECT_EQ(table.marker(1, 0).kind, Kind::append);
  EXPECT_EQ(table.state.first_open_transaction(), 8);
  EXPECT_EQ(table.marker(2, 0).kind, Kind::append);
  EXPECT_EQ(table.state.first_open_transaction(), std::nullopt);
  table.commit();
  // The sequence goes on behind a marker of the same epoch.
  table.append({.sequence = 3, .transactional = true});
  EXPECT_EQ(table.state.first_open_transaction(), 11);
}

TEST(ProducerState, PlainBatchInsideATransactionIsRefused) {
  Table table;
  table.append({.sequence = 0, .transactional = true});
  expect_refused(table.offer({.sequence = 1}), ErrorCode::invalid_txn_state);
  // A repeat of what is already there is no new write.
  EXPECT_EQ(table.offer({.sequence = 0, .transactional = true}).kind, Kind::duplicate);
}

TEST(ProducerState, MarkerOfAHigherEpochFencesAndBeginsAnew) {
  Table table;
  table.append({.epoch = 1, .sequence = 0, .records = 3, .transactional = true});
  EXPECT_EQ(table.marker(1, 2).kind, Kind::append);
  table.commit();
  EXPECT_EQ(table.state.find(1)->epoch, 2);
  EXPECT_TRUE(table.state.find(1)->remembered().empty());
  EXPECT_EQ(table.state.first_open_transaction(), std::nullopt);
  expect_refused(table.offer({.epoch = 1, .sequence = 3}), ErrorCode::invalid_producer_epoch);
  expect_refused(table.offer({.epoch = 2, .sequence = 3}), ErrorCode::out_of_order_sequence_number);
  table.append({.epoch = 2, .sequence = 0});
}

TEST(ProducerState, MarkerOfAnUnknownProducerIsKeptAsItsEpoch) {
  Table table;
  EXPECT_EQ(table.marker(9, 4).kind, Kind::append);
  expect_refused(table.offer({.producer = 9, .epoch = 3, .sequence = 0}), ErrorCode::invalid_producer_epoch);
}

// ------------------------------------------------------------------------------------- roll back

TEST(ProducerState, RollBackForgetsWhatIsNotDurable) {
  Table table;
  table.append({.sequence = 0});
  EXPECT_EQ(table.offer({.sequence = 1}).kind, Kind::append);
  EXPECT_EQ(table.offer({.sequence = 2}).kind, Kind::append);
  EXPECT_EQ(table.offer({.producer = 2, .sequence = 0}).kind, Kind::append);
  EXPECT_TRUE(table.state.roll_back_to(1));
  EXPECT_EQ(table.state.prepared_end(), 1);
  EXPECT_EQ(table.state.find(2), nullptr);
  EXPECT_EQ(table.state.in_flight(), 0U);
  expect_refused(table.offer({.sequence = 2}), ErrorCode::out_of_order_sequence_number);
  table.append({.sequence = 1});
  EXPECT_EQ(table.offer({.sequence = 0}).kind, Kind::duplicate);
}

TEST(ProducerState, RollBackBringsBackBatchesThatWerePushedOut) {
  Table table;
  for (std::int32_t i = 0; i < 5; ++i) table.append({.sequence = i});
  for (std::int32_t i = 5; i < 10; ++i) EXPECT_EQ(table.offer({.sequence = i}).kind, Kind::append);
  expect_refused(table.offer({.sequence = 0}), ErrorCode::out_of_order_sequence_number);
  EXPECT_TRUE(table.state.roll_back_to(5));
  for (std::int32_t i = 0; i < 5; ++i) EXPECT_EQ(table.offer({.sequence = i}).kind, Kind::duplicate);
}

TEST(ProducerState, RollBackRestoresEpochAndTransaction) {
  Table table;
  table.append({.epoch = 1, .sequence = 0, .transactional = true});
  EXPECT_EQ(table.marker(1, 2).kind, Kind::append);
  EXPECT_EQ(table.offer({.epoch = 2, .sequence = 0, .transactional = true}).kind, Kind::append);
  EXPECT_EQ(table.state.first_open_transaction(), 2);
  EXPECT_TRUE(table.state.roll_back_to(2));
  EXPECT_EQ(table.state.first_open_transaction(), std::nullopt);
  EXPECT_TRUE(table.state.roll_back_to(1));
  EXPECT_EQ(table.state.find(1)->epoch, 1);
  EXPECT_EQ(table.state.first_open_transaction(), 0);
  table.append({.epoch = 1, .sequence = 1, .transactional = true});
}

TEST(ProducerState, RollBackBelowTheCommittedEndIsRefused) {
  Table table;
  table.append({.sequence = 0, .records = 4});
  EXPECT_FALSE(table.state.roll_back_to(3));
  EXPECT_NE(table.state.find(1), nullptr);
  EXPECT_TRUE(table.state.roll_back_to(4));
}

// ---------------------------------------------------------------------------------------- limits

TEST(ProducerState, ExpiredProducerBeginsAnywhereAgain) {
  Table table;
  table.append({.sequence = 0});
  table.now = table.now + std::chrono::hours(24) - std::chrono::nanoseconds(1);
  expect_refused(table.offer({.sequence = 7}), ErrorCode::out_of_order_sequence_number);  // does not prolong
  table.now = table.now + std::chrono::nanoseconds(1);
  table.append({.sequence = 7});
}

TEST(ProducerState, ExpireDropsIdleProducersOnly) {
  Table table;
  table.append({.producer = 1});
  table.append({.producer = 2, .transactional = true});
  EXPECT_EQ(table.offer({.producer = 3}).kind, Kind::append);
  table.now = table.now + std::chrono::hours(1);
  EXPECT_EQ(table.offer({.producer = 4}).kind, Kind::append);
  table.now = table.now + std::chrono::hours(23);
  EXPECT_EQ(table.state.expire(table.now), 1U);
  EXPECT_EQ(table.state.producer_ids(), (std::vector<std::int64_t>{2, 3, 4}));
  table.commit();
  EXPECT_EQ(table.state.expire(table.now), 1U);  // 3 is no longer in flight
  EXPECT_EQ(table.state.producer_ids(), (std::vector<std::int64_t>{2, 4}));
}

TEST(ProducerState, RepeatKeepsAProducerAlive) {
  Table table;
  table.append({.producer = 1});
  table.now = table.now + std::chrono::hours(20);
  EXPECT_EQ(table.offer({.producer = 1}).kind, Kind::duplicate);
  table.now = table.now + std::chrono::hours(20);
  EXPECT_EQ(table.state.expire(table.now), 0U);
}

TEST(ProducerState, PushesOutTheLeastRecentlyUsedIdleProducer) {
  Table table({.max_producers = 3});
  table.append({.producer = 1, .transactional = true});
  table.append({.producer = 2});
  table.append({.producer = 3});
  table.append({.producer = 2, .sequence = 1});
  table.append({.producer = 4});
  EXPECT_EQ(table.state.producer_ids(), (std::vector<std::int64_t>{1, 2, 4}));
}

TEST(ProducerState, RefusesAProducerWhenNoneCanGo) {
  Table table({.max_producers = 2});
  table.append({.producer = 1, .transactional = true});
  EXPECT_EQ(table.offer({.producer = 2}).kind, Kind::append);
  expect_refused(table.offer({.producer = 3}), ErrorCode::request_timed_out);
  // A marker has to be written in any case.
  const auto end = table.state.prepared_end();
  EXPECT_EQ(table.marker(3, 0).kind, Kind::append);
  EXPECT_EQ(table.state.prepared_end(), end + 1);
  EXPECT_EQ(table.state.find(3), nullptr);
  table.commit();
  table.append({.producer = 3});
  EXPECT_EQ(table.state.size(), 2U);
}

TEST(ProducerState, RefusesMoreBatchesInFlightThanTheLimit) {
  Table table({.max_in_flight = 2});
  EXPECT_EQ(table.offer({.sequence = 0}).kind, Kind::append);
  EXPECT_EQ(table.offer({.sequence = 1}).kind, Kind::append);
  expect_refused(table.offer({.sequence = 2}), ErrorCode::request_timed_out);
  EXPECT_EQ(table.offer({.sequence = 1}).kind, Kind::duplicate_in_flight);
  table.state.committed_up_to(1);
  EXPECT_EQ(table.offer({.sequence = 2}).kind, Kind::append);
}

// ---------------------------------------------------------------------------------------- replay

TEST(ProducerState, ReplayOfHeadersGivesTheSameStateAsTheProducePath) {
  Table table;
  std::vector<protocol::BatchHeader> log;
  const auto write = [&](protocol::BatchHeader header) {
    ASSERT_EQ(table.state.prepare(header, table.now).kind, Kind::append);
    log.push_back(header);
    table.commit();
  };
  write(header_at(0, {.producer = -1, .records = 3}));
  write(header_at(3, {.producer = 1, .sequence = 10, .records = 2}));
  write(header_at(5, {.producer = 2, .epoch = 3, .sequence = 0, .transactional = true}));
  write(header_at(6, {.producer = 1, .sequence = 12}));
  write(marker_at(7, 2, 4));
  write(header_at(8, {.producer = 3, .sequence = 0, .transactional = true}));

  ProducerStateTable rebuilt({}, 0);
  for (const auto& header : log) rebuilt.replay(header, table.now);
  EXPECT_EQ(rebuilt.durable_end(), table.state.durable_end());
  EXPECT_EQ(rebuilt.producer_ids(), table.state.producer_ids());
  EXPECT_EQ(rebuilt.first_open_transaction(), 8);
  for (const auto id : rebuilt.producer_ids()) {
    EXPECT_EQ(rebuilt.find(id)->epoch, table.state.find(id)->epoch);
    EXPECT_TRUE(std::ranges::equal(rebuilt.find(id)->remembered(), table.state.find(id)->remembered()));
  }
}

TEST(ProducerState, ReplayAcceptsGapsAndIgnoresOlderEpochs) {
  ProducerStateTable table({}, 0);
  table.replay(header_at(5, {.epoch = 2, .sequence = 3}), {});
  table.replay(header_at(9, {.epoch = 2, .sequence = 8}), {});  // compaction took what lay between
  EXPECT_EQ(table.find(1)->last()->last_sequence, 8);
  table.replay(header_at(10, {.epoch = 1, .sequence = 0}), {});
  EXPECT_EQ(table.find(1)->epoch, 2);
  EXPECT_EQ(table.durable_end(), 11);
}

TEST(ProducerState, ReplayPassesOverBatchesThatNoProducerCanHaveSent) {
  ProducerStateTable table({}, 0);
  table.replay(header_at(0, {.producer = 1, .epoch = 0, .sequence = -1}), {});
  table.replay(header_at(1, {.producer = 1, .epoch = -1, .sequence = 0}), {});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.durable_end(), 2);
  EXPECT_TRUE(ProducerStateTable::parse(table.serialise({}), {}, {}));
}

TEST(ProducerState, ReplayNeverForgetsAnOpenTransaction) {
  ProducerStateTable table({.max_producers = 1}, 0);
  table.replay(header_at(0, {.producer = 1, .transactional = true}), {});
  table.replay(header_at(1, {.producer = 2, .transactional = true}), {});
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.first_open_transaction(), 0);
}

}  // namespace
}  // namespace tidegate::producers
