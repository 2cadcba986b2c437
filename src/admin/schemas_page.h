// GET /schemas: which topics have schemas, and how the registry is.
#pragma once

#include <string>

#include "tidegate/broker/schema_overview.h"

namespace tidegate::admin {

std::string schemas_page(const broker::SchemaOverview& overview);

}  // namespace tidegate::admin
