// The JSON API behind the page: docs/admin-api.md. Each file api_*.cc is one view. All on the admin shard;
// other shards are reached through the broker's contracts.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "http_routes.h"
#include "samples.h"
#include "tidegate/admin/admin_server.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/memory_budget.h"

namespace tidegate::admin {

using Json = nlohmann::ordered_json;

// Outlives the routes.
struct ApiParts {
  const AdminSources& sources;
  const AdminOptions& options;
  const Clock& clock;
  const Samples& samples;
  MemoryBudget& browsing;
};

std::vector<Route> overview_routes(const ApiParts& parts);
std::vector<Route> topic_routes(const ApiParts& parts);
std::vector<Route> message_routes(const ApiParts& parts);
std::vector<Route> group_routes(const ApiParts& parts);

// Bytes that are no UTF-8 become U+FFFD.
HttpResponse answer_json(const Json& json, int status = 200);
HttpResponse answer_error(int status, std::string message);
HttpResponse answer_error(ErrorCode code, const std::string& message);
// nullopt: not a whole number, or out of range.
std::optional<std::int64_t> parse_number(std::string_view text);

using BrokerHandler = std::function<Task<HttpResponse>(broker::Broker&, HttpRequest)>;
// Answers 503 while there is no broker.
Route with_broker(const ApiParts& parts, std::string method, std::string path, Access access,
                  BrokerHandler handle);

}  // namespace tidegate::admin
