// JSON text as a flat list of values that keeps numbers as they are written. Members of an object are
// sorted by name, of equal names the last one stays. Pure; the text is parsed once, nothing is looked up by
// walking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"

namespace tidegate::schema::json_schema {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

struct JsonValue {
  JsonKind kind = JsonKind::null;
  bool truth = false;          // of a boolean
  std::uint32_t size = 1;      // values in it, with itself
  std::uint32_t first = 0;     // of its children, in the list of links
  std::uint32_t children = 0;  // of an array or object
  std::string_view text;       // of a string without its escapes, of a number as it is written
  std::string_view name;       // of a member
};

class JsonDocument {
 public:
  // `text` outlives the document. invalid_record with the reason: no UTF-8, no JSON, more than `max_depth`
  // arrays and objects within each other, an escape of half a surrogate pair, an exponent beyond 9 digits,
  // a number of more than 1,000 characters.
  static Result<JsonDocument> parse(ByteView text, std::size_t max_depth);

  // Of one string, which outlives it.
  static JsonDocument of_string(std::string_view text);

  const JsonValue& operator[](std::uint32_t index) const { return values_[index]; }
  std::uint32_t root() const { return root_; }
  std::span<const std::uint32_t> children(std::uint32_t index) const {
    return std::span(links_).subspan(values_[index].first, values_[index].children);
  }
  // Of an object (nullopt of other values): the member's value.
  std::optional<std::uint32_t> member(std::uint32_t index, std::string_view name) const;
  std::size_t size_bytes() const;

 private:
  friend class JsonParser;
  std::vector<JsonValue> values_;
  std::vector<std::uint32_t> links_;
  std::deque<std::string> unescaped_;
  std::uint32_t root_ = 0;
};

// An order of all values in which those are equal that JSON Schema takes as equal: numbers by what they
// mean, objects whatever the order of their members was.
int compare(const JsonDocument& a, std::uint32_t at_a, const JsonDocument& b, std::uint32_t at_b);

}  // namespace tidegate::schema::json_schema
