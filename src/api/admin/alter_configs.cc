// AlterConfigs (key 33): replaces all of a topic's own configs. Old tools use it; what the request does
// not name goes back to its default, unless it was fixed when the topic was made.
#include "tidegate/protocol/messages/alter_configs.h"

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "config_resources.h"

namespace tidegate::api {
namespace {

using Request = protocol::AlterConfigsRequest;
using Response = protocol::AlterConfigsResponse;
using Resource = Request::AlterConfigsResource;

Result<broker::ConfigChange> change_of(const RequestContext&, Resource& resource) {
  broker::TopicConfigs wanted;
  for (auto& config : resource.configs) {
    if (!config.value) {
      return fail(ErrorCode::invalid_request, fmt::format("Config {} has a null value.", config.name));
    }
    const auto [at, fresh] = wanted.emplace(config.name, std::move(*config.value));
    if (!fresh) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("The request has config {} more than once.", config.name));
    }
  }
  return [wanted = std::move(wanted)](const broker::TopicConfigs& present) {
    return Result<broker::TopicConfigs>(broker::with_fixed(wanted, present));
  };
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  auto response = co_await alter_resources<Response>(context, std::move(request), &change_of);
  const ErrorCode error = first_error(response.responses);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow alter_configs_row() {
  return make_row<Request, handle>({.name = "AlterConfigs", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
