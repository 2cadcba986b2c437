#include "tidegate/protocol/record_section.h"

#include "records/batch_assembly.h"
#include "records/varint.h"
#include "tidegate/protocol/compression.h"

namespace tidegate::protocol {
namespace {

void put_varint(std::string& out, std::int32_t value) {
  std::uint8_t bytes[5];
  const auto* const end = write_varint(bytes, value);
  out.append(as_text({bytes, static_cast<std::size_t>(end - bytes)}));
}

// Lengths of fields come from batches, so they fit.
std::int32_t length_of(ByteView bytes) { return static_cast<std::int32_t>(bytes.size()); }

void put_nullable(std::string& out, const std::optional<ByteView>& bytes) {
  put_varint(out, bytes ? length_of(*bytes) : -1);
  if (bytes) out.append(as_text(*bytes));
}

std::size_t nullable_size(const std::optional<ByteView>& bytes) {
  return bytes ? varint_size(length_of(*bytes)) + bytes->size() : 1;
}

}  // namespace

void put_varlong(std::string& out, std::int64_t value) {
  std::uint8_t bytes[10];
  const auto* const end = write_varlong(bytes, value);
  out.append(as_text({bytes, static_cast<std::size_t>(end - bytes)}));
}

std::optional<std::int64_t> take_varlong(ByteView& bytes) {
  RecordCursor cursor(bytes);
  std::int64_t value = 0;
  if (!cursor.read_varlong(value)) return std::nullopt;
  bytes = bytes.last(cursor.remaining());
  return value;
}

void put_record_headers(std::string& out, std::span<const HeaderView> headers) {
  put_varint(out, static_cast<std::int32_t>(headers.size()));
  for (const HeaderView& header : headers) {
    put_varint(out, length_of(header.key));
    out.append(as_text(header.key));
    put_nullable(out, header.value);
  }
}

bool are_record_headers(ByteView bytes) {
  RecordCursor cursor(bytes);
  std::int32_t count = 0;
  if (!cursor.read_varint(count) || count < 0) return false;
  // Each takes a byte at least, so a count beyond the bytes ends soon.
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t length = 0;
    ByteView skipped;
    if (!cursor.read_varint(length) || length < 0 || !cursor.read_bytes(length, skipped)) return false;
    if (!cursor.read_varint(length) || length < -1) return false;
    if (length > 0 && !cursor.read_bytes(length, skipped)) return false;
  }
  return cursor.remaining() == 0;
}

void put_record(std::string& out, const PlainRecord& record) {
  const std::size_t size = 1 + varlong_size(record.timestamp_delta) + varint_size(record.offset_delta) +
                           nullable_size(record.key) + nullable_size(record.value) + record.headers.size();
  put_varint(out, static_cast<std::int32_t>(size));
  out.push_back('\0');  // attributes: none is defined
  put_varlong(out, record.timestamp_delta);
  put_varint(out, record.offset_delta);
  put_nullable(out, record.key);
  put_nullable(out, record.value);
  out.append(as_text(record.headers));
}

Result<RecordBatch> pack_batch(const BatchHeader& header, ByteView records) {
  if (header.compression() == Compression::none || records.empty()) return assemble_batch(header, records);
  auto packed = compress(header.compression(), records);
  if (!packed) return fail(std::move(packed.error()));
  return assemble_batch(header, *packed);
}

}  // namespace tidegate::protocol
