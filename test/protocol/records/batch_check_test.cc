#include "tidegate/protocol/batch_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "records/big_endian.h"

namespace tidegate::protocol {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::int64_t kNow = 1'700'000'000'000;

std::vector<NewRecord> three_records() {
  return {{.timestamp = kNow, .key = "a", .value = "1", .headers = {}},
          {.timestamp = kNow + 50, .key = "b", .value = std::nullopt, .headers = {}},
          {.timestamp = kNow - 50, .key = "c", .value = "3", .headers = {}}};
}

Bytes bytes_of(const RecordBatch& batch) {
  return {batch.bytes.data(), batch.bytes.data() + batch.bytes.size()};
}

// A batch whose header was changed, with a CRC that fits.
RecordBatch changed(const RecordBatch& batch, const std::function<void(BatchHeader&)>& change) {
  auto bytes = bytes_of(batch);
  auto header = batch.header;
  change(header);
  write_batch_header(header, bytes);
  header.crc = batch_crc(bytes);
  write_batch_header(header, bytes);
  return {header, SharedBuffer::copy_of(bytes)};
}

Error refusal(ByteView bytes, const ProducedBatchRules& rules = {}) {
  const auto checked = check_produced_batch(bytes, rules);
  return checked ? Error{ErrorCode::none, {}} : checked.error();
}
ErrorCode code_after(const std::function<void(BatchHeader&)>& change, const ProducedBatchRules& rules = {}) {
  return refusal(changed(build_batch(three_records(), {}).value(), change).bytes, rules).code;
}

TEST(CheckProducedBatch, AcceptsWhatClientsSend) {
  for (int codec = 0; codec <= 4; ++codec) {
    const auto batch = build_batch(three_records(), {.compression = static_cast<Compression>(codec)}).value();
    const auto checked = check_produced_batch(batch.bytes, {});
    ASSERT_TRUE(checked) << codec;
    EXPECT_EQ(checked->records_count, 3);
  }
  const auto idempotent =
      build_batch(three_records(), {.producer_id = 0, .producer_epoch = 0, .base_sequence = 0}).value();
  EXPECT_TRUE(check_produced_batch(idempotent.bytes, {}));
  const auto transactional =
      build_batch(
          three_records(),
          {.producer_id = 9, .producer_epoch = 1, .base_sequence = 2'147'483'647, .transactional = true})
          .value();
  EXPECT_TRUE(check_produced_batch(transactional.bytes, {}));
}

TEST(CheckProducedBatch, WantsExactlyOneWholeBatch) {
  const auto batch = bytes_of(build_batch(three_records(), {}).value());
  for (std::size_t size = 0; size < batch.size(); ++size) {
    const Bytes cut(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(refusal(cut).code, ErrorCode::invalid_record) << size;
  }
  auto longer = batch;
  longer.push_back(0);
  EXPECT_EQ(refusal(longer).code, ErrorCode::invalid_record);
  auto twice = batch;
  twice.insert(twice.end(), batch.begin(), batch.end());
  EXPECT_EQ(refusal(twice).code, ErrorCode::invalid_record);
}

TEST(CheckProducedBatch, RefusesOldMessageSets) {
  auto bytes = bytes_of(build_batch(three_records(), {}).value());
  for (const int magic : {0, 1, 3, -1}) {
    bytes[16] = static_cast<std::uint8_t>(magic);
    const auto error = refusal(bytes);
    EXPECT_EQ(error.code, ErrorCode::invalid_record);
    EXPECT_NE(error.message.find("magic"), std::string::npos);
  }
  // A message set may be shorter than a batch header.
  EXPECT_NE(refusal(ByteView(bytes).first(17)).message.find("magic"), std::string::npos);
}

TEST(CheckProducedBatch, ChecksTheCrc) {
  const auto batch = bytes_of(build_batch(three_records(), {}).value());
  for (std::size_t at = 17; at < batch.size(); ++at) {
    auto flipped = batch;
    flipped[at] ^= 0x10;
    // A flip may turn the codec into zstd, which is looked at first; here it is allowed.
    EXPECT_EQ(refusal(flipped).code, ErrorCode::corrupt_message) << at;
  }
}

TEST(CheckProducedBatch, LimitsTheSize) {
  const auto batch = build_batch(three_records(), {}).value();
  EXPECT_EQ(refusal(batch.bytes, {.max_batch_bytes = batch.bytes.size()}).code, ErrorCode::none);
  EXPECT_EQ(refusal(batch.bytes, {.max_batch_bytes = batch.bytes.size() - 1}).code,
            ErrorCode::message_too_large);
}

TEST(CheckProducedBatch, AllowsZstdOnlyWhereTheVersionDoes) {
  const auto batch = build_batch(three_records(), {.compression = Compression::zstd}).value();
  EXPECT_EQ(refusal(batch.bytes, {.zstd_allowed = false}).code, ErrorCode::unsupported_compression_type);
  const auto gzip = build_batch(three_records(), {.compression = Compression::gzip}).value();
  EXPECT_EQ(refusal(gzip.bytes, {.zstd_allowed = false}).code, ErrorCode::none);
}

// Java's reader stops at them, so that one such batch would stop every Java consumer of the partition.
TEST(CheckProducedBatch, RefusesLz4FramesOfLinkedBlocks) {
  const auto batch = build_batch(three_records(), {.compression = Compression::lz4}).value();
  auto bytes = bytes_of(batch);
  ASSERT_EQ(bytes[kBatchHeaderBytes + 4], 0x60);
  bytes[kBatchHeaderBytes + 4] = 0x40;  // version 1 without the bit of independent blocks
  EXPECT_EQ(refusal(changed({batch.header, SharedBuffer::copy_of(bytes)}, [](BatchHeader&) {}).bytes).code,
            ErrorCode::invalid_record);
}

TEST(CheckProducedBatch, RefusesWrongHeaderFields) {
  EXPECT_EQ(code_after([](BatchHeader&) {}), ErrorCode::none);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.records_count = 0; }), ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.records_count = 0, h.last_offset_delta = -1; }),
            ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.records_count = -5, h.last_offset_delta = -6; }),
            ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.last_offset_delta = 3; }), ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.attributes |= 0x20; }), ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.attributes |= 0x40; }), ErrorCode::invalid_record);
  for (std::int16_t codec = 5; codec < 8; ++codec) {
    EXPECT_EQ(code_after([codec](BatchHeader& h) { h.attributes = codec; }), ErrorCode::invalid_record);
  }
  EXPECT_EQ(code_after([](BatchHeader& h) { h.attributes |= 0x10; }), ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.producer_id = -2; }), ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.producer_id = 5, h.producer_epoch = 0; }),
            ErrorCode::invalid_record);
  EXPECT_EQ(code_after([](BatchHeader& h) { h.producer_id = 5, h.base_sequence = 0; }),
            ErrorCode::invalid_record);
}

TEST(CheckProducedBatch, LeavesAppendTimeToTheBroker) {
  const auto claim = [](BatchHeader& h) { h.attributes |= 0x08; };
  EXPECT_EQ(code_after(claim), ErrorCode::invalid_timestamp);
  EXPECT_EQ(code_after(claim, {.timestamp_type = TimestampType::log_append_time}), ErrorCode::none);
}

TEST(InflatedLimit, IsTheRatioButAtLeastOneMessage) {
  EXPECT_EQ(inflated_limit(10'000, 1'048'588), 1'048'588U);
  EXPECT_EQ(inflated_limit(100'000, 1'048'588), 10'000'000U);
  EXPECT_EQ(inflated_limit(SIZE_MAX, 1), SIZE_MAX);
}

TEST(ValidateRecords, FindsTheLargestTimestamp) {
  for (const auto codec : {Compression::none, Compression::lz4}) {
    const auto report = validate_records(build_batch(three_records(), {.compression = codec}).value(), {});
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.max_timestamp, kNow + 50);
    EXPECT_EQ(report.max_timestamp_index, 1);
    EXPECT_FALSE(report.max_timestamp_differs);
  }
}

TEST(ValidateRecords, SaysWhenTheHeadersMaximumIsWrong) {
  const auto batch =
      changed(build_batch(three_records(), {}).value(), [](BatchHeader& h) { h.max_timestamp = -1; });
  const auto report = validate_records(batch, {});
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(report.max_timestamp_differs);
  const auto mended = with_max_timestamp(batch, report.max_timestamp);
  EXPECT_FALSE(validate_records(mended, {}).max_timestamp_differs);
}

TEST(ValidateRecords, NamesRecordsWithoutKeyOnACompactedTopic) {
  auto records = three_records();
  records[0].key.reset();
  records[2].key.reset();
  const auto batch = build_batch(records, {.compression = Compression::snappy}).value();
  EXPECT_TRUE(validate_records(batch, {}).ok());
  const auto report = validate_records(batch, {.keys_required = true});
  EXPECT_EQ(report.error.code, ErrorCode::invalid_record);
  ASSERT_EQ(report.problems.size(), 2U);
  EXPECT_EQ(report.problems[0].index, 0);
  EXPECT_EQ(report.problems[1].index, 2);
  EXPECT_FALSE(report.problems[0].message.empty());
}

TEST(ValidateRecords, BoundsTheProblemList) {
  const std::vector<NewRecord> records(250);
  const auto report = validate_records(build_batch(records, {}).value(), {.keys_required = true});
  EXPECT_EQ(report.problems.size(), kMaxRecordProblems);
  EXPECT_EQ(report.problems_total, 250U);
}

TEST(ValidateRecords, BoundsCreateTimes) {
  const auto batch = build_batch(three_records(), {}).value();
  EXPECT_TRUE(validate_records(batch, {.now_ms = kNow, .before_max_ms = 50, .after_max_ms = 50}).ok());
  const auto late = validate_records(batch, {.now_ms = kNow, .before_max_ms = 49});
  EXPECT_EQ(late.error.code, ErrorCode::invalid_timestamp);
  ASSERT_EQ(late.problems.size(), 1U);
  EXPECT_EQ(late.problems[0].index, 2);
  const auto early = validate_records(batch, {.now_ms = kNow, .after_max_ms = 49});
  EXPECT_EQ(early.error.code, ErrorCode::invalid_timestamp);
  ASSERT_EQ(early.problems.size(), 1U);
  EXPECT_EQ(early.problems[0].index, 1);
  // The broker's own time is what counts under append time.
  EXPECT_TRUE(validate_records(batch, {.timestamp_type = TimestampType::log_append_time,
                                       .now_ms = kNow,
                                       .before_max_ms = 0,
                                       .after_max_ms = 0})
                  .ok());
}

TEST(ValidateRecords, TakesTimesFromTheEdgeOfTheWorld) {
  const std::vector<NewRecord> records = {{.timestamp = INT64_MIN, .key = "k", .value = "v", .headers = {}},
                                          {.timestamp = INT64_MAX, .key = "k", .value = "v", .headers = {}},
                                          {.timestamp = -1, .key = "k", .value = "v", .headers = {}}};
  const auto report = validate_records(build_batch(records, {}).value(),
                                       {.now_ms = kNow, .before_max_ms = 1000, .after_max_ms = 1000});
  EXPECT_EQ(report.error.code, ErrorCode::invalid_timestamp);
  ASSERT_EQ(report.problems.size(), 2U);  // -1 means "no timestamp" and is let through
  EXPECT_EQ(report.problems[1].index, 1);
  EXPECT_EQ(report.max_timestamp, INT64_MAX);
}

TEST(ValidateRecords, PrefersTheTimestampCodeWhenBothAreWrong) {
  auto records = three_records();
  records[0].key.reset();
  const auto report = validate_records(build_batch(records, {}).value(),
                                       {.keys_required = true, .now_ms = kNow, .after_max_ms = 10});
  EXPECT_EQ(report.error.code, ErrorCode::invalid_timestamp);
  EXPECT_EQ(report.problems_total, 2U);
}

TEST(ValidateRecords, RefusesGapsInOffsetDeltas) {
  auto batch = build_batch(three_records(), {}).value();
  auto bytes = bytes_of(batch);
  // The first record: length, attributes, timestamp delta, offset delta.
  ASSERT_EQ(bytes[kBatchHeaderBytes + 3], 0);
  bytes[kBatchHeaderBytes + 3] = 1;  // zigzag -1
  const auto negative = validate_records({batch.header, SharedBuffer::copy_of(bytes)}, {});
  EXPECT_EQ(negative.error.code, ErrorCode::invalid_record);
  bytes[kBatchHeaderBytes + 3] = 2;  // 1 instead of 0
  const auto gap = validate_records({batch.header, SharedBuffer::copy_of(bytes)}, {});
  EXPECT_EQ(gap.error.code, ErrorCode::invalid_record);
  EXPECT_TRUE(gap.problems.empty());
}

TEST(ValidateRecords, StopsAtTheInflatedLimit) {
  const std::vector<NewRecord> records = {
      {.timestamp = kNow, .key = "k", .value = std::string(1U << 20, 'x'), .headers = {}}};
  const auto batch = build_batch(records, {.compression = Compression::zstd}).value();
  EXPECT_EQ(validate_records(batch, {.limits = {.max_inflated_bytes = 1U << 20}}).error.code,
            ErrorCode::message_too_large);
  EXPECT_TRUE(validate_records(batch, {.limits = {.max_inflated_bytes = (1U << 20) + 100}}).ok());
}

TEST(RecordsNeedValidation, OnlyWhenARuleCannotBeSeenInTheHeader) {
  const auto header = build_batch(three_records(), {}).value().header;
  EXPECT_FALSE(records_need_validation(header, {.now_ms = kNow}));
  EXPECT_TRUE(records_need_validation(header, {.keys_required = true, .now_ms = kNow}));
  EXPECT_TRUE(records_need_validation(header, {.now_ms = kNow, .before_max_ms = 1'000'000}));
  EXPECT_FALSE(records_need_validation(header, {.now_ms = kNow, .after_max_ms = 50}));
  EXPECT_TRUE(records_need_validation(header, {.now_ms = kNow, .after_max_ms = 49}));
  EXPECT_FALSE(records_need_validation(
      header, {.timestamp_type = TimestampType::log_append_time, .now_ms = kNow, .before_max_ms = 1}));
  auto unfilled = header;
  unfilled.max_timestamp = -1;
  EXPECT_TRUE(records_need_validation(unfilled, {.now_ms = kNow, .after_max_ms = 50}));
}

}  // namespace
}  // namespace tidegate::protocol
