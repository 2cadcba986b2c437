// One value as columns, and back byte for byte: proved before it is stored, and kept as it is, beside its
// columns, where the proof fails. docs/schemas.md has the bytes of the envelope. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiled_schema.h"
#include "framing.h"
#include "tidegate/base/columns.h"
#include "tidegate/base/result.h"

namespace tidegate::schema {

inline constexpr std::string_view kEnvelopeColumn = "_tidegate";

// What a topic declares for values with these columns, the envelope among them. Names that SeaweedMQ has for
// columns of its own are left out.
DeclaredColumns declarable(const ValueColumns& columns);

struct TypedValue {
  std::string stored;
  bool proved = false;  // false: the value's bytes are in it
};

// Makes what is stored of values. Of one batch; one thread.
class ValueWriter {
 public:
  // What is passed by reference outlives this.
  ValueWriter(const ColumnFormat& format, const DeclaredColumns& declared)
      : format_(format), declared_(declared) {}

  // `value` is one of `schema`, and `framed` is what unframe() says of it. nullptr: only its bytes are kept.
  TypedValue make(ByteView value, const Framed& framed, const CompiledSchema* schema);

 private:
  // Columns of a record type that the topic has no place for; nullopt: for none of them.
  const std::optional<std::vector<std::string>>& misfits(const ValueColumns& columns);

  const ColumnFormat& format_;
  const DeclaredColumns& declared_;
  std::map<const ValueColumns*, std::optional<std::vector<std::string>>> misfits_;
};

// nullptr: not known.
using SchemaById = std::function<const CompiledSchema*(std::int32_t id)>;
// The value that `stored` was made of. corrupt_message when it is damaged, made by somebody else, or its
// schema is not known.
Result<std::string> value_of(const ColumnFormat& format, ByteView stored, const SchemaById& find);

}  // namespace tidegate::schema
