#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "producers/batches.h"
#include "tidegate/producers/producer_state_table.h"

namespace tidegate::producers {
namespace {

using test::header_at;
using test::marker_at;
using Kind = Verdict::Kind;
using Bytes = std::vector<std::uint8_t>;

constexpr MonoTime kNow{std::chrono::hours(100)};

ProducerStateTable sample() {
  ProducerStateTable table({}, 0);
  table.replay(header_at(0, {.producer = 7, .epoch = 2, .sequence = 2'147'483'646, .records = 4}), kNow);
  table.replay(header_at(4, {.producer = 8, .epoch = 1, .sequence = 0, .transactional = true}), kNow);
  table.replay(header_at(5, {.producer = 7, .epoch = 2, .sequence = 2}), kNow);
  table.replay(marker_at(6, 9, 3), kNow);
  return table;
}

Bytes bytes_of(const SharedBuffer& buffer) { return {buffer.data(), buffer.data() + buffer.size()}; }
Bytes with_checksum(Bytes bytes) {
  bytes.resize(bytes.size() - 4);
  const auto crc = protocol::crc32c(bytes);
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(crc >> shift));
  return bytes;
}
Result<ProducerStateTable> parse(const Bytes& bytes, ProducerLimits limits = {}) {
  return ProducerStateTable::parse(SharedBuffer::copy_of(bytes), limits, kNow);
}

TEST(ProducerSnapshot, BringsBackEveryField) {
  const auto table = sample();
  const auto snapshot = table.serialise(kNow);
  EXPECT_EQ(snapshot.size(), 13U + 3 * 27U + 3 * 32U + 4U);  // docs/producer-snapshot.md
  const auto read = parse(bytes_of(snapshot));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->durable_end(), 7);
  EXPECT_EQ(read->prepared_end(), 7);
  EXPECT_EQ(read->producer_ids(), table.producer_ids());
  EXPECT_EQ(read->first_open_transaction(), 4);
  for (const auto id : table.producer_ids()) {
    EXPECT_EQ(read->find(id)->epoch, table.find(id)->epoch);
    EXPECT_EQ(read->find(id)->open_transaction, table.find(id)->open_transaction);
    EXPECT_TRUE(std::ranges::equal(read->find(id)->remembered(), table.find(id)->remembered()));
  }
  EXPECT_EQ(bytes_of(read->serialise(kNow)), bytes_of(snapshot));
}

TEST(ProducerSnapshot, OfNothingIsSmall) {
  const auto snapshot = ProducerStateTable({}, 42).serialise(kNow);
  EXPECT_EQ(snapshot.size(), 17U);
  EXPECT_EQ(parse(bytes_of(snapshot))->durable_end(), 42);
}

TEST(ProducerSnapshot, LeavesOutWhatIsInFlight) {
  auto table = sample();
  const auto before = bytes_of(table.serialise(kNow));
  // Three batches of one producer, a new producer, a marker: nothing of it is durable.
  EXPECT_EQ(table.prepare(header_at(7, {.producer = 7, .epoch = 2, .sequence = 3}), kNow).kind, Kind::append);
  EXPECT_EQ(table.prepare(header_at(8, {.producer = 7, .epoch = 2, .sequence = 4}), kNow).kind, Kind::append);
  EXPECT_EQ(table.prepare(header_at(9, {.producer = 10, .sequence = 0}), kNow).kind, Kind::append);
  EXPECT_EQ(table.prepare(marker_at(10, 8, 1), kNow).kind, Kind::append);
  const auto read = parse(bytes_of(table.serialise(kNow)));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->durable_end(), 7);
  EXPECT_EQ(read->producer_ids(), (std::vector<std::int64_t>{7, 8, 9}));
  EXPECT_EQ(read->find(7)->last()->last_sequence, 2);
  EXPECT_EQ(read->first_open_transaction(), 4);

  table.committed_up_to(8);
  EXPECT_EQ(parse(bytes_of(table.serialise(kNow)))->find(7)->last()->last_sequence, 3);
  EXPECT_TRUE(table.roll_back_to(8));
  EXPECT_EQ(parse(bytes_of(table.serialise(kNow)))->find(7)->last()->last_sequence, 3);
  EXPECT_NE(bytes_of(table.serialise(kNow)), before);
}

TEST(ProducerSnapshot, KeepsAgesAcrossARestart) {
  ProducerStateTable table({}, 0);
  table.replay(header_at(0, {.producer = 1}), kNow);
  table.replay(header_at(1, {.producer = 2}), kNow + std::chrono::hours(10));
  const auto snapshot = table.serialise(kNow + std::chrono::hours(20));
  // The clock of the next process begins near zero.
  const MonoTime started{std::chrono::seconds(1)};
  auto read = ProducerStateTable::parse(snapshot, {}, started).value();
  EXPECT_EQ(read.expire(started + std::chrono::hours(4) - std::chrono::nanoseconds(1)), 0U);
  EXPECT_EQ(read.expire(started + std::chrono::hours(4)), 1U);
  EXPECT_EQ(read.producer_ids(), std::vector<std::int64_t>{2});
}

TEST(ProducerSnapshot, KeepsTheMostRecentlyUsedWhenTheLimitIsLower) {
  const auto bytes = bytes_of(sample().serialise(kNow));
  const auto read = parse(bytes, {.max_producers = 2});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->producer_ids(), (std::vector<std::int64_t>{8, 9}));  // 8 has an open transaction
}

TEST(ProducerSnapshot, RefusesEveryTruncationAndEveryFlippedByte) {
  const auto bytes = bytes_of(sample().serialise(kNow));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = parse(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, ErrorCode::corrupt_message);
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto flipped = bytes;
    flipped[at] ^= 0x40;
    ASSERT_FALSE(parse(flipped)) << at;
  }
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(parse(longer));
}

TEST(ProducerSnapshot, RefusesSenseBehindARightChecksum) {
  const auto good = bytes_of(sample().serialise(kNow));
  ASSERT_TRUE(parse(with_checksum(good)));
  const auto refused = [&](const std::function<void(Bytes&)>& change) {
    auto bytes = good;
    change(bytes);
    const auto read = parse(with_checksum(bytes));
    return !read && read.error().code == ErrorCode::corrupt_message;
  };
  // The first producer (8, one batch, open transaction) lies at 13, its batch at 40.
  EXPECT_TRUE(refused([](Bytes& b) { b[0] = 2; }));      // version
  EXPECT_TRUE(refused([](Bytes& b) { b[1] = 0x80; }));   // negative end offset
  EXPECT_TRUE(refused([](Bytes& b) { b[8] = 4; }));      // end offset below a batch
  EXPECT_TRUE(refused([](Bytes& b) { b[9] = 0x7f; }));   // count beyond the bytes
  EXPECT_TRUE(refused([](Bytes& b) { b[9] = 0x80; }));   // negative count
  EXPECT_TRUE(refused([](Bytes& b) { b[12] = 2; }));     // a producer more than counted
  EXPECT_TRUE(refused([](Bytes& b) { b[12] = 4; }));     // a producer less
  EXPECT_TRUE(refused([](Bytes& b) { b[13] = 0x80; }));  // producer id
  EXPECT_TRUE(refused([](Bytes& b) { b[20] = 9; }));     // twice the same
  EXPECT_TRUE(refused([](Bytes& b) { b[21] = 0x80; }));  // epoch
  EXPECT_TRUE(refused([](Bytes& b) { b[23] = 0x80; }));  // idle
  EXPECT_TRUE(refused([](Bytes& b) { b[38] = 7; }));     // open transaction at the end
  EXPECT_TRUE(refused([](Bytes& b) { b[31] = 0x80; }));  // open transaction below -1
  EXPECT_TRUE(refused([](Bytes& b) { b[39] = 6; }));     // batches
  EXPECT_TRUE(refused([](Bytes& b) { b[39] = 0xff; }));
  EXPECT_TRUE(refused([](Bytes& b) { b[40] = 0x80; }));   // first sequence
  EXPECT_TRUE(refused([](Bytes& b) { b[44] = 0x80; }));   // last sequence
  EXPECT_TRUE(refused([](Bytes& b) { b[48] = 0x80; }));   // base offset
  EXPECT_TRUE(refused([](Bytes& b) { b[63] = 3; }));      // last offset below the base
  EXPECT_TRUE(refused([](Bytes& b) { b[63] = 7; }));      // last offset at the end
  EXPECT_FALSE(refused([](Bytes& b) { b[64] = 0x80; }));  // any timestamp will do
  // An absurd age is only a very old producer.
  EXPECT_FALSE(refused([](Bytes& b) { b[23] = 0x7f; }));
}

}  // namespace
}  // namespace tidegate::producers
