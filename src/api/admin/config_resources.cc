#include "config_resources.h"

#include <charconv>

#include <fmt/format.h>

namespace tidegate::api {
namespace {

constexpr std::int8_t kBrokerLoggerResource = 8;
constexpr std::int8_t kClientMetricsResource = 16;
constexpr std::int8_t kGroupResource = 32;

}  // namespace

Result<void> check_broker_name(const RequestContext& context, const std::string& name) {
  if (name.empty()) return {};
  const NodeId self = context.broker->parts().cluster.self();
  NodeId node = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), node);
  if (error != std::errc() || end != name.data() + name.size()) {
    return fail(ErrorCode::invalid_request, "A broker resource is named by its numeric id.");
  }
  if (node != self) {
    return fail(ErrorCode::invalid_request,
                fmt::format("This is broker {}; the configs of broker {} are not here.", self, node));
  }
  return {};
}

Error unsupported_resource(std::int8_t type) {
  switch (type) {
    case kBrokerLoggerResource:
      return {ErrorCode::invalid_request,
              "Log levels are not a resource here; see the server setting log.level."};
    case kClientMetricsResource:
      return {ErrorCode::invalid_request, "Client metrics subscriptions are not supported."};
    case kGroupResource:
      return {ErrorCode::invalid_request, "Group configs are not supported."};
    default:
      return {ErrorCode::invalid_request, fmt::format("There is no resource type {}.", type)};
  }
}

Result<void> check_changeable(const RequestContext& context, std::int8_t type, const std::string& name) {
  if (type == kTopicResource) {
    if (!name.empty()) return broker::TopicCatalogue::check_name(name);
    return fail(ErrorCode::invalid_request, "A topic resource needs a name: topics have no common defaults.");
  }
  if (type != kBrokerResource) return fail(unsupported_resource(type));
  if (auto good = check_broker_name(context, name); !good) return good;
  return fail(ErrorCode::invalid_request,
              "Server settings cannot be changed by clients; set them in the configuration file.");
}

}  // namespace tidegate::api
