// What the three config APIs share: which resource is meant, and how a change of one is answered.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {

// A broker resource is named by this node's id. Empty stands for the defaults of all brokers.
Result<void> check_broker_name(const RequestContext& context, const std::string& name);

// invalid_request, in words for each type that Kafka has and this server does not.
Error unsupported_resource(std::int8_t type);

// Only topics can be changed; for everything else this says why not. Whether the topic exists is the
// catalogue's to say.
Result<void> check_changeable(const RequestContext& context, std::int8_t type, const std::string& name);

// How often the request names each resource: a resource named twice is refused and answered once.
using ResourceCounts = std::map<std::pair<std::int8_t, std::string>, int>;

template <class Request>
ResourceCounts count_resources(const Request& request) {
  ResourceCounts counts;
  for (const auto& resource : request.resources) ++counts[{resource.resource_type, resource.resource_name}];
  return counts;
}

// Answers each resource of an AlterConfigs or IncrementalAlterConfigs request. `change_of` makes a
// ConfigChange of one resource, or says what is wrong with it without knowing the topic.
template <class Response, class Request, class ChangeOf>
Task<Response> alter_resources(RequestContextPtr context, Request request, ChangeOf change_of) {
  Response response;
  auto counts = count_resources(request);
  for (auto& resource : request.resources) {
    int& count = counts[{resource.resource_type, resource.resource_name}];
    if (count == 0) continue;  // a repeated resource that has its answer
    auto& answer = response.responses.emplace_back();
    answer.error_message = std::nullopt;
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    if (count > 1) {
      count = 0;
      set_error(answer, ErrorCode::invalid_request, "The request has this resource more than once.");
      continue;
    }
    if (auto good = check_changeable(*context, resource.resource_type, resource.resource_name); !good) {
      set_error(answer, std::move(good.error()));
      continue;
    }
    Result<broker::ConfigChange> change = change_of(*context, resource);
    if (!change) {
      set_error(answer, std::move(change.error()));
      continue;
    }
    auto changed = co_await context->broker->topics().set_configs(resource.resource_name, std::move(*change),
                                                                  request.validate_only);
    // The vector does not grow meanwhile: `answer` is still its last element.
    if (!changed) set_error(answer, std::move(changed.error()));
  }
  co_return response;
}

}  // namespace tidegate::api
