// DeleteGroups (key 42): groups without members go, and their offsets with them.
#include "tidegate/protocol/messages/delete_groups.h"

#include <fmt/format.h>

#include "../admin/answers.h"
#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::DeleteGroupsRequest;
using Response = protocol::DeleteGroupsResponse;

std::optional<std::string> message_of(ErrorCode error, const std::string& group) {
  switch (error) {
    case ErrorCode::none:
      return std::nullopt;
    case ErrorCode::non_empty_group:
      return fmt::format("Group '{}' has members.", group);
    case ErrorCode::group_id_not_found:
      return fmt::format("There is no group '{}'.", group);
    default:
      return std::string(error_name(error));
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  response.results.reserve(request.groups_names.size());
  for (std::string& group : request.groups_names) {
    auto call = broker::GroupCall{.group = group};
    const auto reply =
        co_await context->broker->groups().delete_group(std::move(call), groups::DeleteGroup{});
    auto message = message_of(reply.error, group);
    response.results.push_back({std::move(group), reply.error, std::move(message)});
  }
  const ErrorCode first = first_error(response.results);
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow delete_groups_row() {
  return make_row<Request, handle>({.name = "DeleteGroups", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
