#include "typed_value.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::schema {
namespace {

constexpr std::array<std::string_view, 7> kReserved = {"_ts_ns", "_ts",     "_key",         "_offset",
                                                       "_value", "_source", kEnvelopeColumn};
constexpr std::uint8_t kVersion = 1;
enum Flag : std::uint8_t {
  kRaw = 1,       // the value follows
  kPrefixed = 2,  // it begins with a byte 0 and the schema's id
};
constexpr std::size_t kFixedBytes = 2 + 4 + 4 + 2;
constexpr std::size_t kMaxHeadBytes = 0xffff;
// Columns are named in every record: what would take much more than the value is kept as bytes alone.
constexpr std::size_t kMaxStoredBytes = 16U << 10;
constexpr std::size_t kMaxStoredPerByte = 16;

void put(std::string& out, std::uint32_t number, int bytes) {
  for (int i = bytes; i-- > 0;) out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint32_t number_at(ByteView bytes, std::size_t at, std::size_t count) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < count; ++i) number = number << 8 | bytes[at + i];
  return number;
}

std::unexpected<Error> damaged(std::string what) {
  return fail(ErrorCode::corrupt_message, "a typed value: " + std::move(what));
}

}  // namespace

DeclaredColumns declarable(const ValueColumns& columns) {
  DeclaredColumns made{.record_name = std::string(columns.record_name()), .columns = {}};
  made.columns.push_back(
      {.name = std::string(kEnvelopeColumn), .type = {.kind = ColumnKind::bytes, .parts = {}}});
  for (const Column& column : columns.columns()) {
    if (std::ranges::find(kReserved, column.name) == kReserved.end()) made.columns.push_back(column);
  }
  return made;
}

const std::optional<std::vector<std::string>>& ValueWriter::misfits(const ValueColumns& columns) {
  auto [at, fresh] = misfits_.try_emplace(&columns);
  if (!fresh || declared_.record_name != columns.record_name()) return at->second;
  at->second.emplace();
  for (const Column& column : columns.columns()) {
    const auto declared = std::ranges::find(declared_.columns, column.name, &Column::name);
    const bool fits = declared != declared_.columns.end() && column.name != kEnvelopeColumn &&
                      holds(declared->type, column.type);
    if (!fits) at->second->push_back(column.name);
  }
  return at->second;
}

TypedValue ValueWriter::make(ByteView value, const Framed& framed, const CompiledSchema* schema) {
  const std::size_t head = schema != nullptr ? schema->head_bytes(framed.payload) : 0;
  const ValueColumns* const columns = schema != nullptr ? schema->value_columns(framed.payload) : nullptr;
  const ByteView body = framed.payload.subspan(head);
  TypedValue made;
  ColumnRecord record;
  const auto* const left_out = columns != nullptr ? &misfits(*columns) : nullptr;
  if (left_out != nullptr && *left_out && head <= kMaxHeadBytes) {
    made.proved = columns->read(body, record);
    const std::size_t all = record.size();
    std::erase_if(record, [&](const NamedColumnValue& one) {
      return std::ranges::find(**left_out, one.name) != (*left_out)->end();
    });
    std::string again;
    made.proved = made.proved && record.size() == all && columns->write(record, again) &&
                  as_text(body) == std::string_view(again);
  }
  const bool prefixed = framed.payload.size() != value.size();
  const auto envelope = [&](bool raw) {
    std::string out;
    out.push_back(static_cast<char>(kVersion));
    out.push_back(static_cast<char>((raw ? kRaw : 0) | (prefixed ? kPrefixed : 0)));
    put(out, static_cast<std::uint32_t>(framed.id), 4);
    put(out, protocol::crc32c(value), 4);
    const std::size_t kept = raw ? 0 : head;
    put(out, static_cast<std::uint32_t>(kept), 2);
    out.append(as_text(framed.payload.first(kept)));
    if (raw) out.append(as_text(value));
    return ColumnValue{.kind = ColumnKind::bytes, .bytes = std::move(out), .parts = {}};
  };
  record.push_back({.name = std::string(kEnvelopeColumn), .value = envelope(!made.proved)});
  made.stored = format_.encode(record);
  if (made.stored.size() > kMaxStoredBytes + kMaxStoredPerByte * value.size()) {
    made.proved = false;
    record.clear();
    record.push_back({.name = std::string(kEnvelopeColumn), .value = envelope(true)});
    made.stored = format_.encode(record);
  }
  return made;
}

Result<std::string> value_of(const ColumnFormat& format, ByteView stored, const SchemaById& find) {
  auto record = format.decode(stored);
  if (!record) return fail(std::move(record.error()));
  const ColumnValue* const envelope = find_column(*record, std::string(kEnvelopeColumn), record->size() - 1);
  if (envelope == nullptr || envelope->kind != ColumnKind::bytes) return damaged("it has no envelope");
  const ByteView bytes = as_bytes(envelope->bytes);
  if (bytes.size() < kFixedBytes || bytes[0] != kVersion || bytes[1] > (kRaw | kPrefixed))
    return damaged("its envelope is of a later version, or cut");
  const bool raw = (bytes[1] & kRaw) != 0;
  const auto id = static_cast<std::int32_t>(number_at(bytes, 2, 4));
  const std::uint32_t crc = number_at(bytes, 6, 4);
  const std::size_t head = number_at(bytes, 10, 2);
  ByteView rest = bytes.subspan(kFixedBytes);
  if (head > rest.size() || (!raw && head != rest.size())) return damaged("its envelope is cut");
  std::string value;
  if (raw) {
    value = std::string(as_text(rest.subspan(head)));
  } else {
    const CompiledSchema* const schema = find(id);
    if (schema == nullptr) return damaged(fmt::format("schema id {} is not kept with the topic", id));
    const ByteView path = rest.first(head);
    const ValueColumns* const columns = schema->value_columns(path);
    std::string body;
    if (columns == nullptr || !columns->write(*record, body))
      return damaged(fmt::format("its columns are no value of schema id {}", id));
    if ((bytes[1] & kPrefixed) != 0) {
      value.push_back('\0');
      put(value, static_cast<std::uint32_t>(id), 4);
    }
    value.append(as_text(path)).append(body);
  }
  if (protocol::crc32c(as_bytes(value)) != crc) return damaged("it fails its CRC");
  return value;
}

}  // namespace tidegate::schema
