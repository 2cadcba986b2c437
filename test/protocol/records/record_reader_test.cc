// Malformed records: each field cut, negative or too long. Batches are put together by hand here, with
// a right CRC, so that only the records are wrong.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "records/big_endian.h"
#include "records/varint.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

using Bytes = std::vector<std::uint8_t>;

RecordBatch batch_of(const Bytes& records, std::int32_t count, std::int32_t last_delta) {
  BatchHeader header;
  header.records_count = count;
  header.last_offset_delta = last_delta;
  header.batch_length = static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes + records.size());
  Bytes bytes(kBatchHeaderBytes);
  bytes.insert(bytes.end(), records.begin(), records.end());
  write_batch_header(header, bytes);
  header.crc = batch_crc(bytes);
  write_batch_header(header, bytes);
  return {header, SharedBuffer::copy_of(bytes)};
}

Bytes varint(std::int32_t value) {
  Bytes bytes(5);
  bytes.resize(static_cast<std::size_t>(write_varint(bytes.data(), value) - bytes.data()));
  return bytes;
}

// attributes, timestamp delta 0, then the given fields; length in front.
Bytes record(std::int32_t offset_delta, const Bytes& rest) {
  Bytes body = {0, 0};
  for (const auto b : varint(offset_delta)) body.push_back(b);
  body.insert(body.end(), rest.begin(), rest.end());
  Bytes whole = varint(static_cast<std::int32_t>(body.size()));
  whole.insert(whole.end(), body.begin(), body.end());
  return whole;
}
const Bytes kNullNullNoHeaders = {1, 1, 0};  // zigzag -1, -1, 0

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Result<void> walk(const RecordBatch& batch, const RecordLimits& limits = {}) {
  return for_each_record(batch, limits, [](const RecordView&) { return true; });
}

void expect_invalid(const Bytes& records, std::int32_t count, std::int32_t last_delta,
                    const std::string& part) {
  const auto walked = walk(batch_of(records, count, last_delta));
  ASSERT_FALSE(walked) << part;
  EXPECT_EQ(walked.error().code, ErrorCode::invalid_record);
  EXPECT_NE(walked.error().message.find(part), std::string::npos) << walked.error().message;
}

TEST(Varint, RoundTripsAtEveryWidth) {
  for (int shift = 0; shift < 64; ++shift) {
    for (const std::int64_t value : {std::int64_t{1} << shift, (std::int64_t{1} << (shift % 63)) - 1,
                                     -(std::int64_t{1} << (shift % 63)), INT64_MIN, INT64_MAX}) {
      Bytes bytes(10);
      const auto size = static_cast<std::size_t>(write_varlong(bytes.data(), value) - bytes.data());
      EXPECT_EQ(size, varlong_size(value));
      RecordCursor cursor(ByteView(bytes).first(size));
      std::int64_t read = 0;
      ASSERT_TRUE(cursor.read_varlong(read));
      EXPECT_EQ(read, value);
      EXPECT_EQ(cursor.remaining(), 0U);
      RecordCursor cut(ByteView(bytes).first(size - 1));
      EXPECT_FALSE(cut.read_varlong(read));
      const auto small = static_cast<std::int32_t>(value);
      const auto small_size = static_cast<std::size_t>(write_varint(bytes.data(), small) - bytes.data());
      EXPECT_EQ(small_size, varint_size(small));
      RecordCursor small_cursor(ByteView(bytes).first(small_size));
      std::int32_t small_read = 0;
      ASSERT_TRUE(small_cursor.read_varint(small_read));
      EXPECT_EQ(small_read, small);
    }
  }
}

TEST(Varint, RefusesTooManyBitsAndTooManyBytes) {
  std::int32_t value = 0;
  EXPECT_FALSE(RecordCursor(Bytes{0xff, 0xff, 0xff, 0xff, 0x1f}).read_varint(value));
  EXPECT_FALSE(RecordCursor(Bytes{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}).read_varint(value));
  std::int64_t large = 0;
  Bytes eleven(10, 0x80);
  eleven.push_back(0);
  EXPECT_FALSE(RecordCursor(eleven).read_varlong(large));
  Bytes overflow(9, 0xff);
  overflow.push_back(2);
  EXPECT_FALSE(RecordCursor(overflow).read_varlong(large));
}

TEST(ForEachRecord, ReadsUncompressedRecordsInPlace) {
  const NewRecord record{.timestamp = 1, .key = "key", .value = "value", .headers = {{"h", "x"}}};
  const auto batch = build_batch({&record, 1}, {}).value();
  const auto inside = [&](ByteView bytes) {
    return bytes.data() >= batch.bytes.data() &&
           bytes.data() + bytes.size() <= batch.bytes.data() + batch.bytes.size();
  };
  int seen = 0;
  ASSERT_TRUE(for_each_record(batch, {}, [&](const RecordView& view) {
    ++seen;
    EXPECT_TRUE(inside(*view.key));
    EXPECT_TRUE(inside(*view.value));
    EXPECT_TRUE(inside(view.headers[0].key));
    return true;
  }));
  EXPECT_EQ(seen, 1);
}

TEST(ForEachRecord, StopsWhenAsked) {
  const std::vector<NewRecord> records(10);
  const auto batch = build_batch(records, {}).value();
  int seen = 0;
  EXPECT_TRUE(for_each_record(batch, {}, [&](const RecordView&) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
}

TEST(ForEachRecord, AcceptsGapsAndAnEmptyBatch) {
  EXPECT_TRUE(walk(batch_of(record(3, kNullNullNoHeaders) + record(9, kNullNullNoHeaders), 2, 12)));
  EXPECT_TRUE(walk(batch_of({}, 0, 5)));  // what compaction may leave
}

TEST(ForEachRecord, RefusesOffsetDeltasOutOfOrder) {
  const auto zero = record(0, kNullNullNoHeaders);
  expect_invalid(zero + zero, 2, 1, "offset delta 0 after 0");
  expect_invalid(record(-1, kNullNullNoHeaders), 1, 0, "offset delta -1");
  expect_invalid(zero + record(2, kNullNullNoHeaders), 2, 1, "offset delta 2");
}

TEST(ForEachRecord, RefusesAWrongCount) {
  const auto zero = record(0, kNullNullNoHeaders);
  expect_invalid(zero, 2, 1, "record 1: bad length");
  expect_invalid(zero, 0, 0, "bytes behind the last of 0 records");
  expect_invalid(zero, -1, 0, "records count -1");
  expect_invalid(zero, INT32_MAX, INT32_MAX, "bad length");
}

TEST(ForEachRecord, RefusesEachBadField) {
  expect_invalid(varint(-1), 1, 0, "bad length");
  expect_invalid(varint(INT32_MAX), 1, 0, "bad length");
  expect_invalid(varint(0), 1, 0, "no attributes");
  expect_invalid({2, 0}, 1, 0, "timestamp delta");
  expect_invalid({4, 0, 0}, 1, 0, "offset delta");
  expect_invalid(record(0, {}), 1, 0, "key length");
  expect_invalid(record(0, varint(-2)), 1, 0, "key length");
  expect_invalid(record(0, varint(INT32_MAX)), 1, 0, "key length");
  expect_invalid(record(0, varint(1)), 1, 0, "key length");
  expect_invalid(record(0, {1}), 1, 0, "value length");
  expect_invalid(record(0, Bytes{1} + varint(-2)), 1, 0, "value length");
  expect_invalid(record(0, Bytes{1} + varint(INT32_MAX)), 1, 0, "value length");
  expect_invalid(record(0, {1, 1}), 1, 0, "header count");
  expect_invalid(record(0, Bytes{1, 1} + varint(-1)), 1, 0, "header count");
  expect_invalid(record(0, Bytes{1, 1} + varint(2) + Bytes{0, 1}), 1, 0, "beyond its bytes");
  expect_invalid(record(0, Bytes{1, 1} + varint(1) + varint(-1) + Bytes{1}), 1, 0, "header key");
  expect_invalid(record(0, Bytes{1, 1} + varint(1) + varint(5) + Bytes{1}), 1, 0, "header key");
  expect_invalid(record(0, Bytes{1, 1} + varint(1) + varint(1) + Bytes{'h'}), 1, 0, "header value");
  expect_invalid(record(0, Bytes{1, 1} + varint(1) + varint(0) + varint(-2)), 1, 0, "header value");
  expect_invalid(record(0, kNullNullNoHeaders + Bytes{0}), 1, 0, "behind the last header");
}

TEST(ForEachRecord, RefusesMoreHeadersThanTheLimit) {
  NewRecord with_headers;
  for (int i = 0; i < 11; ++i) with_headers.headers.emplace_back("h", std::nullopt);
  const auto batch = build_batch({&with_headers, 1}, {}).value();
  EXPECT_TRUE(walk(batch, {.max_headers = 11}));
  const auto walked = walk(batch, {.max_headers = 10});
  ASSERT_FALSE(walked);
  EXPECT_EQ(walked.error().code, ErrorCode::invalid_record);
}

TEST(ForEachRecord, EveryTruncationFailsCleanly) {
  const std::vector<NewRecord> records = {
      {.timestamp = 5, .key = "key", .value = "value", .headers = {{"h", "x"}, {"n", std::nullopt}}},
      {.timestamp = 6, .key = std::nullopt, .value = std::string(200, 'x'), .headers = {}}};
  for (const auto codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    const auto batch = build_batch(records, {.compression = codec}).value();
    for (std::size_t size = kBatchHeaderBytes; size < batch.bytes.size(); ++size) {
      Bytes bytes(batch.bytes.data(), batch.bytes.data() + size);
      auto header = batch.header;
      header.batch_length = static_cast<std::int32_t>(size - kBatchPrefixBytes);
      const auto walked = walk({header, SharedBuffer::copy_of(bytes)});
      ASSERT_FALSE(walked) << static_cast<int>(codec) << " cut at " << size;
      const auto code = walked.error().code;
      EXPECT_TRUE(code == ErrorCode::invalid_record || code == ErrorCode::corrupt_message);
    }
  }
}

TEST(InflateRecords, ChecksLengthAndCodec) {
  auto batch = batch_of(record(0, kNullNullNoHeaders), 1, 0);
  batch.header.batch_length += 1;
  EXPECT_EQ(inflate_records(batch, {}).error().code, ErrorCode::corrupt_message);
  batch.header.batch_length -= 1;
  batch.header.attributes = 5;
  EXPECT_EQ(inflate_records(batch, {}).error().code, ErrorCode::invalid_record);
}

}  // namespace
}  // namespace tidegate::protocol
