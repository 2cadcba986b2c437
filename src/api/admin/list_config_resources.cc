// ListConfigResources (key 74): names of the resources that DescribeConfigs answers for. Version 0 is
// KIP-714's list of client metrics subscriptions, of which there are none; KIP-1142 added the others.
#include "tidegate/protocol/messages/list_config_resources.h"

#include <algorithm>
#include <array>
#include <string>

#include "../handler.h"
#include "../rows_operations.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::ListConfigResourcesRequest;
using Response = protocol::ListConfigResourcesResponse;

constexpr std::int8_t kBrokerLoggerResource = 8;
constexpr std::int8_t kClientMetricsResource = 16;
constexpr std::int8_t kGroupResource = 32;
// Types that Kafka lists. Of the last three nothing here has configs of its own.
constexpr std::array kListedTypes = {kTopicResource, kBrokerResource, kBrokerLoggerResource,
                                     kClientMetricsResource, kGroupResource};

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  if (context->version == 0) co_return response;
  auto& types = request.resource_types;
  const auto is_listed = [](std::int8_t type) {
    return std::ranges::find(kListedTypes, type) != kListedTypes.end();
  };
  if (!std::ranges::all_of(types, is_listed)) {
    response.error_code = ErrorCode::unsupported_version;
    co_return response;
  }
  const auto is_wanted = [&](std::int8_t type) {
    return types.empty() || std::ranges::find(types, type) != types.end();
  };
  if (is_wanted(kTopicResource)) {
    for (const auto& topic : context->broker->topics().list()) {
      response.config_resources.push_back({topic->topic.name, kTopicResource});
    }
  }
  if (is_wanted(kBrokerResource)) {
    for (const storage::Member& member : context->broker->parts().cluster.members()) {
      response.config_resources.push_back({std::to_string(member.node), kBrokerResource});
    }
  }
  co_return response;
}

}  // namespace

ApiRow list_config_resources_row() { return make_row<Request, handle>({.name = "ListConfigResources"}); }

}  // namespace tidegate::api
