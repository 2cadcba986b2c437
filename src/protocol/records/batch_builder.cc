// Building batches: for tests, for topic compression.type, for append time and for the markers that
// end a transaction. Client data in a running broker is never rebuilt from records; recompress() and
// the stamps work on whole sections of bytes.
#include <fmt/format.h>

#include <cstring>

#include "records/batch_assembly.h"
#include "records/batch_layout.h"
#include "records/big_endian.h"
#include "records/varint.h"
#include "tidegate/base/assert.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

namespace at = batch_layout;

// Deltas wrap instead of overflowing: readers add them up the same way.
std::int64_t timestamp_delta(std::int64_t timestamp, std::int64_t base) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp) - static_cast<std::uint64_t>(base));
}

std::size_t text_size(const std::optional<std::string>& text) {
  return text ? varint_size(static_cast<std::int32_t>(text->size())) + text->size() : varint_size(-1);
}
std::uint8_t* write_text(std::uint8_t* to, const std::string& text) {
  to = write_varint(to, static_cast<std::int32_t>(text.size()));
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
std::uint8_t* write_text(std::uint8_t* to, const std::optional<std::string>& text) {
  return text ? write_text(to, *text) : write_varint(to, -1);
}

std::size_t body_size(const NewRecord& record, std::int64_t delta, std::int32_t index) {
  std::size_t size = 1 + varlong_size(delta) + varint_size(index) + text_size(record.key) +
                     text_size(record.value) + varint_size(static_cast<std::int32_t>(record.headers.size()));
  for (const auto& [key, value] : record.headers) {
    size += varint_size(static_cast<std::int32_t>(key.size())) + key.size() + text_size(value);
  }
  return size;
}

std::uint8_t* write_body(std::uint8_t* to, const NewRecord& record, std::int64_t delta, std::int32_t index) {
  *to++ = 0;  // attributes
  to = write_varlong(to, delta);
  to = write_varint(to, index);
  to = write_text(to, record.key);
  to = write_text(to, record.value);
  to = write_varint(to, static_cast<std::int32_t>(record.headers.size()));
  for (const auto& [key, value] : record.headers) to = write_text(write_text(to, key), value);
  return to;
}

Result<SharedBuffer> encode_records(std::span<const NewRecord> records) {
  const std::int64_t base = records.front().timestamp;
  std::vector<std::size_t> sizes;
  sizes.reserve(records.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto size =
        body_size(records[i], timestamp_delta(records[i].timestamp, base), static_cast<std::int32_t>(i));
    if (size > at::kMaxRecordsBytes) return fail(ErrorCode::message_too_large, "a record over 2 GiB");
    sizes.push_back(size);
    total += varint_size(static_cast<std::int32_t>(size)) + size;
    if (total > at::kMaxRecordsBytes) return fail(ErrorCode::message_too_large, "a batch over 2 GiB");
  }
  MutableBuffer out(total);
  std::uint8_t* to = out.data();
  for (std::size_t i = 0; i < records.size(); ++i) {
    to = write_varint(to, static_cast<std::int32_t>(sizes[i]));
    to =
        write_body(to, records[i], timestamp_delta(records[i].timestamp, base), static_cast<std::int32_t>(i));
  }
  TIDEGATE_ASSERT(to == out.data() + total);
  return std::move(out).freeze();
}

RecordBatch with_patched_times(const RecordBatch& batch, std::int16_t attributes,
                               std::int64_t max_timestamp) {
  TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes());
  BatchHeader header = batch.header;
  header.attributes = attributes;
  header.max_timestamp = max_timestamp;
  MutableBuffer out(batch.bytes.size());
  std::memcpy(out.data(), batch.bytes.data(), batch.bytes.size());
  write_batch_header(header, out.bytes());
  header.crc = batch_crc(out.bytes());
  store_big_endian(out.data() + at::kCrc, header.crc);
  return {header, std::move(out).freeze()};
}

}  // namespace

Result<RecordBatch> assemble_batch(BatchHeader header, ByteView records) {
  if (records.size() > at::kMaxRecordsBytes) return fail(ErrorCode::message_too_large, "a batch over 2 GiB");
  MutableBuffer out(kBatchHeaderBytes + records.size());
  if (!records.empty()) std::memcpy(out.data() + kBatchHeaderBytes, records.data(), records.size());
  header.batch_length = static_cast<std::int32_t>(out.size() - kBatchPrefixBytes);
  write_batch_header(header, out.bytes());
  header.crc = batch_crc(out.bytes());
  store_big_endian(out.data() + at::kCrc, header.crc);
  return RecordBatch{header, std::move(out).freeze()};
}

Result<RecordBatch> build_batch(std::span<const NewRecord> records, const NewBatchOptions& options) {
  if (records.empty()) return fail(ErrorCode::invalid_record, "a batch needs a record");
  if (records.size() > at::kMaxRecordsBytes) return fail(ErrorCode::message_too_large, "too many records");
  BatchHeader header;
  header.base_offset = options.base_offset;
  header.partition_leader_epoch = options.leader_epoch;
  header.attributes = static_cast<std::int16_t>(options.compression);
  if (options.timestamp_type == TimestampType::log_append_time) header.attributes |= at::kAppendTimeBit;
  if (options.transactional) header.attributes |= at::kTransactionalBit;
  header.last_offset_delta = static_cast<std::int32_t>(records.size() - 1);
  header.base_timestamp = records.front().timestamp;
  header.max_timestamp = header.base_timestamp;
  for (const auto& record : records) header.max_timestamp = std::max(header.max_timestamp, record.timestamp);
  header.producer_id = options.producer_id;
  header.producer_epoch = options.producer_epoch;
  header.base_sequence = options.base_sequence;
  header.records_count = static_cast<std::int32_t>(records.size());

  auto plain = encode_records(records);
  if (!plain) return fail(std::move(plain.error()));
  if (options.compression == Compression::none) return assemble_batch(header, *plain);
  auto packed = compress(options.compression, *plain);
  if (!packed) return fail(std::move(packed.error()));
  return assemble_batch(header, *packed);
}

RecordBatch build_control_batch(ControlType type, std::int64_t producer_id, std::int16_t producer_epoch,
                                std::int32_t coordinator_epoch, std::int64_t timestamp) {
  std::string key(4, '\0');  // version 0, then the type
  store_big_endian(reinterpret_cast<std::uint8_t*>(key.data()) + 2, static_cast<std::int16_t>(type));
  std::string value(6, '\0');  // version 0, then the coordinator's epoch
  store_big_endian(reinterpret_cast<std::uint8_t*>(value.data()) + 2, coordinator_epoch);
  const NewRecord record{
      .timestamp = timestamp, .key = std::move(key), .value = std::move(value), .headers = {}};

  BatchHeader header;
  header.attributes = at::kTransactionalBit | at::kControlBit;
  header.base_timestamp = timestamp;
  header.max_timestamp = timestamp;
  header.producer_id = producer_id;
  header.producer_epoch = producer_epoch;
  header.records_count = 1;
  auto records = encode_records({&record, 1});
  TIDEGATE_ASSERT(records.has_value());
  auto batch = assemble_batch(header, *records);
  TIDEGATE_ASSERT(batch.has_value());
  return std::move(*batch);
}

Result<RecordBatch> recompress(const RecordBatch& batch, Compression to, const RecordLimits& limits) {
  if (batch.header.compression_is_legal() && batch.header.compression() == to) return batch;
  auto plain = inflate_records(batch, limits);
  if (!plain) return fail(std::move(plain.error()));
  BatchHeader header = batch.header;
  header.attributes =
      static_cast<std::int16_t>((header.attributes & ~at::kCodecMask) | static_cast<std::int16_t>(to));
  if (to == Compression::none) return assemble_batch(header, *plain);
  auto packed = compress(to, *plain);
  if (!packed) return fail(std::move(packed.error()));
  return assemble_batch(header, *packed);
}

RecordBatch stamp_append_time(const RecordBatch& batch, std::int64_t now_ms) {
  return with_patched_times(batch, static_cast<std::int16_t>(batch.header.attributes | at::kAppendTimeBit),
                            now_ms);
}

RecordBatch with_max_timestamp(const RecordBatch& batch, std::int64_t max_timestamp_ms) {
  return with_patched_times(batch, batch.header.attributes, max_timestamp_ms);
}

}  // namespace tidegate::protocol
