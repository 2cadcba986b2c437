// Every implemented Kafka API hands out its row here; api_table.cc lists them. A row is made with
// make_row() of handler.h in the API's own file, so that its codec is instantiated there alone.
#pragma once

#include "tidegate/api/api_table.h"

namespace tidegate::api {

// Data plane.

// Topics and configs.

}  // namespace tidegate::api
