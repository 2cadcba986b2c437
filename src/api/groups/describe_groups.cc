// DescribeGroups (key 15): state and members of classic groups.
#include "tidegate/protocol/messages/describe_groups.h"

#include <fmt/format.h>

#include "../admin/answers.h"
#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeGroupsRequest;
using Response = protocol::DescribeGroupsResponse;

constexpr std::int16_t kNotFoundFrom = 6;  // KIP-1043; before, what is not there is Dead without an error

void fill(Response::DescribedGroup& told, groups::ClassicDescription described) {
  told.group_state = groups::state_name(described.state);
  told.protocol_type = std::move(described.protocol_type);
  told.protocol_data = std::move(described.protocol);
  told.members.reserve(described.members.size());
  for (auto& member : described.members) {
    told.members.push_back({.member_id = std::move(member.member_id),
                            .group_instance_id = std::move(member.instance_id),
                            .client_id = std::move(member.client_id),
                            .client_host = std::move(member.client_host),
                            .member_metadata = std::move(member.metadata),
                            .member_assignment = std::move(member.assignment)});
  }
}

void fill_error(Response::DescribedGroup& told, std::int16_t version, const Error& error) {
  const bool absent = error.code == ErrorCode::group_id_not_found;
  if (absent) told.group_state = groups::state_name(groups::GroupState::dead);
  if (absent && version < kNotFoundFrom) return;
  told.error_code = error.code;
  if (version < kNotFoundFrom) return;
  if (absent) {
    told.error_message = fmt::format("There is no classic group '{}'.", told.group_id);
  } else if (!error.message.empty()) {
    told.error_message = error.message;
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  response.groups.reserve(request.groups.size());
  for (std::string& group : request.groups) {
    auto described = co_await context->broker->groups().describe_classic(group);
    auto& told = response.groups.emplace_back();
    told.group_id = std::move(group);
    if (described) {
      fill(told, std::move(*described));
    } else {
      fill_error(told, context->version, described.error());
    }
    if (request.include_authorized_operations && told.error_code == ErrorCode::none) {
      told.authorized_operations = kAllGroupOperations;
    }
  }
  const ErrorCode first = first_error(response.groups);
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow describe_groups_row() { return make_row<Request, handle>({.name = "DescribeGroups"}); }

}  // namespace tidegate::api
