// Record batches of the Java client (batches.jsonl, made by batches_tool): every header field and every
// record must be what Java reads, uncompressed ones and markers must be what we build, byte for byte.
// With TIDEGATE_WRITE_BATCHES=FILE our own batches are also written out for Java to read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/paths.h"
#include "tidegate/protocol/batch_check.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kVectors = 44;
constexpr Compression kCodecs[] = {Compression::none, Compression::gzip, Compression::snappy,
                                   Compression::lz4, Compression::zstd};
const std::map<std::string, Compression> kCodecNames = {{"none", Compression::none},
                                                        {"gzip", Compression::gzip},
                                                        {"snappy", Compression::snappy},
                                                        {"lz4", Compression::lz4},
                                                        {"zstd", Compression::zstd}};

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}
std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const auto byte : bytes) hex.append({kDigits[byte >> 4], kDigits[byte & 15]});
  return hex;
}
json hex_or_null(const std::optional<ByteView>& bytes) {
  return bytes ? json(to_hex(*bytes)) : json(nullptr);
}

struct Vector {
  std::string name;
  Compression codec = Compression::none;
  json header;
  json records;
  RecordBatch batch;
};

Vector parse_vector(const std::string& line) {
  const auto object = json::parse(line);
  Vector vector{.name = object["name"].get<std::string>() + "/" + object["codec"].get<std::string>(),
                .codec = kCodecNames.at(object["codec"]),
                .header = object["header"],
                .records = object["records"],
                .batch = {}};
  auto split = split_batches(SharedBuffer::copy_of(from_hex(object["hex"]))).value();
  EXPECT_EQ(split.batches.size(), 1U) << vector.name;
  EXPECT_EQ(split.trailing_bytes, 0U) << vector.name;
  vector.batch = split.batches.at(0);
  return vector;
}

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = [] {
    std::vector<Vector> read;
    std::ifstream file(test::source_dir() / "test/golden/batches.jsonl");
    for (std::string line; std::getline(file, line);) read.push_back(parse_vector(line));
    return read;
  }();
  return all;
}

// What Java prints for its own batches, from our reading.
json header_json(const BatchHeader& header) {
  return {{"base_offset", header.base_offset},
          {"last_offset", header.last_offset()},
          {"size_bytes", header.size_bytes()},
          {"leader_epoch", header.partition_leader_epoch},
          {"crc", header.crc},
          {"append_time", header.timestamp_type() == TimestampType::log_append_time},
          {"transactional", header.is_transactional()},
          {"control", header.is_control()},
          {"max_timestamp", header.max_timestamp},
          {"producer_id", header.producer_id},
          {"producer_epoch", header.producer_epoch},
          {"base_sequence", header.base_sequence},
          {"last_sequence", header.last_sequence()},
          {"count", header.records_count}};
}

json record_json(const BatchHeader& header, const RecordView& record) {
  constexpr std::size_t kLongValue = 200;
  json object = {{"offset", header.base_offset + record.offset_delta},
                 {"timestamp", header.timestamp_type() == TimestampType::log_append_time
                                   ? header.max_timestamp
                                   : header.base_timestamp + record.timestamp_delta},
                 {"key", hex_or_null(record.key)},
                 {"headers", json::array()}};
  if (record.value && record.value->size() > kLongValue) {
    object["value_size"] = record.value->size();
    object["value_crc32c"] = crc32c(*record.value);
  } else {
    object["value"] = hex_or_null(record.value);
  }
  for (const auto& [key, value] : record.headers) {
    object["headers"].push_back(json::array({to_hex(key), hex_or_null(value)}));
  }
  return object;
}

json records_json(const RecordBatch& batch) {
  json records = json::array();
  const auto walked = for_each_record(batch, {}, [&](const RecordView& record) {
    records.push_back(record_json(batch.header, record));
    return true;
  });
  EXPECT_TRUE(walked) << walked.error().message;
  return records;
}

std::vector<NewRecord> rebuildable(const RecordBatch& batch) {
  std::vector<NewRecord> records;
  const auto text = [](const std::optional<ByteView>& bytes) -> std::optional<std::string> {
    if (!bytes) return std::nullopt;
    return std::string(as_text(*bytes));
  };
  EXPECT_TRUE(for_each_record(batch, {}, [&](const RecordView& view) {
    auto& record = records.emplace_back();
    record.timestamp = batch.header.base_timestamp + view.timestamp_delta;
    record.key = text(view.key);
    record.value = text(view.value);
    for (const auto& header : view.headers) {
      record.headers.emplace_back(std::string(as_text(header.key)), text(header.value));
    }
    return true;
  }));
  return records;
}

NewBatchOptions options_of(const BatchHeader& header) {
  return {.compression = header.compression(),
          .timestamp_type = header.timestamp_type(),
          .producer_id = header.producer_id,
          .producer_epoch = header.producer_epoch,
          .base_sequence = header.base_sequence,
          .transactional = header.is_transactional(),
          .base_offset = header.base_offset,
          .leader_epoch = header.partition_leader_epoch};
}

TEST(GoldenBatches, AreAllThere) { ASSERT_EQ(vectors().size(), kVectors); }

TEST(GoldenBatches, HeadersAreWhatJavaReads) {
  for (const auto& vector : vectors()) {
    EXPECT_EQ(header_json(vector.batch.header), vector.header) << vector.name;
    EXPECT_EQ(vector.batch.header.compression(), vector.codec) << vector.name;
    EXPECT_TRUE(batch_crc_is_valid(vector.batch.bytes, vector.batch.header)) << vector.name;
  }
}

TEST(GoldenBatches, HeadersAreWrittenBackByteForByte) {
  for (const auto& vector : vectors()) {
    Bytes written(kBatchHeaderBytes);
    write_batch_header(vector.batch.header, written);
    EXPECT_EQ(to_hex(written), to_hex(vector.batch.bytes.bytes().first(kBatchHeaderBytes))) << vector.name;
  }
}

TEST(GoldenBatches, RecordsAreWhatJavaReads) {
  std::size_t records = 0;
  for (const auto& vector : vectors()) {
    EXPECT_EQ(records_json(vector.batch), vector.records) << vector.name;
    records += vector.records.size();
  }
  EXPECT_GT(records, 300U);
}

TEST(GoldenBatches, UncompressedOnesAreWhatWeBuildByteForByte) {
  int built = 0;
  for (const auto& vector : vectors()) {
    if (vector.codec != Compression::none || vector.batch.header.is_control()) continue;
    auto ours = build_batch(rebuildable(vector.batch), options_of(vector.batch.header));
    ASSERT_TRUE(ours) << vector.name;
    if (ours->header.timestamp_type() == TimestampType::log_append_time) {
      ours = stamp_append_time(*ours, vector.batch.header.max_timestamp);
    }
    EXPECT_EQ(to_hex(ours->bytes), to_hex(vector.batch.bytes)) << vector.name;
    ++built;
  }
  EXPECT_EQ(built, 8);
}

TEST(GoldenBatches, MarkersAreWhatWeBuildByteForByte) {
  int built = 0;
  for (const auto& vector : vectors()) {
    if (!vector.batch.header.is_control()) continue;
    const auto& header = vector.batch.header;
    const auto key = from_hex(vector.records[0]["key"]);
    const auto value = from_hex(vector.records[0]["value"]);
    const auto coordinator_epoch =
        static_cast<std::int32_t>(value[2] << 24 | value[3] << 16 | value[4] << 8 | value[5]);
    auto ours = build_control_batch(static_cast<ControlType>(key[3]), header.producer_id,
                                    header.producer_epoch, coordinator_epoch, header.base_timestamp);
    EXPECT_EQ(ours.bytes.size(), 78U);
    // Offset and leader epoch are the log's to write; the CRC does not cover them.
    Bytes bytes(ours.bytes.data(), ours.bytes.data() + ours.bytes.size());
    ours.header.base_offset = header.base_offset;
    ours.header.partition_leader_epoch = header.partition_leader_epoch;
    write_batch_header(ours.header, bytes);
    EXPECT_EQ(to_hex(bytes), to_hex(vector.batch.bytes)) << vector.name;
    ++built;
  }
  EXPECT_EQ(built, 4);
}

TEST(GoldenBatches, PassTheProduceChecksIfAProducerMaySendThem) {
  for (const auto& vector : vectors()) {
    const auto& header = vector.batch.header;
    const bool append_time = header.timestamp_type() == TimestampType::log_append_time;
    const auto checked = check_produced_batch(vector.batch.bytes, {});
    EXPECT_EQ(checked.has_value(), !header.is_control() && !append_time) << vector.name;
    if (header.is_control()) continue;
    const auto report = validate_records(vector.batch, {});
    EXPECT_TRUE(report.ok()) << vector.name << ": " << report.error.message;
    EXPECT_FALSE(report.max_timestamp_differs) << vector.name;
  }
}

TEST(GoldenBatches, SurviveRecompressionToEveryCodec) {
  std::ofstream ours;
  if (const char* path = std::getenv("TIDEGATE_WRITE_BATCHES")) ours.open(path);
  for (const auto& vector : vectors()) {
    if (vector.batch.header.is_control()) {
      if (ours.is_open()) ours << to_hex(vector.batch.bytes) << '\n';
      continue;
    }
    for (const auto codec : kCodecs) {
      const auto other = recompress(vector.batch, codec, {});
      ASSERT_TRUE(other) << vector.name;
      EXPECT_EQ(records_json(*other), vector.records) << vector.name << " to " << static_cast<int>(codec);
      if (ours.is_open()) ours << to_hex(other->bytes) << '\n';
    }
  }
}

}  // namespace
}  // namespace tidegate::protocol
