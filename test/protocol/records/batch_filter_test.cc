#include "tidegate/protocol/batch_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate::protocol {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

struct Seen {
  std::int32_t delta = 0;
  std::int64_t timestamp = 0;
  std::string key;
  std::string value;
  std::size_t headers = 0;
  bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.delta << "@" << seen.timestamp << " " << seen.key << "=" << seen.value;
}

std::vector<Seen> seen_in(const RecordBatch& batch) {
  std::vector<Seen> all;
  const auto walked = for_each_record(batch, {}, [&](const RecordView& record) {
    all.push_back({.delta = record.offset_delta,
                   .timestamp = batch.header.base_timestamp + record.timestamp_delta,
                   .key = record.key ? std::string(as_text(*record.key)) : "(none)",
                   .value = record.value ? std::string(as_text(*record.value)) : "(null)",
                   .headers = record.headers.size()});
    return true;
  });
  EXPECT_TRUE(walked) << walked.error().message;
  return all;
}

RecordBatch four_records(Compression codec, bool append_time = false) {
  const std::vector<NewRecord> records = {
      {.timestamp = kNow, .key = "a", .value = "1", .headers = {}},
      {.timestamp = kNow + 50, .key = "b", .value = std::nullopt, .headers = {}},
      {.timestamp = kNow - 50,
       .key = "c",
       .value = std::string(300, 'c'),
       .headers = {{"h", "v"}, {"n", std::nullopt}}},
      {.timestamp = kNow + 70, .key = std::nullopt, .value = "4", .headers = {}}};
  return build_batch(records, {.compression = codec,
                               .timestamp_type =
                                   append_time ? TimestampType::log_append_time : TimestampType::create_time,
                               .producer_id = 7,
                               .producer_epoch = 2,
                               .base_sequence = 100,
                               .base_offset = 40,
                               .leader_epoch = 3})
      .value();
}

auto keep_keys(std::string keys) {
  return [keys = std::move(keys)](const RecordView& record) {
    return record.key && keys.find(static_cast<char>((*record.key)[0])) != std::string::npos;
  };
}

class BatchFilter : public testing::TestWithParam<Compression> {};
INSTANTIATE_TEST_SUITE_P(Codecs, BatchFilter,
                         testing::Values(Compression::none, Compression::gzip, Compression::snappy,
                                         Compression::lz4, Compression::zstd));

TEST_P(BatchFilter, WhatStays_KeepsOffsetTimeHeadersAndCodec) {
  const auto batch = four_records(GetParam());
  const auto all = seen_in(batch);
  const auto filtered = filter_records(batch, {}, keep_keys("ac"));
  ASSERT_TRUE(filtered) << filtered.error().message;
  EXPECT_EQ(filtered->kept, 2);
  EXPECT_EQ(filtered->dropped, 2);
  EXPECT_EQ(seen_in(filtered->batch), (std::vector<Seen>{all[0], all[2]}));
  const BatchHeader& header = filtered->batch.header;
  EXPECT_EQ(header.compression(), GetParam());
  EXPECT_EQ(header.base_offset, 40);
  EXPECT_EQ(header.next_offset(), 44);
  EXPECT_EQ(header.last_sequence(), batch.header.last_sequence());
  EXPECT_EQ(header.producer_id, 7);
  EXPECT_EQ(header.partition_leader_epoch, 3);
  EXPECT_EQ(header.records_count, 2);
  EXPECT_EQ(header.max_timestamp, kNow) << "of what stays";
  EXPECT_TRUE(batch_crc_is_valid(filtered->batch.bytes, header));
  EXPECT_EQ(parse_batch_header(filtered->batch.bytes)->crc, header.crc);
}

TEST_P(BatchFilter, FirstTombstone_SetsTheHorizonAndKeepsTimes) {
  const auto batch = four_records(GetParam());
  const auto all = seen_in(batch);
  const auto filtered = filter_records(batch, {.delete_horizon_ms = kNow + 86'400'000}, keep_keys("bc"));
  ASSERT_TRUE(filtered);
  EXPECT_EQ(delete_horizon_ms(filtered->batch.header), kNow + 86'400'000);
  EXPECT_EQ(seen_in(filtered->batch), (std::vector<Seen>{all[1], all[2]}));
  EXPECT_EQ(filtered->batch.header.compression(), GetParam());
  // A second pass leaves the horizon as it is, and what nothing is taken from byte for byte.
  const auto again =
      filter_records(filtered->batch, {.delete_horizon_ms = kNow + 99'000'000}, keep_keys("bc"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->batch.bytes, filtered->batch.bytes);
  const auto less = filter_records(filtered->batch, {.delete_horizon_ms = kNow + 99'000'000}, keep_keys("b"));
  ASSERT_TRUE(less);
  EXPECT_EQ(delete_horizon_ms(less->batch.header), kNow + 86'400'000);
  EXPECT_EQ(seen_in(less->batch), (std::vector<Seen>{all[1]}));
}

TEST_P(BatchFilter, NothingStays_GivesAnEmptyBatchOfTheSameSpan) {
  const auto batch = four_records(GetParam());
  const auto filtered = filter_records(batch, {.delete_horizon_ms = kNow}, keep_keys(""));
  ASSERT_TRUE(filtered);
  const RecordBatch& empty = filtered->batch;
  EXPECT_EQ(filtered->kept, 0);
  EXPECT_EQ(empty.bytes.size(), kBatchHeaderBytes);
  EXPECT_EQ(empty.header.records_count, 0);
  EXPECT_EQ(empty.header.base_offset, 40);
  EXPECT_EQ(empty.header.next_offset(), 44);
  EXPECT_EQ(empty.header.last_sequence(), 103);
  EXPECT_FALSE(empty.header.has_delete_horizon());
  EXPECT_TRUE(seen_in(empty).empty());
  EXPECT_TRUE(batch_crc_is_valid(empty.bytes, empty.header));
  const auto again = filter_records(empty, {.delete_horizon_ms = kNow}, keep_keys("abc"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->batch.bytes, empty.bytes);
}

TEST_P(BatchFilter, AppendTime_Stays) {
  const auto batch = stamp_append_time(four_records(GetParam(), true), kNow + 500);
  const auto filtered = filter_records(batch, {}, keep_keys("a"));
  ASSERT_TRUE(filtered);
  EXPECT_EQ(filtered->batch.header.timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(filtered->batch.header.max_timestamp, kNow + 500);
}

TEST(BatchFilterErrors, EverythingStays_IsTheSameBatch) {
  const auto batch = four_records(Compression::none);
  const auto filtered = filter_records(batch, {}, [](const RecordView&) { return true; });
  ASSERT_TRUE(filtered);
  EXPECT_EQ(filtered->batch.bytes.data(), batch.bytes.data()) << "not even copied";
}

TEST(BatchFilterErrors, CompressedBatchWithoutBytes_HasNoRecords) {
  auto header = four_records(Compression::none).header;
  header.attributes = static_cast<std::int16_t>(Compression::gzip);
  header.records_count = 0;
  header.batch_length = static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes);
  std::vector<std::uint8_t> bytes(kBatchHeaderBytes);
  write_batch_header(header, bytes);
  EXPECT_TRUE(seen_in({header, SharedBuffer::copy_of(bytes)}).empty());
}

TEST(BatchFilterErrors, BadRecordsAndBombs_AreRefused) {
  auto batch = four_records(Compression::none);
  batch.header.records_count = 5;
  EXPECT_EQ(filter_records(batch, {}, keep_keys("a")).error().code, ErrorCode::invalid_record);
  const auto packed = four_records(Compression::zstd);
  EXPECT_EQ(filter_records(packed, {.limits = {.max_inflated_bytes = 100}}, keep_keys("a")).error().code,
            ErrorCode::message_too_large);
}

}  // namespace
}  // namespace tidegate::protocol
