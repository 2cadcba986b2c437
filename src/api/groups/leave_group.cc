// LeaveGroup (key 13): members leave a group, or an administrator takes them out.
#include "tidegate/protocol/messages/leave_group.h"

#include "../admin/answers.h"
#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::LeaveGroupRequest;
using Response = protocol::LeaveGroupResponse;

constexpr std::int16_t kManyMembersFrom = 3;  // KIP-345

groups::Leave to_leave(bool many, Request& request) {
  groups::Leave leave;
  if (!many) {
    leave.members.push_back({.member_id = std::move(request.member_id), .instance_id = {}, .reason = {}});
    return leave;
  }
  leave.members.reserve(request.members.size());
  for (auto& member : request.members) {
    leave.members.push_back(
        {std::move(member.member_id), std::move(member.group_instance_id), member.reason.value_or("")});
  }
  return leave;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  const bool many = context->version >= kManyMembersFrom;
  Response response;
  response.error_code = check_group_id(request.group_id);
  if (response.error_code == ErrorCode::none) {
    auto call = group_call(context, std::move(request.group_id));
    auto leave = to_leave(many, request);
    auto reply = co_await context->broker->groups().leave(std::move(call), std::move(leave));
    response.error_code = reply.error;
    if (many) {
      for (auto& member : reply.members) {
        response.members.push_back(
            {std::move(member.member_id), std::move(member.instance_id), member.error});
      }
    } else if (response.error_code == ErrorCode::none && !reply.members.empty()) {
      response.error_code = reply.members.front().error;
    }
  }
  const ErrorCode first =
      response.error_code != ErrorCode::none ? response.error_code : first_error(response.members);
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow leave_group_row() {
  return make_row<Request, handle>({.name = "LeaveGroup", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
