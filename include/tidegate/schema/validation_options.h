// Limits of full validation: what a schema may cost to compile and to keep, and a record to check. Schemas
// come from a registry that others write to, records from anyone who may produce.
#pragma once

#include <chrono>
#include <cstddef>

#include "tidegate/base/clock.h"

namespace tidegate::schema {

struct ValidationOptions {
  std::size_t compiled_cache_bytes = 64U << 20;
  // Of one schema, with everything that it refers to.
  std::size_t max_schema_bytes = 4U << 20;
  std::size_t max_references = 64;
  std::size_t max_reference_depth = 16;
  std::size_t max_types = 10'000;
  std::size_t max_fields = 20'000;
  std::size_t max_schema_depth = 64;
  std::size_t max_pattern_bytes = 262'144;
  // Of one record.
  std::size_t max_record_depth = 128;
  std::size_t max_empty_values = 1000;
  std::size_t max_steps = 1'000'000;
  // How long a schema that cannot be used stays so before it is looked at again.
  Duration unusable_ttl = std::chrono::seconds(5);
};

}  // namespace tidegate::schema
