// What the group APIs have in common: who asks, how the call goes to the coordinator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "close_watch.h"
#include "tidegate/api/api_table.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/group_coordinator.h"

namespace tidegate::api {

// KIP-430: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS. Everybody may do everything until there
// are ACLs.
inline constexpr std::int32_t kAllGroupOperations = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

// Members need a group with a name; offsets alone may be kept under an empty one, as old clients do.
inline ErrorCode check_group_id(const std::string& group) {
  return group.empty() ? ErrorCode::invalid_group_id : ErrorCode::none;
}

// As the tools print a client: Java's form of an address.
inline groups::Client client_of(const RequestContext& context) {
  return {.id = context.client_id.value_or(""),
          .host = "/" + (context.session ? context.session->peer_address : std::string())};
}

// An ordered request lets the next one of its connection begin once it is with its group.
inline broker::GroupCall group_call(const RequestContextPtr& context, std::string group) {
  return {.group = std::move(group), .sent = [context] { context->dispatched(); }};
}

using GroupWatch = CloseWatch<broker::GroupCancel>;

}  // namespace tidegate::api
