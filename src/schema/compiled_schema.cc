#include "compiled_schema.h"

#include <utility>

#include <fmt/format.h>

#include "avro/avro_check.h"
#include "avro/avro_columns.h"
#include "json_schema/json_check.h"
#include "protobuf/protobuf_check.h"

namespace tidegate::schema {
namespace {

class CompiledAvro final : public CompiledSchema, public ValueColumns {
 public:
  CompiledAvro(avro::Schema schema, avro::CheckLimits limits)
      : schema_(std::move(schema)), plan_(schema_), limits_(limits) {}
  std::string check(ByteView payload) const override { return avro::check(schema_, payload, limits_); }
  RecordNames record_names(ByteView) const override {
    if (schema_.name().empty()) return {.names = {}, .problem = "its type has no name"};
    return {.names = {schema_.name()}, .count = 1, .problem = {}};
  }
  std::size_t size_bytes() const override {
    return sizeof(*this) + schema_.size_bytes() + plan_.size_bytes();
  }
  const ValueColumns* value_columns(ByteView) const override { return this; }
  std::string_view record_name() const override { return schema_.name(); }
  const std::vector<Column>& columns() const override { return plan_.columns(); }
  bool read(ByteView body, ColumnRecord& record) const override { return plan_.read(body, record); }
  bool write(const ColumnRecord& record, std::string& body) const override {
    return plan_.write(record, body);
  }

 private:
  const avro::Schema schema_;
  const avro::ColumnPlan plan_;
  const avro::CheckLimits limits_;
};

class CompiledProtobuf final : public CompiledSchema {
 public:
  CompiledProtobuf(protobuf::Schema schema, protobuf::CheckLimits limits)
      : schema_(std::move(schema)), limits_(limits) {}
  std::string check(ByteView payload) const override { return protobuf::check(schema_, payload, limits_); }
  RecordNames record_names(ByteView payload) const override {
    const auto named = protobuf::find_messages(schema_, payload);
    RecordNames found{.names = {}, .problem = named.problem};
    for (const std::uint32_t message : {named.messages.first, named.messages.other}) {
      if (message != protobuf::kNone) found.names.at(found.count++) = schema_.message(message).name;
    }
    return found;
  }
  std::size_t size_bytes() const override { return sizeof(*this) + schema_.size_bytes(); }

 private:
  const protobuf::Schema schema_;
  const protobuf::CheckLimits limits_;
};

class CompiledJson final : public CompiledSchema {
 public:
  CompiledJson(json_schema::Schema schema, json_schema::CheckLimits limits)
      : schema_(std::move(schema)), limits_(limits) {}
  std::string check(ByteView payload) const override { return json_schema::check(schema_, payload, limits_); }
  RecordNames record_names(ByteView) const override {
    if (schema_.title().empty()) return {.names = {}, .problem = "its schema has no title"};
    return {.names = {schema_.title()}, .count = 1, .problem = {}};
  }
  std::size_t size_bytes() const override { return sizeof(*this) + schema_.size_bytes(); }

 private:
  const json_schema::Schema schema_;
  const json_schema::CheckLimits limits_;
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

Result<CompiledSchemaPtr> compile_protobuf(const RegisteredSchema& schema,
                                           const std::vector<ReferencedSchema>& references,
                                           const ValidationOptions& options) {
  std::vector<protobuf::NamedText> files;
  files.reserve(references.size());
  for (const ReferencedSchema& each : references) files.push_back({each.name, each.text});
  auto compiled = protobuf::Schema::compile(schema.text, files,
                                            {.max_types = options.max_types,
                                             .max_fields = options.max_fields,
                                             .max_depth = options.max_schema_depth,
                                             .max_name_bytes = options.max_schema_bytes});
  if (!compiled) return fail(std::move(compiled.error()));
  return std::make_shared<const CompiledProtobuf>(
      std::move(*compiled), protobuf::CheckLimits{.max_depth = options.max_record_depth});
}

Result<CompiledSchemaPtr> compile_json(const RegisteredSchema& schema,
                                       const std::vector<ReferencedSchema>& references,
                                       const ValidationOptions& options) {
  std::vector<json_schema::NamedSchema> named;
  named.reserve(references.size());
  for (const ReferencedSchema& each : references) named.push_back({each.name, each.text});
  auto compiled = json_schema::Schema::compile(schema.text, named,
                                               {.max_types = options.max_types,
                                                .max_depth = options.max_schema_depth,
                                                .max_pattern_bytes = options.max_pattern_bytes});
  if (!compiled) return fail(std::move(compiled.error()));
  const json_schema::CheckLimits limits{.max_depth = options.max_record_depth,
                                        .max_steps = options.max_steps};
  return std::make_shared<const CompiledJson>(std::move(*compiled), limits);
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
  if (schema.type == SchemaType::protobuf) return compile_protobuf(schema, references, options);
  if (schema.type == SchemaType::json) return compile_json(schema, references, options);
  return fail(ErrorCode::invalid_record,
              fmt::format("its format is {}, and there is no such format", schema_type_name(schema.type)));
}

}  // namespace tidegate::schema
