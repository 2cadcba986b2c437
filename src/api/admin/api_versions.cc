// ApiVersions (key 18): the first request of every client. The answer is the table.
#include <algorithm>
#include <string_view>
#include <utility>

#include "handler.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/group_coordinator.h"
#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/consumer_group_describe.h"
#include "tidegate/protocol/messages/consumer_group_heartbeat.h"

namespace tidegate::api {
namespace {

using Request = protocol::ApiVersionsRequest;
using Response = protocol::ApiVersionsResponse;

constexpr std::int16_t kSoftwareFrom = 3;         // KIP-511
constexpr std::int16_t kZeroMinFeaturesFrom = 4;  // KAFKA-17011
constexpr std::int16_t kExpectedNodeFrom = 5;     // KIP-1242
constexpr std::size_t kMaxSoftwareName = 128;     // of what is kept; it becomes a log field

struct Feature {
  std::string_view name;
  std::int16_t min = 0;
  std::int16_t max = 0;
};
// What clients act on: transaction.version, group.version, share.version, streams.version. Of those
// protocols KIP-848's groups alone are there, and a feature that is not listed is off.
constexpr Feature kGroupVersion{.name = "group.version", .min = 0, .max = 1};

// Letters and digits, and within them dots and hyphens.
bool is_software_word(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '.' || c == '-'; });
}

// While storage is not there yet: yes. A client that were told no would give up, and one that is told yes for
// nothing hears no from the groups.
bool has_consumer_groups(const RequestContext& context) {
  return !context.broker || context.broker->groups().limits().consumer_enabled;
}

void add_features(const RequestContext& context, Response& response) {
  response.finalized_features_epoch = 0;
  if (!has_consumer_groups(context)) return;
  const std::string name(kGroupVersion.name);
  // Older clients take a minimum of 0 for a mistake and drop the whole answer.
  if (context.version >= kZeroMinFeaturesFrom || kGroupVersion.min > 0) {
    response.supported_features.push_back({name, kGroupVersion.min, kGroupVersion.max});
  }
  response.finalized_features.push_back({name, kGroupVersion.max, kGroupVersion.max});
}

// What the configuration has switched off is known and answered, but not offered.
bool is_offered(const RequestContext& context, const ApiRow& row) {
  const bool of_consumer_groups = row.key == protocol::ConsumerGroupHeartbeatRequest::kApiKey ||
                                  row.key == protocol::ConsumerGroupDescribeRequest::kApiKey;
  return !of_consumer_groups || has_consumer_groups(context);
}

ErrorCode check(const RequestContext& context, const Request& request) {
  if (context.version >= kSoftwareFrom && (!is_software_word(request.client_software_name) ||
                                           !is_software_word(request.client_software_version))) {
    return ErrorCode::invalid_request;
  }
  // While storage is not there yet nobody knows the cluster's id.
  if (context.broker && context.version >= kExpectedNodeFrom && request.cluster_id && request.node_id >= 0) {
    const storage::Cluster& cluster = context.broker->parts().cluster;
    if (*request.cluster_id != cluster.cluster_id() || request.node_id != cluster.self()) {
      return ErrorCode::rebootstrap_required;
    }
  }
  return ErrorCode::none;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_code = check(*context, request);
  if (response.error_code != ErrorCode::none) co_return response;
  if (context->session && context->version >= kSoftwareFrom) {
    context->session->software_name = request.client_software_name.substr(0, kMaxSoftwareName);
    context->session->software_version = request.client_software_version.substr(0, kMaxSoftwareName);
  }
  for (const ApiRow& row : api_table()) {
    if (!is_offered(*context, row)) continue;
    response.api_keys.push_back({row.key, row.advertised_min, row.max_version});
  }
  if (context->version >= kSoftwareFrom) add_features(*context, response);
  co_return response;
}

// A version above ours: error 35 in the body of version 0, with our own range for the client's second
// try (KIP-511). The request's body is in a form we do not know and is not looked at.
Task<Reply> invoke_any(RequestContextPtr context, SharedBuffer body) {
  if (context->row->accepts(context->version))
    co_return co_await invoke<Request, handle>(context, std::move(body));
  Response response;
  response.error_code = ErrorCode::unsupported_version;
  response.api_keys.push_back({context->row->key, context->row->advertised_min, context->row->max_version});
  Reply reply;
  reply.error_code = static_cast<std::int16_t>(response.error_code);
  reply.chunks = protocol::encode_response(response, 0, context->correlation_id);
  co_return reply;
}

}  // namespace

ApiRow api_versions_row() {
  ApiRow row = make_row<Request, handle>({.name = "ApiVersions"});
  row.invoke = &invoke_any;
  row.invoke_waiting = &invoke_any;
  return row;
}

}  // namespace tidegate::api
