// An Avro schema, compiled: a flat list of types that refer to each other by index, so that recursion is
// a number and a decoder never looks a name up. Source: the Avro 1.12 specification. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate::schema::avro {

enum class Kind : std::uint8_t {
  null,
  boolean,
  int32,
  int64,
  float32,
  float64,
  bytes,
  string,
  record,
  enumeration,
  array,
  map,
  choice,
  fixed
};

// How programs see a value, as far as columns make a difference. Dates and times are their numbers there.
enum class Logical : std::uint8_t { none, decimal };

struct Type {
  Kind kind = Kind::null;
  Logical logical = Logical::none;
  std::string name;                  // full name of records, enumerations and fixed
  std::vector<std::uint32_t> parts;  // types of a record's fields, of items, of values, of a union's branches
  std::vector<std::string> labels;   // names of fields, symbols of an enumeration
  std::size_t size = 0;              // of fixed
  std::int32_t precision = 0;        // of decimal
  std::int32_t scale = 0;
};

struct CompileLimits {
  std::size_t max_types = 10'000;  // beside the primitive ones
  std::size_t max_depth = 64;      // of nested definitions in one text
};

class Schema {
 public:
  // `references` are texts that define names which `text` uses, each behind those that it uses itself.
  // invalid_record with the reason for what is no Avro schema. Aliases and defaults say how readers with
  // another schema see a value: they are not looked at. Logical types say how programs see it: which bytes
  // are good does not depend on them, and what is wrong with one makes it none, as the specification says.
  static Result<Schema> compile(std::string_view text, std::span<const std::string> references = {},
                                const CompileLimits& limits = {});

  const Type& type(std::uint32_t index) const { return types_[index]; }
  std::uint32_t root() const { return root_; }
  // Of a root that has one; else empty.
  const std::string& name() const { return types_[root_].name; }
  // About what it takes in memory.
  std::size_t size_bytes() const;

 private:
  friend class Compiler;
  std::vector<Type> types_;
  std::uint32_t root_ = 0;
};

}  // namespace tidegate::schema::avro
