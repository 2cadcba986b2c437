#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "records/big_endian.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

RecordBatch one_record(Offset base_offset, std::string value = "v") {
  const NewRecord record{
      .timestamp = 1'700'000'000'000, .key = "k", .value = std::move(value), .headers = {}};
  return build_batch({&record, 1}, {.base_offset = base_offset}).value();
}

std::vector<std::uint8_t> bytes_of(const RecordBatch& batch) {
  return {batch.bytes.data(), batch.bytes.data() + batch.bytes.size()};
}

TEST(Crc32c, MatchesPublishedVectors) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
  const std::vector<std::uint8_t> zeros(32, 0);
  EXPECT_EQ(crc32c(zeros), 0x8A9136AAU);  // RFC 3720 B.4
  const std::vector<std::uint8_t> ones(32, 0xff);
  EXPECT_EQ(crc32c(ones), 0x62A8AB43U);
  std::vector<std::uint8_t> rising(32);
  for (std::uint8_t i = 0; i < 32; ++i) rising[i] = i;
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
}

TEST(Crc32c, ContinuesAnEarlierValue) {
  const std::string text = "the quick brown fox jumps over the lazy dog, twice and again";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto first = crc32c(as_bytes(text).first(cut));
    EXPECT_EQ(crc32c(as_bytes(text).subspan(cut), first), crc32c(as_bytes(text)));
  }
}

TEST(BatchHeader, WritesWhatItReads) {
  BatchHeader header;
  header.base_offset = 0x0102030405060708;
  header.batch_length = 1234;
  header.partition_leader_epoch = 7;
  header.crc = 0xDEADBEEF;
  header.attributes = 0x7c;
  header.last_offset_delta = 99;
  header.base_timestamp = -5;
  header.max_timestamp = 1'700'000'000'123;
  header.producer_id = 4000;
  header.producer_epoch = 3;
  header.base_sequence = 2'147'483'600;
  header.records_count = 100;
  std::vector<std::uint8_t> bytes(kBatchHeaderBytes);
  write_batch_header(header, bytes);
  const auto read = parse_batch_header(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->base_offset, header.base_offset);
  EXPECT_EQ(read->batch_length, 1234);
  EXPECT_EQ(read->partition_leader_epoch, 7);
  EXPECT_EQ(read->magic, 2);
  EXPECT_EQ(read->crc, 0xDEADBEEF);
  EXPECT_EQ(read->attributes, 0x7c);
  EXPECT_EQ(read->last_offset_delta, 99);
  EXPECT_EQ(read->base_timestamp, -5);
  EXPECT_EQ(read->max_timestamp, header.max_timestamp);
  EXPECT_EQ(read->producer_id, 4000);
  EXPECT_EQ(read->producer_epoch, 3);
  EXPECT_EQ(read->base_sequence, 2'147'483'600);
  EXPECT_EQ(read->records_count, 100);
  EXPECT_EQ(read->compression(), Compression::zstd);
  EXPECT_EQ(read->timestamp_type(), TimestampType::log_append_time);
  EXPECT_TRUE(read->is_transactional());
  EXPECT_TRUE(read->is_control());
  EXPECT_TRUE(read->has_delete_horizon());
  std::vector<std::uint8_t> again(kBatchHeaderBytes);
  write_batch_header(*read, again);
  EXPECT_EQ(again, bytes);
}

TEST(BatchHeader, RefusesEveryTruncation) {
  const auto bytes = bytes_of(one_record(0));
  for (std::size_t size = 0; size < kBatchHeaderBytes; ++size) {
    const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto read = parse_batch_header(cut);
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, ErrorCode::corrupt_message);
  }
}

TEST(BatchHeader, RefusesOtherMagicAndImpossibleLengths) {
  auto bytes = bytes_of(one_record(0));
  for (const int magic : {-1, 0, 1, 3}) {
    auto wrong = bytes;
    wrong[16] = static_cast<std::uint8_t>(magic);
    EXPECT_EQ(parse_batch_header(wrong).error().code, ErrorCode::corrupt_message);
  }
  for (const std::int32_t length : {std::numeric_limits<std::int32_t>::min(), -1, 0, 48}) {
    auto wrong = bytes;
    store_big_endian(wrong.data() + 8, length);
    EXPECT_EQ(parse_batch_header(wrong).error().code, ErrorCode::corrupt_message) << length;
  }
}

TEST(BatchHeader, LastSequenceWrapsToZero) {
  BatchHeader header;
  EXPECT_EQ(header.last_sequence(), -1);
  header.base_sequence = 10;
  header.last_offset_delta = 4;
  EXPECT_EQ(header.last_sequence(), 14);
  header.base_sequence = std::numeric_limits<std::int32_t>::max();
  header.last_offset_delta = 0;
  EXPECT_EQ(header.last_sequence(), std::numeric_limits<std::int32_t>::max());
  header.last_offset_delta = 1;
  EXPECT_EQ(header.last_sequence(), 0);
  header.last_offset_delta = 3;
  EXPECT_EQ(header.last_sequence(), 2);
}

TEST(BatchCrc, CoversEverythingFromTheAttributesOn) {
  const auto batch = one_record(5);
  EXPECT_TRUE(batch_crc_is_valid(batch.bytes, batch.header));
  for (std::size_t at = 0; at < batch.bytes.size(); ++at) {
    auto flipped = bytes_of(batch);
    flipped[at] ^= 1;
    // Base offset, length, leader epoch, magic and the CRC itself lie outside.
    EXPECT_EQ(batch_crc_is_valid(flipped, batch.header), at < 21) << at;
  }
  auto shorter = bytes_of(batch);
  shorter.pop_back();
  EXPECT_FALSE(batch_crc_is_valid(shorter, batch.header));
}

TEST(SplitBatches, CutsWholeBatchesAndNamesTheRest) {
  const auto first = one_record(0, "first");
  const auto second = one_record(1, "the second");
  auto bytes = bytes_of(first);
  const auto tail = bytes_of(second);
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto buffer = SharedBuffer::copy_of(ByteView(bytes).first(size));
    const auto split = split_batches(buffer);
    ASSERT_TRUE(split) << size;
    const std::size_t whole = (size >= first.bytes.size() ? 1U : 0U) + (size == bytes.size() ? 1U : 0U);
    ASSERT_EQ(split->batches.size(), whole) << size;
    std::size_t used = 0;
    for (const auto& batch : split->batches) {
      EXPECT_EQ(batch.bytes.data(), buffer.data() + used);  // slices, not copies
      used += batch.bytes.size();
    }
    EXPECT_EQ(split->trailing_bytes, size - used);
  }
  const auto split = split_batches(SharedBuffer::copy_of(bytes));
  EXPECT_EQ(split->batches[0].header.base_offset, 0);
  EXPECT_EQ(split->batches[1].header.base_offset, 1);
}

TEST(SplitBatches, RefusesALengthThatCannotBe) {
  auto bytes = bytes_of(one_record(0));
  store_big_endian<std::int32_t>(bytes.data() + 8, -20);
  EXPECT_EQ(split_batches(SharedBuffer::copy_of(bytes)).error().code, ErrorCode::corrupt_message);
  // A huge one is a cut batch: nothing is allocated for it.
  store_big_endian<std::int32_t>(bytes.data() + 8, std::numeric_limits<std::int32_t>::max());
  const auto split = split_batches(SharedBuffer::copy_of(bytes));
  ASSERT_TRUE(split);
  EXPECT_TRUE(split->batches.empty());
  EXPECT_EQ(split->trailing_bytes, bytes.size());
}

}  // namespace
}  // namespace tidegate::protocol
