// Values of records as typed columns: what schema/ makes of a record and an engine that keeps columns writes
// in its own format. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"

namespace tidegate {

enum class ColumnKind : std::uint8_t {
  boolean,
  int32,
  int64,
  float32,
  float64,
  bytes,
  string,
  timestamp,
  date,
  decimal,
  time,
  list,
  record,
};

struct Column;
struct ColumnType {
  ColumnKind kind = ColumnKind::boolean;
  // Of a record its columns; of a list one, without a name.
  std::vector<Column> parts;
  bool operator==(const ColumnType&) const;
};
struct Column {
  std::string name;
  ColumnType type;
  bool operator==(const Column&) const = default;
};
inline bool ColumnType::operator==(const ColumnType& other) const {
  return kind == other.kind && parts == other.parts;
}

struct NamedColumnValue;
// nullopt kind: null.
struct ColumnValue {
  std::optional<ColumnKind> kind;
  // boolean, int32, int64; the bits of a float32 or float64; microseconds since 1970 of a timestamp and since
  // midnight of a time; days since 1970 of a date.
  std::int64_t number = 0;
  std::string bytes;  // bytes, string (UTF-8), decimal (big-endian two's complement)
  std::int32_t precision = 0;
  std::int32_t scale = 0;
  bool is_utc = false;  // of a timestamp
  // Of a record by name, without those that are null; of a list its items, without names.
  std::vector<NamedColumnValue> parts;
  bool operator==(const ColumnValue&) const;
};
struct NamedColumnValue {
  std::string name;
  ColumnValue value;
  bool operator==(const NamedColumnValue&) const = default;
};
inline bool ColumnValue::operator==(const ColumnValue& other) const {
  return kind == other.kind && number == other.number && bytes == other.bytes &&
         precision == other.precision && scale == other.scale && is_utc == other.is_utc &&
         parts == other.parts;
}

// What a topic's values have for columns: one record type for all of them.
struct DeclaredColumns {
  std::string record_name;
  std::vector<Column> columns;
  bool operator==(const DeclaredColumns&) const = default;
};
// Columns of a topic, those within records included; more are not added.
inline constexpr std::size_t kMaxDeclaredColumns = 4000;
// Puts those of `more` that are not there behind the others, within records too. What is there never changes:
// a column of another type is left out, and so are all of another record type.
void add_columns(DeclaredColumns& declared, const DeclaredColumns& more);
// Whether every value of `own` has its place in a column of type `declared`.
bool holds(const ColumnType& declared, const ColumnType& own);

// The columns of one record, by name.
using ColumnRecord = std::vector<NamedColumnValue>;

// nullptr: there is none, or it is null. `place` is where it is looked for first.
inline const ColumnValue* find_column(const ColumnRecord& record, const std::string& name,
                                      std::size_t place = 0) {
  if (place < record.size() && record[place].name == name) return &record[place].value;
  for (const NamedColumnValue& one : record) {
    if (one.name == name) return &one.value;
  }
  return nullptr;
}

// How an engine writes records of columns. Pure; any thread.
class ColumnFormat {
 public:
  virtual ~ColumnFormat() = default;
  virtual std::string encode(const ColumnRecord& record) const = 0;
  // corrupt_message for what encode() does not make.
  virtual Result<ColumnRecord> decode(ByteView bytes) const = 0;
};

}  // namespace tidegate
