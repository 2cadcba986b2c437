#include "schema_text.h"

#include <nlohmann/json.hpp>

namespace tidegate::schema {
namespace {

using nlohmann::json;
constexpr int kVersion = 1;
constexpr SchemaType kTypes[] = {SchemaType::avro, SchemaType::protobuf, SchemaType::json};

bool take(const json& from, SchemaType& type, std::string& text) {
  const auto name = from.find("type");
  const auto schema = from.find("schema");
  if (name == from.end() || schema == from.end() || !name->is_string() || !schema->is_string()) return false;
  text = schema->get<std::string>();
  for (const SchemaType one : kTypes) {
    type = one;
    if (schema_type_name(one) == name->get_ref<const std::string&>()) return true;
  }
  return false;
}

}  // namespace

std::string encode_schema(const RegisteredSchema& schema, const std::vector<ReferencedSchema>& references) {
  json refers = json::array();
  for (const ReferencedSchema& each : references)
    refers.push_back({{"name", each.name}, {"type", schema_type_name(each.type)}, {"schema", each.text}});
  const json all{{"version", kVersion},
                 {"type", schema_type_name(schema.type)},
                 {"schema", schema.text},
                 {"references", std::move(refers)}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<CompiledSchemaPtr> compile_schema_text(std::string_view text, const ValidationOptions& options) {
  const auto bad = [] {
    return fail(ErrorCode::corrupt_message, "a schema that is kept with a topic is damaged");
  };
  const json all = json::parse(text, nullptr, false);
  RegisteredSchema schema;
  std::vector<ReferencedSchema> references;
  if (!all.is_object() || all.value("version", json()) != json(kVersion) ||
      !take(all, schema.type, schema.text))
    return bad();
  const auto refers = all.find("references");
  if (refers == all.end() || !refers->is_array()) return bad();
  for (const json& each : *refers) {
    ReferencedSchema& one = references.emplace_back();
    if (!each.is_object() || !take(each, one.type, one.text)) return bad();
    const auto name = each.find("name");
    if (name == each.end() || !name->is_string()) return bad();
    one.name = name->get<std::string>();
  }
  return compile_schema(schema, references, options);
}

}  // namespace tidegate::schema
