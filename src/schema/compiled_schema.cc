#include "compiled_schema.h"

#include <utility>

#include <fmt/format.h>

#include "avro/avro_check.h"

namespace tidegate::schema {
namespace {

class CompiledAvro final : public CompiledSchema {
 public:
  CompiledAvro(avro::Schema schema, avro::CheckLimits limits) : schema_(std::move(schema)), limits_(limits) {}
  std::string check(ByteView payload) const override { return avro::check(schema_, payload, limits_); }
  std::size_t size_bytes() const override { return sizeof(*this) + schema_.size_bytes(); }

 private:
  const avro::Schema schema_;
  const avro::CheckLimits limits_;
};

Result<CompiledSchemaPtr> compile_avro(const RegisteredSchema& schema,
                                       const std::vector<ReferencedSchema>& references,
                                       const ValidationOptions& options) {
  std::vector<std::string> texts;
  texts.reserve(references.size());
  for (const ReferencedSchema& each : references) texts.push_back(each.text);
  auto compiled = avro::Schema::compile(
      schema.text, texts, {.max_types = options.max_types, .max_depth = options.max_schema_depth});
  if (!compiled) return fail(std::move(compiled.error()));
  const avro::CheckLimits limits{.max_depth = options.max_record_depth,
                                 .max_empty_values = options.max_empty_values};
  return std::make_shared<const CompiledAvro>(std::move(*compiled), limits);
}

}  // namespace

Result<CompiledSchemaPtr> compile_schema(const RegisteredSchema& schema,
                                         const std::vector<ReferencedSchema>& references,
                                         const ValidationOptions& options) {
  for (const ReferencedSchema& each : references) {
    if (each.type != schema.type) {
      return fail(ErrorCode::invalid_record,
                  fmt::format("it refers to a schema of format {}", schema_type_name(each.type)));
    }
  }
  if (schema.type == SchemaType::avro) return compile_avro(schema, references, options);
  return fail(ErrorCode::invalid_record,
              fmt::format("its format is {}, and records can be decoded in AVRO alone yet",
                          schema_type_name(schema.type)));
}

}  // namespace tidegate::schema
