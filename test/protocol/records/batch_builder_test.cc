#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

constexpr Compression kCodecs[] = {Compression::none, Compression::gzip, Compression::snappy,
                                   Compression::lz4, Compression::zstd};

std::vector<NewRecord> mixed_records() {
  return {
      {.timestamp = 1'700'000'000'000, .key = "k1", .value = "v1", .headers = {}},
      {.timestamp = 1'700'000'000'005, .key = std::nullopt, .value = "null key", .headers = {}},
      {.timestamp = 1'699'999'999'999, .key = "tombstone", .value = std::nullopt, .headers = {}},
      {.timestamp = 1'700'000'000'100,
       .key = "",
       .value = std::string(300, '\0'),
       .headers = {{"h", "x"}, {"n", std::nullopt}, {"", ""}}},
  };
}

std::vector<NewRecord> read_back(const RecordBatch& batch) {
  std::vector<NewRecord> records;
  std::int32_t next = 0;
  const auto text = [](const std::optional<ByteView>& bytes) -> std::optional<std::string> {
    if (!bytes) return std::nullopt;
    return std::string(as_text(*bytes));
  };
  const auto done = for_each_record(batch, {}, [&](const RecordView& view) {
    EXPECT_EQ(view.offset_delta, next++);
    auto& record = records.emplace_back();
    record.timestamp = batch.header.base_timestamp + view.timestamp_delta;
    record.key = text(view.key);
    record.value = text(view.value);
    for (const auto& header : view.headers) {
      record.headers.emplace_back(std::string(as_text(header.key)), text(header.value));
    }
    return true;
  });
  EXPECT_TRUE(done) << (done ? "" : done.error().message);
  return records;
}

void expect_same(const std::vector<NewRecord>& a, const std::vector<NewRecord>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].timestamp, b[i].timestamp) << i;
    EXPECT_EQ(a[i].key, b[i].key) << i;
    EXPECT_EQ(a[i].value, b[i].value) << i;
    EXPECT_EQ(a[i].headers, b[i].headers) << i;
  }
}

// Header fields that a change of codec or time stamp must leave alone.
void expect_same_identity(const BatchHeader& a, const BatchHeader& b) {
  EXPECT_EQ(a.base_offset, b.base_offset);
  EXPECT_EQ(a.partition_leader_epoch, b.partition_leader_epoch);
  EXPECT_EQ(a.last_offset_delta, b.last_offset_delta);
  EXPECT_EQ(a.base_timestamp, b.base_timestamp);
  EXPECT_EQ(a.producer_id, b.producer_id);
  EXPECT_EQ(a.producer_epoch, b.producer_epoch);
  EXPECT_EQ(a.base_sequence, b.base_sequence);
  EXPECT_EQ(a.records_count, b.records_count);
}

void expect_consistent(const RecordBatch& batch) {
  EXPECT_EQ(batch.bytes.size(), batch.header.size_bytes());
  EXPECT_TRUE(batch_crc_is_valid(batch.bytes, batch.header));
  const auto parsed = parse_batch_header(batch.bytes);
  ASSERT_TRUE(parsed);
  std::vector<std::uint8_t> a(kBatchHeaderBytes), b(kBatchHeaderBytes);
  write_batch_header(*parsed, a);
  write_batch_header(batch.header, b);
  EXPECT_EQ(a, b);
}

TEST(BuildBatch, ReadsBackWithEveryCodec) {
  for (const auto codec : kCodecs) {
    SCOPED_TRACE(static_cast<int>(codec));
    const auto batch = build_batch(mixed_records(), {.compression = codec,
                                                     .producer_id = 4000,
                                                     .producer_epoch = 3,
                                                     .base_sequence = 7,
                                                     .transactional = true,
                                                     .base_offset = 100,
                                                     .leader_epoch = 5});
    ASSERT_TRUE(batch);
    expect_consistent(*batch);
    EXPECT_EQ(batch->header.compression(), codec);
    EXPECT_EQ(batch->header.last_offset(), 103);
    EXPECT_EQ(batch->header.next_offset(), 104);
    EXPECT_EQ(batch->header.base_timestamp, 1'700'000'000'000);
    EXPECT_EQ(batch->header.max_timestamp, 1'700'000'000'100);
    EXPECT_EQ(batch->header.last_sequence(), 10);
    EXPECT_TRUE(batch->header.is_transactional());
    EXPECT_FALSE(batch->header.is_control());
    expect_same(read_back(*batch), mixed_records());
  }
}

TEST(BuildBatch, CarriesExtremeTimestamps) {
  const std::vector<NewRecord> records = {{.timestamp = INT64_MAX, .key = "a", .value = "b", .headers = {}},
                                          {.timestamp = INT64_MIN, .key = "c", .value = "d", .headers = {}}};
  const auto batch = build_batch(records, {});
  ASSERT_TRUE(batch);
  std::vector<std::int64_t> deltas;
  ASSERT_TRUE(for_each_record(*batch, {}, [&](const RecordView& view) {
    deltas.push_back(view.timestamp_delta);
    return true;
  }));
  EXPECT_EQ(deltas, (std::vector<std::int64_t>{0, 1}));  // wraps, as readers' sums do
}

TEST(BuildBatch, RefusesNoRecords) { EXPECT_EQ(build_batch({}, {}).error().code, ErrorCode::invalid_record); }

TEST(ControlBatch, Has78BytesAndNamesItsEnd) {
  for (const auto type : {ControlType::abort, ControlType::commit}) {
    const auto batch = build_control_batch(type, 4000, 3, 9, 1'700'000'001'000);
    expect_consistent(batch);
    EXPECT_EQ(batch.bytes.size(), 78U);
    EXPECT_EQ(batch.header.attributes, 0x30);
    EXPECT_EQ(batch.header.base_sequence, -1);
    EXPECT_EQ(batch.header.producer_id, 4000);
    EXPECT_EQ(batch.header.producer_epoch, 3);
    const auto records = read_back(batch);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(*records[0].key, std::string("\0\0\0", 3) + (type == ControlType::commit ? '\1' : '\0'));
    EXPECT_EQ(*records[0].value, std::string("\0\0\0\0\0\x09", 6));
  }
}

TEST(Recompress, ChangesTheCodecAndNothingElse) {
  for (const auto from : kCodecs) {
    const auto batch = build_batch(mixed_records(), {.compression = from,
                                                     .timestamp_type = TimestampType::log_append_time,
                                                     .producer_id = 1,
                                                     .producer_epoch = 2,
                                                     .base_sequence = 3,
                                                     .base_offset = 42})
                           .value();
    for (const auto to : kCodecs) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(from) << " -> " << static_cast<int>(to));
      const auto other = recompress(batch, to, {});
      ASSERT_TRUE(other);
      expect_consistent(*other);
      expect_same_identity(other->header, batch.header);
      EXPECT_EQ(other->header.compression(), to);
      EXPECT_EQ(other->header.max_timestamp, batch.header.max_timestamp);
      EXPECT_EQ(other->header.timestamp_type(), TimestampType::log_append_time);
      expect_same(read_back(*other), mixed_records());
      if (from == to) EXPECT_EQ(other->bytes.data(), batch.bytes.data());  // no work at all
    }
  }
}

TEST(Recompress, StopsAtTheLimitAndAtABadStream) {
  const auto batch = build_batch(mixed_records(), {.compression = Compression::zstd}).value();
  EXPECT_EQ(recompress(batch, Compression::none, {.max_inflated_bytes = 100}).error().code,
            ErrorCode::message_too_large);
  std::vector<std::uint8_t> bytes(batch.bytes.data(), batch.bytes.data() + batch.bytes.size());
  bytes[kBatchHeaderBytes] ^= 0xff;
  const RecordBatch broken{batch.header, SharedBuffer::copy_of(bytes)};
  EXPECT_EQ(recompress(broken, Compression::gzip, {}).error().code, ErrorCode::corrupt_message);
}

TEST(StampAppendTime, SetsTheBitTheTimeAndTheCrcInACopy) {
  const auto batch = build_batch(mixed_records(), {.compression = Compression::lz4}).value();
  const auto stamped = stamp_append_time(batch, 1'800'000'000'000);
  expect_consistent(stamped);
  expect_same_identity(stamped.header, batch.header);
  EXPECT_EQ(stamped.header.timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(stamped.header.max_timestamp, 1'800'000'000'000);
  expect_same(read_back(stamped), mixed_records());
  expect_consistent(batch);  // the original is as it was
  EXPECT_EQ(batch.header.timestamp_type(), TimestampType::create_time);
}

TEST(WithMaxTimestamp, MendsTheHeaderInACopy) {
  const auto batch = build_batch(mixed_records(), {}).value();
  const auto mended = with_max_timestamp(batch, 17);
  expect_consistent(mended);
  expect_same_identity(mended.header, batch.header);
  EXPECT_EQ(mended.header.max_timestamp, 17);
  EXPECT_EQ(mended.header.attributes, batch.header.attributes);
}

}  // namespace
}  // namespace tidegate::protocol
