// Visitor that shows a message in the JSON form of Kafka's own converters: camel case, bytes in
// base64, tagged fields left out while they have their default.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/visitors/json_text.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/records.h"

namespace tidegate::protocol::testkit {

template <FieldStruct T>
void print_struct(JsonText& out, const T& value, std::int16_t version);

inline void print_value(JsonText& out, bool value, std::int16_t) { out.boolean(value); }
template <std::integral T>
  requires(!std::same_as<T, bool>)
void print_value(JsonText& out, T value, std::int16_t) {
  out.number(value);
}
inline void print_value(JsonText& out, double value, std::int16_t) { out.real(value); }
inline void print_value(JsonText& out, ErrorCode value, std::int16_t) { out.number(static_cast<int>(value)); }
inline void print_value(JsonText& out, const Uuid& value, std::int16_t) { out.string(value.to_string()); }
inline void print_value(JsonText& out, const std::string& value, std::int16_t) { out.string(value); }
inline void print_value(JsonText& out, const SharedBuffer& value, std::int16_t) { out.base64(value); }
inline void print_value(JsonText& out, const std::vector<std::uint8_t>& value, std::int16_t) {
  out.base64(value);
}
inline void print_value(JsonText& out, const RecordChunks& value, std::int16_t) {
  std::vector<std::uint8_t> all;
  for (const SharedBuffer& chunk : value.chunks)
    all.insert(all.end(), chunk.data(), chunk.data() + chunk.size());
  out.base64(all);
}
template <FieldStruct T>
void print_value(JsonText& out, const T& value, std::int16_t version) {
  print_struct(out, value, version);
}
template <class T>
void print_value(JsonText& out, const std::vector<T>& value, std::int16_t version) {
  out.open('[');
  for (const T& element : value) {
    out.element();
    print_value(out, element, version);
  }
  out.close(']');
}
template <class T>
void print_value(JsonText& out, const std::optional<T>& value, std::int16_t version) {
  if (value) {
    print_value(out, *value, version);
  } else {
    out.null();
  }
}

struct JsonPrinter {
  JsonText& out;
  std::int16_t version = 0;
  MemberDefaults defaults;

  template <class T>
  void field(std::string_view name, const T& value, const FieldOptions& options = {}) {
    if (!options.is_in(version) || (options.is_tagged() && defaults.is_default(value))) return;
    out.key(name);
    print_value(out, value, version);
  }
};

template <FieldStruct T>
void print_struct(JsonText& out, const T& value, std::int16_t version) {
  out.open('{');
  JsonPrinter printer{out, version, MemberDefaults(value)};
  T::fields(value, printer);
  out.close('}');
}

template <FieldStruct T>
std::string to_json(const T& value, std::int16_t version) {
  JsonText out;
  print_struct(out, value, version);
  return std::move(out).take();
}

}  // namespace tidegate::protocol::testkit
