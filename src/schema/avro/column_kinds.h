// Which column a scalar type of Avro has. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "avro_schema.h"
#include "tidegate/base/bytes.h"
#include "tidegate/base/columns.h"

namespace tidegate::schema::avro {

// Of a root that is no record.
inline constexpr std::string_view kRootColumn = "value";

inline ColumnKind kind_of(const Type& type) {
  if (type.logical == Logical::decimal) return ColumnKind::string;
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

// A decimal as text ("-3.50"), of up to 16 bytes; empty: it is longer, or no bytes at all.
std::string decimal_text(ByteView unscaled, std::int32_t scale);
// Inverse, in as few bytes as there can be, or in `size` of them where that is not 0. False: no such text.
bool decimal_bytes(std::string_view text, std::int32_t scale, std::size_t size, std::string& unscaled);

}  // namespace tidegate::schema::avro
