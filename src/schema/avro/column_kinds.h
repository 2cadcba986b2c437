// Which column a scalar type of Avro has. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "avro_schema.h"
#include "tidegate/base/columns.h"

namespace tidegate::schema::avro {

inline constexpr std::int64_t kMicrosPerMilli = 1000;
// Of a root that is no record.
inline constexpr std::string_view kRootColumn = "value";

inline ColumnKind kind_of(const Type& type) {
  switch (type.logical) {
    case Logical::none:
      break;
    case Logical::date:
      return ColumnKind::date;
    case Logical::time_millis:
    case Logical::time_micros:
      return ColumnKind::time;
    case Logical::timestamp_millis:
    case Logical::timestamp_micros:
    case Logical::local_timestamp_millis:
    case Logical::local_timestamp_micros:
      return ColumnKind::timestamp;
    case Logical::decimal:
      return ColumnKind::decimal;
  }
  switch (type.kind) {
    case Kind::int32:
      return ColumnKind::int32;
    case Kind::int64:
      return ColumnKind::int64;
    case Kind::float32:
      return ColumnKind::float32;
    case Kind::float64:
      return ColumnKind::float64;
    case Kind::bytes:
    case Kind::fixed:
      return ColumnKind::bytes;
    case Kind::string:
    case Kind::enumeration:
      return ColumnKind::string;
    case Kind::null:
    case Kind::boolean:
    case Kind::record:
    case Kind::array:
    case Kind::map:
    case Kind::choice:
      break;
  }
  return ColumnKind::boolean;
}

inline bool is_millis(Logical logical) {
  return logical == Logical::time_millis || logical == Logical::timestamp_millis ||
         logical == Logical::local_timestamp_millis;
}

}  // namespace tidegate::schema::avro
