// Walking the records of a batch. Uncompressed records are read where they lie; compressed ones are
// inflated once, up to the limit. Every length is checked against the bytes that remain, and the
// number of headers against both the limit and the bytes, before room is made for them.
#include <fmt/format.h>

#include "records/varint.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/protocol/record_section.h"

namespace tidegate::protocol {
namespace {

constexpr std::size_t kMinHeaderBytes = 2;  // an empty key and a null value

std::unexpected<Error> malformed(std::int32_t index, std::string_view what) {
  return fail(ErrorCode::invalid_record, fmt::format("record {}: {}", index, what));
}

// nullopt for length -1; false when the length is below -1 or beyond the bytes.
bool read_nullable(RecordCursor& cursor, std::optional<ByteView>& field) {
  std::int32_t length = 0;
  if (!cursor.read_varint(length) || length < -1) return false;
  if (length == -1) {
    field.reset();
    return true;
  }
  return cursor.read_bytes(length, field.emplace());
}

// Empty when all is well.
std::string_view read_headers(RecordCursor& cursor, const RecordLimits& limits,
                              std::vector<HeaderView>& headers) {
  std::int32_t count = 0;
  if (!cursor.read_varint(count) || count < 0) return "bad header count";
  if (static_cast<std::size_t>(count) > limits.max_headers) return "too many headers";
  if (static_cast<std::size_t>(count) > cursor.remaining() / kMinHeaderBytes)
    return "header count beyond its bytes";
  headers.clear();
  headers.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) {
    auto& header = headers.emplace_back();
    std::int32_t key_length = 0;
    if (!cursor.read_varint(key_length) || key_length < 0 || !cursor.read_bytes(key_length, header.key)) {
      return "bad header key";
    }
    if (!read_nullable(cursor, header.value)) return "bad header value";
  }
  return {};
}

std::string_view read_record(ByteView body, const RecordLimits& limits, std::vector<HeaderView>& headers,
                             RecordView& record) {
  RecordCursor cursor(body);
  std::uint8_t attributes = 0;  // none is defined
  if (!cursor.read_byte(attributes)) return "no attributes";
  if (!cursor.read_varlong(record.timestamp_delta)) return "bad timestamp delta";
  if (!cursor.read_varint(record.offset_delta)) return "bad offset delta";
  if (!read_nullable(cursor, record.key)) return "bad key length";
  if (!read_nullable(cursor, record.value)) return "bad value length";
  if (const auto wrong = read_headers(cursor, limits, headers); !wrong.empty()) return wrong;
  if (cursor.remaining() != 0) return "bytes behind the last header";
  record.headers = headers;
  return {};
}

}  // namespace

Result<SharedBuffer> inflate_records(const RecordBatch& batch, const RecordLimits& limits) {
  if (batch.bytes.size() != batch.header.size_bytes() || batch.bytes.size() < kBatchHeaderBytes) {
    return fail(ErrorCode::corrupt_message, "record batch length does not fit its bytes");
  }
  if (!batch.header.compression_is_legal()) {
    return fail(ErrorCode::invalid_record, fmt::format("unknown codec {}", batch.header.attributes & 7));
  }
  auto records = batch.bytes.slice(kBatchHeaderBytes, batch.bytes.size() - kBatchHeaderBytes);
  // What compaction emptied has no stream to inflate.
  if (batch.header.compression() == Compression::none || records.empty()) return records;
  return decompress(batch.header.compression(), records, limits.max_inflated_bytes);
}

Result<void> for_each_record(const RecordBatch& batch, const RecordLimits& limits,
                             std::function<bool(const RecordView&)> each) {
  auto records = inflate_records(batch, limits);
  if (!records) return fail(std::move(records.error()));
  return walk_records(batch.header, *records, limits, each);
}

Result<void> walk_records(const BatchHeader& header, ByteView records, const RecordLimits& limits,
                          const std::function<bool(const RecordView&)>& each) {
  RecordCursor cursor(records);
  RecordView record;
  std::vector<HeaderView> headers;  // one for all records: its memory is reused
  std::int32_t previous_delta = -1;
  const std::int32_t count = header.records_count;
  if (count < 0) return fail(ErrorCode::invalid_record, fmt::format("records count {}", count));
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t length = 0;
    ByteView body;
    if (!cursor.read_varint(length) || length < 0 || !cursor.read_bytes(length, body)) {
      return malformed(i, "bad length");
    }
    if (const auto wrong = read_record(body, limits, headers, record); !wrong.empty())
      return malformed(i, wrong);
    // Gaps are legal: compaction leaves them.
    if (record.offset_delta <= previous_delta || record.offset_delta > header.last_offset_delta) {
      return malformed(i, fmt::format("offset delta {} after {}, last {}", record.offset_delta,
                                      previous_delta, header.last_offset_delta));
    }
    previous_delta = record.offset_delta;
    if (!each(record)) return {};
  }
  if (cursor.remaining() != 0) {
    return fail(ErrorCode::invalid_record,
                fmt::format("{} bytes behind the last of {} records", cursor.remaining(), count));
  }
  return {};
}

}  // namespace tidegate::protocol
