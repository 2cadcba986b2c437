// Batches for tests in one line, and back: the records that a log gave, as plain values to compare.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tidegate/base/rng.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/storage/engine.h"

namespace tidegate::test {

inline constexpr std::int64_t kFirstTimestamp = 1'700'000'000'000;

inline protocol::RecordBatch build(const std::vector<protocol::NewRecord>& records,
                                   const protocol::NewBatchOptions& options = {}) {
  auto batch = protocol::build_batch(records, options);
  if (!batch) {
    ADD_FAILURE() << "build_batch: " << batch.error().message;
    return {};
  }
  return std::move(*batch);
}

// One record a value, a millisecond apart.
inline protocol::RecordBatch batch_of(const std::vector<std::string>& values,
                                      const protocol::NewBatchOptions& options = {},
                                      std::int64_t first_timestamp = kFirstTimestamp) {
  std::vector<protocol::NewRecord> records;
  for (const auto& value : values) {
    records.push_back(
        {.timestamp = first_timestamp + static_cast<std::int64_t>(records.size()), .value = value});
  }
  return build(records, options);
}

// One record a timestamp, with the timestamp as its value.
inline protocol::RecordBatch batch_at(const std::vector<std::int64_t>& timestamps,
                                      const protocol::NewBatchOptions& options = {}) {
  std::vector<protocol::NewRecord> records;
  for (const auto timestamp : timestamps) {
    records.push_back({.timestamp = timestamp, .value = std::to_string(timestamp)});
  }
  return build(records, options);
}

// `count` records named `prefix`0, `prefix`1, ...
inline protocol::RecordBatch numbered_batch(const std::string& prefix, int first, int count,
                                            const protocol::NewBatchOptions& options = {}) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back(prefix + std::to_string(first + i));
  return batch_of(values, options);
}

// One record whose value has `value_bytes` bytes that do not compress.
inline protocol::RecordBatch sized_batch(std::size_t value_bytes, std::uint64_t seed = 1,
                                         std::int64_t timestamp = kFirstTimestamp) {
  SeededRng rng(seed);
  std::string value(value_bytes, '\0');
  for (auto& byte : value) byte = static_cast<char>(rng.next());
  return build({{.timestamp = timestamp, .value = std::move(value)}});
}

template <class... Batches>
std::vector<protocol::RecordBatch> list(Batches... batches) {
  std::vector<protocol::RecordBatch> out;
  (out.push_back(std::move(batches)), ...);
  return out;
}

struct ReadRecord {
  Offset offset = 0;
  std::int64_t timestamp = 0;
  std::string value;  // "(null)" for null
  bool operator==(const ReadRecord&) const = default;
};
inline void PrintTo(const ReadRecord& record, std::ostream* out) {
  *out << record.offset << "@" << record.timestamp << "=" << record.value.substr(0, 40);
}

inline std::vector<ReadRecord> records_of(const protocol::RecordBatch& batch) {
  std::vector<ReadRecord> records;
  const auto& header = batch.header;
  const bool append_time = header.timestamp_type() == protocol::TimestampType::log_append_time;
  auto visited = protocol::for_each_record(batch, {}, [&](const protocol::RecordView& record) {
    records.push_back(
        {.offset = header.base_offset + record.offset_delta,
         .timestamp = append_time ? header.max_timestamp : header.base_timestamp + record.timestamp_delta,
         .value = record.value ? std::string(as_text(*record.value)) : "(null)"});
    return true;
  });
  if (!visited) ADD_FAILURE() << "for_each_record: " << visited.error().message;
  return records;
}

inline SharedBuffer joined(const std::vector<SharedBuffer>& chunks) {
  std::size_t size = 0;
  for (const auto& chunk : chunks) size += chunk.size();
  MutableBuffer all(size);
  std::uint8_t* to = all.data();
  for (const auto& chunk : chunks) to = std::copy_n(chunk.data(), chunk.size(), to);
  return std::move(all).freeze();
}

// The whole batches of a read; a failure when it holds anything else.
inline std::vector<protocol::RecordBatch> batches_of(const storage::ReadResult& read) {
  auto split = protocol::split_batches(joined(read.chunks));
  if (!split) {
    ADD_FAILURE() << "split_batches: " << split.error().message;
    return {};
  }
  EXPECT_EQ(split->trailing_bytes, 0U);
  return std::move(split->batches);
}

inline std::vector<ReadRecord> records_of(const storage::ReadResult& read) {
  std::vector<ReadRecord> all;
  for (const auto& batch : batches_of(read)) {
    for (auto& record : records_of(batch)) all.push_back(std::move(record));
  }
  return all;
}

inline std::vector<std::string> values_of(const std::vector<ReadRecord>& records) {
  std::vector<std::string> values;
  for (const auto& record : records) values.push_back(record.value);
  return values;
}

}  // namespace tidegate::test
