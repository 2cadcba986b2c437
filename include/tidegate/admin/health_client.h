// What `tidegate health` asks a running daemon. Blocking: for command-line use, never on a shard.
#pragma once

#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/result.h"

namespace tidegate::admin {

// GET /readyz at `host`:`port`. The value is the body of a 200; broker_not_available with the reason
// otherwise (not reachable, not ready, no answer within `timeout`).
Result<std::string> check_health(const std::string& host, const std::string& port, Duration timeout);

}  // namespace tidegate::admin
