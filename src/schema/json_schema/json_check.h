// Whether JSON text is a value of a JSON Schema. Time is bounded by a number of steps, whatever the schema
// makes of the text; memory by the text's size. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "json_schema.h"
#include "tidegate/base/bytes.h"

namespace tidegate::schema::json_schema {

struct CheckLimits {
  std::size_t max_depth = 128;        // of arrays and objects; of subschemas within each other eight times it
  std::size_t max_steps = 1'000'000;  // values looked at, once for each subschema that looks
};

// Empty when `text` is one JSON value that fits; else what is wrong, with the JSON Pointer to where.
std::string check(const Schema& schema, ByteView text, const CheckLimits& limits = {});

}  // namespace tidegate::schema::json_schema
