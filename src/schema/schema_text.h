// A schema with all that it refers to, as one text (JSON) that is kept where its records are. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiled_schema.h"

namespace tidegate::schema {

std::string encode_schema(const RegisteredSchema& schema, const std::vector<ReferencedSchema>& references);
// corrupt_message for what is none; else as compile_schema() says.
Result<CompiledSchemaPtr> compile_schema_text(std::string_view text, const ValidationOptions& options);

}  // namespace tidegate::schema
