#include "producer_log.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidegate::broker {
namespace {

using Kind = producers::Verdict::Kind;

protocol::BatchHeader batch(std::int64_t producer, std::int32_t sequence, std::int32_t records = 1) {
  protocol::BatchHeader header;
  header.producer_id = producer;
  header.producer_epoch = 0;
  header.base_sequence = sequence;
  header.records_count = records;
  header.last_offset_delta = records - 1;
  return header;
}

// A log whose end runs ahead of its high watermark.
struct Log {
  storage::LogOffsets offsets;
  void append(int records) { offsets.log_end += records; }
  void sync() { offsets.high_watermark = offsets.log_end; }
  void lose_tail() { offsets.log_end = offsets.high_watermark; }
};

class ProducerLogTest : public ::testing::Test {
 protected:
  producers::Verdict write(protocol::BatchHeader header) {
    producers.follow(log.offsets);
    auto verdict = producers.next(header, log.offsets, MonoTime{});
    if (verdict.kind == Kind::append) log.append(header.records_count);
    return verdict;
  }
  Log log;
  ProducerLog producers;
};

TEST_F(ProducerLogTest, RepeatInFlight_WaitsForTheFirstOnesEnd) {
  EXPECT_EQ(write(batch(1, 0, 3)).kind, Kind::append);
  const auto repeat = write(batch(1, 0, 3));
  EXPECT_EQ(repeat.kind, Kind::duplicate_in_flight);
  EXPECT_EQ(repeat.wait_for, 3);
  log.sync();
  const auto later = write(batch(1, 0, 3));
  EXPECT_EQ(later.kind, Kind::duplicate);
  EXPECT_EQ(later.base_offset, 0);
}

TEST_F(ProducerLogTest, LostTail_TakesItsSequencesWithIt) {
  write(batch(1, 0));
  log.sync();
  write(batch(1, 1));
  write(batch(1, 2));
  log.lose_tail();
  EXPECT_EQ(write(batch(1, 2)).error.code, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(write(batch(1, 1)).kind, Kind::append);
}

TEST_F(ProducerLogTest, BehindABatchThatWasPutOff_NothingIsOutOfOrder) {
  write(batch(1, 0));
  write(batch(1, 1));
  log.sync();
  // The log does not take this one; those behind it come when it would.
  EXPECT_EQ(producers.next(batch(1, 2), log.offsets, MonoTime{}).kind, Kind::append);
  producers.follow(log.offsets);
  producers.put_off(batch(1, 2), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(write(batch(1, 3)).error.code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(write(batch(1, 4)).error.code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(write(batch(2, 0)).kind, Kind::append) << "another producer";
  EXPECT_EQ(write(batch(1, 1)).kind, Kind::duplicate) << "one from before";
  EXPECT_EQ(write(batch(1, 2)).kind, Kind::append);
  EXPECT_EQ(write(batch(1, 4)).error.code, ErrorCode::out_of_order_sequence_number)
      << "nothing is put off any more";
  EXPECT_EQ(write(batch(1, 3)).kind, Kind::append);
  EXPECT_EQ(write(batch(1, 4)).kind, Kind::append);
}

TEST_F(ProducerLogTest, PutOff_BindsNeitherAnUnknownProducerNorALaterEpoch) {
  producers.put_off(batch(9, 5), ErrorCode::kafka_storage_error);
  EXPECT_EQ(write(batch(9, 0)).kind, Kind::append) << "nobody knew it";
  EXPECT_EQ(write(batch(9, 7)).error.code, ErrorCode::out_of_order_sequence_number);
  producers.put_off(batch(9, 1), ErrorCode::kafka_storage_error);
  EXPECT_EQ(write(batch(9, 7)).error.code, ErrorCode::kafka_storage_error);
  auto anew = batch(9, 3);
  anew.producer_epoch = 1;
  EXPECT_EQ(write(anew).error.code, ErrorCode::out_of_order_sequence_number) << "an epoch begins at 0";
  anew.base_sequence = 0;
  EXPECT_EQ(write(anew).kind, Kind::append);
}

TEST_F(ProducerLogTest, FirstBatchOfAProducerLost_ComesFirstAgain) {
  write(batch(7, 0));
  write(batch(7, 1));
  log.lose_tail();
  write(batch(8, 0, 5));  // somebody else goes on meanwhile
  log.sync();
  EXPECT_EQ(write(batch(7, 1)).error.code, ErrorCode::kafka_storage_error);
  producers.put_off(batch(7, 0), ErrorCode::request_timed_out);
  EXPECT_EQ(write(batch(7, 1)).error.code, ErrorCode::request_timed_out);
  EXPECT_EQ(write(batch(7, 0)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 1)).kind, Kind::append);
}

TEST_F(ProducerLogTest, UnknownProducer_MayBeginAnywhere) {
  EXPECT_EQ(write(batch(7, 40)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 41)).kind, Kind::append);
}

TEST_F(ProducerLogTest, FirstBatchTurnedAway_ComesFirst) {
  producers.turned_away(batch(7, 0), ErrorCode::not_leader_or_follower, MonoTime{});
  producers.turned_away(batch(7, 1), ErrorCode::request_timed_out, MonoTime{});  // behind it in the pipe
  EXPECT_EQ(write(batch(7, 1)).error.code, ErrorCode::not_leader_or_follower) << "out of order ends an epoch";
  EXPECT_EQ(write(batch(7, 0)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 1)).kind, Kind::append);
  log.sync();
  producers.follow(log.offsets);
  EXPECT_EQ(write(batch(7, 2)).kind, Kind::append);
}

// The one in front of it was refused where nobody remembers producers: the partition was not there yet.
TEST_F(ProducerLogTest, OneInFrontOfTheFirstThatWasTurnedAway_Comes) {
  producers.turned_away(batch(7, 1), ErrorCode::not_leader_or_follower, MonoTime{});
  EXPECT_EQ(write(batch(7, 2)).error.code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(write(batch(7, 0)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 1)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 2)).kind, Kind::append);

  producers.turned_away(batch(8, 5), ErrorCode::not_leader_or_follower, MonoTime{});
  producers.turned_away(batch(8, 4), ErrorCode::not_leader_or_follower, MonoTime{});
  EXPECT_EQ(write(batch(8, 5)).error.code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(write(batch(8, 4)).kind, Kind::append);
}

TEST_F(ProducerLogTest, InFrontOfTheFirst_GoesRoundWithTheSequence) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  producers.turned_away(batch(7, 0), ErrorCode::not_leader_or_follower, MonoTime{});
  EXPECT_EQ(write(batch(7, kLast)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 0)).kind, Kind::append);
}

TEST_F(ProducerLogTest, JustMovedHere_NothingIsOutOfOrderAndNobodyBeginsInTheMiddle) {
  constexpr auto kSecond = std::chrono::seconds(1);
  const auto write_at = [this](MonoTime now, protocol::BatchHeader header) {
    producers.follow(log.offsets);
    auto verdict = producers.next(header, log.offsets, now);
    if (verdict.kind == Kind::append) log.append(header.records_count);
    return verdict;
  };
  producers.settle_until(MonoTime{} + 5 * kSecond);
  EXPECT_EQ(write(batch(7, 1)).error.code, ErrorCode::not_leader_or_follower) << "0 was refused elsewhere";
  EXPECT_EQ(write(batch(7, 0)).kind, Kind::append);
  EXPECT_EQ(write(batch(7, 2)).error.code, ErrorCode::not_leader_or_follower) << "likewise 1";
  EXPECT_EQ(write(batch(7, 1)).kind, Kind::append);
  // Later it can only be what it looks like: a producer whose state has expired, or a gap.
  EXPECT_EQ(write_at(MonoTime{} + 5 * kSecond, batch(8, 40)).kind, Kind::append);
  EXPECT_EQ(write_at(MonoTime{} + 5 * kSecond, batch(7, 9)).error.code,
            ErrorCode::out_of_order_sequence_number);
}

TEST_F(ProducerLogTest, TurnedAwayOfAnEarlierEpoch_BindsNoLaterOne) {
  producers.turned_away(batch(7, 3), ErrorCode::not_leader_or_follower, MonoTime{});
  auto anew = batch(7, 0);
  anew.producer_epoch = 1;
  EXPECT_EQ(write(anew).kind, Kind::append);
}

TEST_F(ProducerLogTest, TurnedAwayBatchOfAKnownProducer_IsTheSequencesAffair) {
  write(batch(7, 0));
  log.sync();
  producers.follow(log.offsets);
  producers.turned_away(batch(7, 1), ErrorCode::not_leader_or_follower, MonoTime{});
  EXPECT_EQ(write(batch(7, 2)).error.code, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(write(batch(7, 1)).kind, Kind::append);
}

TEST_F(ProducerLogTest, NoRoomToRememberFirstBatches_NoUnknownProducerBeginsInTheMiddle) {
  producers.set_limits({.max_producers = 2, .expiration = std::chrono::hours(1)});
  for (const std::int64_t producer : {1, 2, 3})
    producers.turned_away(batch(producer, 0), ErrorCode::not_leader_or_follower, MonoTime{});
  // 3 was not remembered: neither its second batch nor, as long as there is no room, its first one.
  EXPECT_EQ(write(batch(3, 1)).error.code, ErrorCode::request_timed_out);
  EXPECT_EQ(write(batch(3, 0)).error.code, ErrorCode::request_timed_out);
  EXPECT_EQ(write(batch(1, 1)).error.code, ErrorCode::not_leader_or_follower) << "nobody was forgotten";
  EXPECT_EQ(write(batch(1, 0)).kind, Kind::append);
  log.sync();
  producers.follow(log.offsets);
  EXPECT_EQ(write(batch(3, 1)).error.code, ErrorCode::request_timed_out);
  EXPECT_EQ(write(batch(3, 0)).kind, Kind::append);
  EXPECT_EQ(write(batch(3, 1)).kind, Kind::append);
}

TEST_F(ProducerLogTest, TurnedAwayAndNeverSentAgain_IsForgottenInTheEnd) {
  producers.set_limits({.max_producers = 1, .expiration = std::chrono::hours(1)});
  producers.turned_away(batch(1, 0), ErrorCode::not_leader_or_follower, MonoTime{});
  producers.turned_away(batch(2, 0), ErrorCode::not_leader_or_follower, MonoTime{});
  producers.expire(MonoTime{} + std::chrono::minutes(61));
  EXPECT_EQ(write(batch(3, 40)).kind, Kind::append);
}

TEST_F(ProducerLogTest, DurableDataGone_HasToBeReadBack) {
  write(batch(1, 0));
  log.sync();
  producers.follow(log.offsets);
  EXPECT_FALSE(producers.is_lost());
  producers.follow({.log_start = 0, .high_watermark = 0, .log_end = 0});
  EXPECT_TRUE(producers.is_lost());
  EXPECT_FALSE(producers.wants_snapshot(true));
}

TEST_F(ProducerLogTest, Snapshot_IsDueAfterMuchLogOrWhenAsked) {
  EXPECT_FALSE(producers.wants_snapshot(true));
  write(batch(1, 0));
  producers.count(1000);
  log.sync();
  producers.follow(log.offsets);
  EXPECT_TRUE(producers.wants_snapshot(true));
  EXPECT_FALSE(producers.wants_snapshot(false));
  producers.count(64U << 20);
  EXPECT_TRUE(producers.wants_snapshot(false));
}

}  // namespace
}  // namespace tidegate::broker
