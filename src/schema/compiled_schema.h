// A schema in the form that records are checked against; each format has its own in its folder. Immutable:
// any thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/schema/registry.h"
#include "tidegate/schema/validation_options.h"
#include "value_columns.h"

namespace tidegate::schema {

// Full names of the type that a record has. More than one where serializers number messages in different
// ways, and the record does not say which it was.
struct RecordNames {
  std::array<std::string_view, 2> names;  // the schema's; the first `count` of them
  std::size_t count = 0;
  std::string problem;  // why there is none
};

class CompiledSchema {
 public:
  virtual ~CompiledSchema() = default;
  // For subjects that are named after the record's type.
  virtual RecordNames record_names(ByteView payload) const = 0;
  // Empty when `payload`, which stands behind the schema id, is one whole value of the schema; else what is
  // wrong and where.
  virtual std::string check(ByteView payload) const = 0;
  // Of a payload: what stands in front of the value and says which type of the schema it has.
  virtual std::size_t head_bytes(ByteView /*payload*/) const { return 0; }
  // How values of that type become columns; looks at the head alone. nullptr: not at all.
  virtual const ValueColumns* value_columns(ByteView /*payload*/) const { return nullptr; }
  // About what it takes in memory.
  virtual std::size_t size_bytes() const = 0;
};
using CompiledSchemaPtr = std::shared_ptr<const CompiledSchema>;

// A schema that another one refers to.
struct ReferencedSchema {
  std::string name;  // as the other one's text names it
  SchemaType type = SchemaType::avro;
  std::string text;
};

// `references` are all that `schema` needs, each behind those that it needs itself. invalid_record with the
// reason when records cannot be checked against it: it is no schema, too large, or of a format that is not
// there.
Result<CompiledSchemaPtr> compile_schema(const RegisteredSchema& schema,
                                         const std::vector<ReferencedSchema>& references,
                                         const ValidationOptions& options);

}  // namespace tidegate::schema
