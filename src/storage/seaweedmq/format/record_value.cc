#include "record_value.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/json_util.h>

#include "seaweedfs/schema.pb.h"

namespace tidegate::storage::seaweedmq {
namespace {

void put_record(schema_pb::RecordValue& to, const ColumnRecord& record);

void put_value(schema_pb::Value& to, const ColumnValue& value) {
  if (!value.kind) return;
  switch (*value.kind) {
    case ColumnKind::boolean:
      to.set_bool_value(value.number != 0);
      return;
    case ColumnKind::int32:
      to.set_int32_value(static_cast<std::int32_t>(value.number));
      return;
    case ColumnKind::int64:
      to.set_int64_value(value.number);
      return;
    case ColumnKind::float32:
      to.set_float_value(std::bit_cast<float>(static_cast<std::uint32_t>(value.number)));
      return;
    case ColumnKind::float64:
      to.set_double_value(std::bit_cast<double>(value.number));
      return;
    case ColumnKind::bytes:
      to.set_bytes_value(value.bytes);
      return;
    case ColumnKind::string:
      to.set_string_value(value.bytes);
      return;
    case ColumnKind::timestamp:
      to.mutable_timestamp_value()->set_timestamp_micros(value.number);
      to.mutable_timestamp_value()->set_is_utc(value.is_utc);
      return;
    case ColumnKind::date:
      to.mutable_date_value()->set_days_since_epoch(static_cast<std::int32_t>(value.number));
      return;
    case ColumnKind::decimal:
      to.mutable_decimal_value()->set_value(value.bytes);
      to.mutable_decimal_value()->set_precision(value.precision);
      to.mutable_decimal_value()->set_scale(value.scale);
      return;
    case ColumnKind::time:
      to.mutable_time_value()->set_time_micros(value.number);
      return;
    case ColumnKind::list:
      to.mutable_list_value();
      for (const NamedColumnValue& item : value.parts)
        put_value(*to.mutable_list_value()->add_values(), item.value);
      return;
    case ColumnKind::record:
      put_record(*to.mutable_record_value(), value.parts);
      return;
  }
}

void put_record(schema_pb::RecordValue& to, const ColumnRecord& record) {
  for (const NamedColumnValue& one : record) put_value((*to.mutable_fields())[one.name], one.value);
}

ColumnRecord taken_record(const schema_pb::RecordValue& from);

ColumnValue taken_value(const schema_pb::Value& from) {
  ColumnValue made;
  switch (from.kind_case()) {
    case schema_pb::Value::kBoolValue:
      made.kind = ColumnKind::boolean;
      made.number = from.bool_value() ? 1 : 0;
      return made;
    case schema_pb::Value::kInt32Value:
      made.kind = ColumnKind::int32;
      made.number = from.int32_value();
      return made;
    case schema_pb::Value::kInt64Value:
      made.kind = ColumnKind::int64;
      made.number = from.int64_value();
      return made;
    case schema_pb::Value::kFloatValue:
      made.kind = ColumnKind::float32;
      made.number = std::bit_cast<std::uint32_t>(from.float_value());
      return made;
    case schema_pb::Value::kDoubleValue:
      made.kind = ColumnKind::float64;
      made.number = std::bit_cast<std::int64_t>(from.double_value());
      return made;
    case schema_pb::Value::kBytesValue:
      made.kind = ColumnKind::bytes;
      made.bytes = from.bytes_value();
      return made;
    case schema_pb::Value::kStringValue:
      made.kind = ColumnKind::string;
      made.bytes = from.string_value();
      return made;
    case schema_pb::Value::kTimestampValue:
      made.kind = ColumnKind::timestamp;
      made.number = from.timestamp_value().timestamp_micros();
      made.is_utc = from.timestamp_value().is_utc();
      return made;
    case schema_pb::Value::kDateValue:
      made.kind = ColumnKind::date;
      made.number = from.date_value().days_since_epoch();
      return made;
    case schema_pb::Value::kDecimalValue:
      made.kind = ColumnKind::decimal;
      made.bytes = from.decimal_value().value();
      made.precision = from.decimal_value().precision();
      made.scale = from.decimal_value().scale();
      return made;
    case schema_pb::Value::kTimeValue:
      made.kind = ColumnKind::time;
      made.number = from.time_value().time_micros();
      return made;
    case schema_pb::Value::kListValue:
      made.kind = ColumnKind::list;
      for (const auto& item : from.list_value().values())
        made.parts.push_back({.name = {}, .value = taken_value(item)});
      return made;
    case schema_pb::Value::kRecordValue:
      made.kind = ColumnKind::record;
      made.parts = taken_record(from.record_value());
      return made;
    case schema_pb::Value::KIND_NOT_SET:
      break;
  }
  return made;
}

ColumnRecord taken_record(const schema_pb::RecordValue& from) {
  ColumnRecord made;
  made.reserve(from.fields().size());
  for (const auto& [name, value] : from.fields()) {
    if (value.kind_case() != schema_pb::Value::KIND_NOT_SET)
      made.push_back({.name = name, .value = taken_value(value)});
  }
  return made;
}

// In the order of ColumnKind.
constexpr std::array<schema_pb::ScalarType, 11> kScalarTypes = {
    schema_pb::BOOL,   schema_pb::INT32,   schema_pb::INT64,  schema_pb::FLOAT,
    schema_pb::DOUBLE, schema_pb::BYTES,   schema_pb::STRING, schema_pb::TIMESTAMP,
    schema_pb::DATE,   schema_pb::DECIMAL, schema_pb::TIME};

void put_type(schema_pb::Type& to, const ColumnType& type) {
  if (type.kind == ColumnKind::record) return put_record_type(*to.mutable_record_type(), type.parts);
  if (type.kind != ColumnKind::list)
    return to.set_scalar_type(kScalarTypes.at(static_cast<std::size_t>(type.kind)));
  schema_pb::Type& item = *to.mutable_list_type()->mutable_element_type();
  if (!type.parts.empty()) put_type(item, type.parts.front().type);
}

bool take_columns(const schema_pb::RecordType& from, std::vector<Column>& columns, int depth);

bool take_type(const schema_pb::Type& from, ColumnType& type, int depth) {
  if (depth > RecordValueFormat::kMaxDepth) return false;
  if (from.has_record_type()) {
    type.kind = ColumnKind::record;
    return take_columns(from.record_type(), type.parts, depth + 1);
  }
  if (from.has_list_type()) {
    type.kind = ColumnKind::list;
    type.parts.emplace_back();
    return take_type(from.list_type().element_type(), type.parts.front().type, depth + 1);
  }
  const auto* const at = std::find(kScalarTypes.begin(), kScalarTypes.end(), from.scalar_type());
  type.kind = static_cast<ColumnKind>(at - kScalarTypes.begin());
  return from.kind_case() == schema_pb::Type::kScalarType && at != kScalarTypes.end();
}

bool take_columns(const schema_pb::RecordType& from, std::vector<Column>& columns, int depth) {
  for (const auto& field : from.fields()) {
    Column& column = columns.emplace_back();
    column.name = field.name();
    if (!take_type(field.type(), column.type, depth)) return false;
  }
  return true;
}

}  // namespace

void put_record_type(schema_pb::RecordType& to, const std::vector<Column>& columns) {
  for (const Column& column : columns) {
    schema_pb::Field& field = *to.add_fields();
    field.set_name(column.name);
    field.set_field_index(to.fields_size() - 1);
    put_type(*field.mutable_type(), column.type);
  }
}

std::string record_type_json(const std::vector<Column>& columns) {
  schema_pb::RecordType type;
  put_record_type(type, columns);
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(type, &json).ok()) return "{}";
  return json;
}

Result<std::vector<Column>> parse_record_type(std::string_view json) {
  schema_pb::RecordType type;
  const std::string text(json);
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &type);
  std::vector<Column> columns;
  if (!parsed.ok() || !take_columns(type, columns, 0))
    return fail(ErrorCode::corrupt_message, "no record type");
  return columns;
}

std::string RecordValueFormat::encode(const ColumnRecord& record) const {
  google::protobuf::Arena arena;
  auto* const message = google::protobuf::Arena::CreateMessage<schema_pb::RecordValue>(&arena);
  put_record(*message, record);
  return message->SerializeAsString();
}

Result<ColumnRecord> RecordValueFormat::decode(ByteView bytes) const {
  const auto bad = [] { return fail(ErrorCode::corrupt_message, "a typed value is no RecordValue"); };
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return bad();
  google::protobuf::Arena arena;
  auto* const message = google::protobuf::Arena::CreateMessage<schema_pb::RecordValue>(&arena);
  google::protobuf::io::CodedInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  // A record within a record is a map entry, a value and a record.
  stream.SetRecursionLimit(4 * kMaxDepth);
  if (!message->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) return bad();
  return taken_record(*message);
}

}  // namespace tidegate::storage::seaweedmq
