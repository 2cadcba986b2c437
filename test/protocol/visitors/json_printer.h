// Visitor that shows a message in the JSON form of Kafka's own converters: camel case, bytes in
// base64, tagged fields left out while they have their default.
#pragma once

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/records.h"

namespace tidegate::protocol::testkit {

inline std::string camel_case(std::string_view snake) {
  std::string out;
  bool upper = false;
  for (const char c : snake) {
    if (c != '_') out.push_back(upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
    upper = c == '_';
  }
  return out;
}

inline std::string base64(ByteView bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63]);
    }
  }
  return out;
}

template <FieldStruct T>
nlohmann::json to_json(const T& value, std::int16_t version);

inline nlohmann::json json_value(bool value, std::int16_t) { return value; }
template <std::integral T>
  requires(!std::same_as<T, bool>)
nlohmann::json json_value(T value, std::int16_t) {
  return static_cast<std::int64_t>(value);
}
inline nlohmann::json json_value(ErrorCode value, std::int16_t) { return static_cast<std::int16_t>(value); }
inline nlohmann::json json_value(const Uuid& value, std::int16_t) { return value.to_string(); }
inline nlohmann::json json_value(const std::string& value, std::int16_t) { return value; }
inline nlohmann::json json_value(const SharedBuffer& value, std::int16_t) { return base64(value); }
inline nlohmann::json json_value(const std::vector<std::uint8_t>& value, std::int16_t) {
  return base64(value);
}
inline nlohmann::json json_value(const RecordChunks& value, std::int16_t) {
  std::vector<std::uint8_t> all;
  for (const SharedBuffer& chunk : value.chunks)
    all.insert(all.end(), chunk.data(), chunk.data() + chunk.size());
  return base64(all);
}
template <FieldStruct T>
nlohmann::json json_value(const T& value, std::int16_t version) {
  return to_json(value, version);
}
template <class T>
nlohmann::json json_value(const std::vector<T>& value, std::int16_t version) {
  nlohmann::json out = nlohmann::json::array();
  for (const T& element : value) out.push_back(json_value(element, version));
  return out;
}
template <class T>
nlohmann::json json_value(const std::optional<T>& value, std::int16_t version) {
  return value ? json_value(*value, version) : nlohmann::json(nullptr);
}

struct JsonPrinter {
  std::int16_t version = 0;
  nlohmann::json& fields;
  nlohmann::json& defaults;  // what the same struct looks like when default-made; null on the way there

  template <class T>
  void field(std::string_view name, const T& value, const FieldOptions& options = {}) {
    if (!options.is_in(version)) return;
    const std::string key = camel_case(name);
    nlohmann::json shown = json_value(value, version);
    if (options.is_tagged() && defaults.contains(key) && defaults[key] == shown) return;
    fields[key] = std::move(shown);
  }
};

template <FieldStruct T>
nlohmann::json to_json(const T& value, std::int16_t version) {
  nlohmann::json nothing = nlohmann::json::object();
  nlohmann::json defaults = nlohmann::json::object();
  JsonPrinter of_default{version, defaults, nothing};
  T::fields(default_of<T>(), of_default);
  nlohmann::json out = nlohmann::json::object();
  JsonPrinter printer{version, out, defaults};
  T::fields(value, printer);
  return out;
}

}  // namespace tidegate::protocol::testkit
