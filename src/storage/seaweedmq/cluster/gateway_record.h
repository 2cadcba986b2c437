// What a gateway's session entry says of it to the other gateways, as JSON. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

struct GatewayRecord {
  Member member;
  // Its process, for whoever is started on the same machine after it (tidegate/base/process_mark.h).
  std::string process;
  // Its node id is its own: it may be named to clients.
  bool serving = false;
};

std::string encode_gateway(const GatewayRecord& record);
// corrupt_message.
Result<GatewayRecord> parse_gateway(std::string_view json);

}  // namespace tidegate::storage::seaweedmq
