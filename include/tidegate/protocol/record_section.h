// The records of a batch, inflated: what lies behind the header. For storage layouts that keep records one by
// one and have to put batches together again; everyone else works on whole batches. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

// As for_each_record(); `records` is what inflate_records() gave.
Result<void> walk_records(const BatchHeader& header, ByteView records, const RecordLimits& limits,
                          const std::function<bool(const RecordView&)>& each);

// A zigzag varint, as records have it.
void put_varlong(std::string& out, std::int64_t value);
// Takes one off the front of `bytes`; nullopt when there is none.
std::optional<std::int64_t> take_varlong(ByteView& bytes);

// Count and headers, as they end a record.
void put_record_headers(std::string& out, std::span<const HeaderView> headers);
// Whether `bytes` are what put_record_headers() could have written.
bool are_record_headers(ByteView bytes);

struct PlainRecord {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  ByteView headers;  // with their count
};
void put_record(std::string& out, const PlainRecord& record);

// The batch of `header` and `records`, which are compressed as the header says; sets length and CRC.
// message_too_large from 2 GiB on.
Result<RecordBatch> pack_batch(const BatchHeader& header, ByteView records);

}  // namespace tidegate::protocol
