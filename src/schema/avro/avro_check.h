// Whether bytes are an encoding of an Avro schema: read from end to end, nothing is built. Memory is a
// stack of bounded depth; time is bounded by the bytes, whatever counts and lengths they claim. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "avro_schema.h"
#include "tidegate/base/bytes.h"

namespace tidegate::schema::avro {

struct CheckLimits {
  std::size_t max_depth = 128;  // of records, arrays and maps within each other
  // Fields and items that take no bytes (nulls, empty records), beside one for each byte of the datum.
  std::size_t max_empty_values = 1000;
};

// Empty when `datum` is one whole value of the schema; else what is wrong, with the path to it.
std::string check(const Schema& schema, ByteView datum, const CheckLimits& limits = {});

}  // namespace tidegate::schema::avro
