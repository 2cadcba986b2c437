// A JSON Schema of draft 4, 6, 7 or 2020-12, compiled: a flat list of subschemas that refer to each other by
// index. Source: the drafts' Core and Validation documents. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "decimal.h"
#include "json_text.h"
#include "pattern.h"
#include "tidegate/base/result.h"

namespace tidegate::schema::json_schema {

inline constexpr std::uint32_t kNone = UINT32_MAX;

// Bits of Subschema::types.
enum TypeBit : std::uint8_t {
  kNull = 1,
  kBoolean = 2,
  kNumber = 4,
  kString = 8,
  kArray = 16,
  kObject = 32,
  kInteger = 64,
  kWrittenInteger = 128
};

struct Subschema {
  using Index = std::uint32_t;
  bool never = false;      // the schema false
  std::uint8_t types = 0;  // 0: any
  Index resource = 0;
  const JsonDocument* document = nullptr;            // of the values that follow
  std::optional<std::vector<std::uint32_t>> values;  // enum
  Index constant = kNone;                            // const: a value, not a subschema
  std::optional<Decimal> minimum, maximum, above, below, multiple_of;
  std::uint64_t min_length = 0, max_length = UINT64_MAX, min_items = 0, max_items = UINT64_MAX;
  std::uint64_t min_members = 0, max_members = UINT64_MAX, min_contains = 1, max_contains = UINT64_MAX;
  bool unique = false;
  Index pattern = kNone;  // of the patterns
  std::vector<Index> prefix;
  Index items = kNone, contains = kNone, unevaluated_items = kNone;
  bool contains_evaluates = false;
  std::unordered_map<std::string_view, Index> properties;
  std::vector<std::pair<Index, Index>> pattern_properties;
  Index additional = kNone, names = kNone, unevaluated_members = kNone;
  std::vector<std::string_view> required;
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> required_with;
  std::vector<std::pair<std::string_view, Index>> schema_with;
  std::vector<Index> all_of, any_of, one_of;
  Index negated = kNone, condition = kNone, then = kNone, otherwise = kNone;
  Index ref = kNone, dynamic_ref = kNone;
  std::string_view dynamic_name;  // empty: dynamic_ref always leads to the same
};

struct CompileLimits {
  std::size_t max_types = 10'000;           // subschemas
  std::size_t max_depth = 64;               // of them within each other, each two levels of JSON at most
  std::size_t max_pattern_bytes = 262'144;  // memory of one pattern
};

// A schema that a `$ref` can name, by this name or by its own `$id`.
struct NamedSchema {
  std::string name;
  std::string text;
};

class Schema {
 public:
  // invalid_record with the reason for what is no schema, and for one that cannot be honoured in full.
  static Result<Schema> compile(std::string_view text, std::span<const NamedSchema> references = {},
                                const CompileLimits& limits = {});

  const Subschema& at(std::uint32_t index) const { return subschemas_[index]; }
  std::uint32_t root() const { return root_; }
  // Which Confluent's serializers take as the record's name; empty: it has none.
  std::string_view title() const { return title_; }
  const Pattern& pattern(std::uint32_t index) const { return patterns_[index]; }
  // Whether anything asks which members and items other keywords have looked at.
  bool tracks() const { return tracks_; }
  // The subschema with this $dynamicAnchor in a resource; kNone: it has none.
  std::uint32_t dynamic(std::uint32_t resource, std::string_view name) const;
  // About what it takes in memory.
  std::size_t size_bytes() const { return size_; }

 private:
  friend class Compiler;
  struct Text {
    std::string text;
    JsonDocument parsed;
  };
  std::deque<Text> texts_;  // subschemas look into them
  std::vector<Subschema> subschemas_;
  std::vector<Pattern> patterns_;
  std::vector<std::unordered_map<std::string_view, std::uint32_t>> dynamic_;  // by resource
  std::uint32_t root_ = 0;
  std::string_view title_;
  bool tracks_ = false;
  std::size_t size_ = 0;
};

}  // namespace tidegate::schema::json_schema
