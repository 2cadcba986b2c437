// Which field of a message a tag is. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "protobuf_schema.h"
#include "wire.h"

namespace tidegate::schema::protobuf {

// nullptr: none that the schema knows. `hint` is the caller's for one message and begins at 0: fields
// mostly come in the order of their numbers.
inline const Field* find_field(const Message& message, std::uint32_t number, std::size_t& hint) {
  const auto& fields = message.fields;
  for (std::size_t i = hint; i < fields.size() && i <= hint + 1; ++i) {
    if (fields[i].number != number) continue;
    hint = i;
    return &fields[i];
  }
  const auto at = std::ranges::lower_bound(fields, number, {}, &Field::number);
  if (at == fields.end() || at->number != number) return nullptr;
  hint = static_cast<std::size_t>(at - fields.begin());
  return &*at;
}

// How a tag's wire type goes with its field. Numbers of a repeated field may be packed or not, whatever the
// schema says; any other type than the field's makes it an unknown field.
enum class Fit : std::uint8_t { unknown, single, packed };
inline Fit fit_of(const Field& field, WireType type) {
  switch (field.shape) {
    case Shape::varint:
      if (type == WireType::varint) return Fit::single;
      break;
    case Shape::fixed32:
      if (type == WireType::fixed32) return Fit::single;
      break;
    case Shape::fixed64:
      if (type == WireType::fixed64) return Fit::single;
      break;
    case Shape::bytes:
    case Shape::text:
    case Shape::message:
      return type == WireType::sized ? Fit::single : Fit::unknown;
    case Shape::group:
      return type == WireType::group_begin ? Fit::single : Fit::unknown;
  }
  return field.repeated && type == WireType::sized ? Fit::packed : Fit::unknown;
}

// Whether a single value of the field is one: numbers that an enumeration of proto2 does not have are kept
// as unknown fields.
inline bool is_present(const Schema& schema, const Field& field, std::uint64_t number) {
  return field.symbols == kNone ||
         schema.has_symbol(field.symbols, static_cast<std::int32_t>(static_cast<std::uint32_t>(number)));
}

}  // namespace tidegate::schema::protobuf
