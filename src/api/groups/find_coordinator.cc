// FindCoordinator (key 10): the node that answers for a group.
#include "tidegate/protocol/messages/find_coordinator.h"

#include <fmt/format.h>

#include <algorithm>

#include "../admin/answers.h"
#include "../handler.h"
#include "../rows.h"
#include "tidegate/broker/broker.h"

namespace tidegate::api {
namespace {

using Request = protocol::FindCoordinatorRequest;
using Response = protocol::FindCoordinatorResponse;
using Coordinator = Response::Coordinator;

constexpr std::int8_t kGroup = 0;
constexpr std::int8_t kTransaction = 1;
constexpr std::int16_t kManyKeysFrom = 4;  // KIP-699

Coordinator not_found(ErrorCode error, std::string message) {
  return {.node_id = -1, .port = -1, .error_code = error, .error_message = std::move(message)};
}

Coordinator find(const RequestContext& context, std::int8_t type, const std::string& key) {
  if (!context.broker) return not_found(ErrorCode::coordinator_not_available, "Storage is not there yet.");
  if (type == kTransaction) {
    return not_found(ErrorCode::transactional_id_authorization_failed,
                     "There are no transactions on this server.");
  }
  // Share groups, and numbers that nobody has given a meaning.
  if (type != kGroup) {
    return not_found(ErrorCode::invalid_request,
                     fmt::format("There is no coordinator of key type {}.", type));
  }
  const NodeId owner = context.broker->parts().cluster.owner_of_group(key).node;
  const auto addresses = broker_addresses(context);
  const auto at = std::ranges::find(addresses, owner, &BrokerAddress::node);
  if (at == addresses.end()) {
    return not_found(ErrorCode::coordinator_not_available,
                     "The group's node cannot be reached on this listener.");
  }
  return {.node_id = owner, .host = at->host, .port = at->port};
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  if (context->version >= kManyKeysFrom) {
    for (const std::string& key : request.coordinator_keys) {
      response.coordinators.push_back(find(*context, request.key_type, key));
      response.coordinators.back().key = key;
    }
    co_return response;
  }
  Coordinator one = find(*context, request.key_type, request.key);
  response.error_code = one.error_code;
  response.error_message = std::move(one.error_message);
  response.node_id = one.node_id;
  response.host = std::move(one.host);
  response.port = one.port;
  co_return response;
}

}  // namespace

ApiRow find_coordinator_row() {
  ApiRow row = make_row<Request, handle>({.name = "FindCoordinator"});
  row.invoke_waiting = row.invoke;
  return row;
}

}  // namespace tidegate::api
