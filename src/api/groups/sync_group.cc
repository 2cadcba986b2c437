// SyncGroup (key 14): the leader hands in the assignment, every member gets its own.
#include "tidegate/protocol/messages/sync_group.h"

#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::SyncGroupRequest;
using Response = protocol::SyncGroupResponse;

constexpr std::int16_t kProtocolNamedFrom = 5;  // KIP-559

ErrorCode check(const RequestContext& context, const Request& request) {
  if (const ErrorCode bad = check_group_id(request.group_id); bad != ErrorCode::none) return bad;
  if (context.version >= kProtocolNamedFrom && (!request.protocol_type || !request.protocol_name)) {
    return ErrorCode::inconsistent_group_protocol;
  }
  return ErrorCode::none;
}

groups::Sync to_sync(Request& request) {
  groups::Sync sync;
  sync.member_id = std::move(request.member_id);
  sync.instance_id = std::move(request.group_instance_id);
  sync.generation = request.generation_id;
  sync.protocol_type = std::move(request.protocol_type);
  sync.protocol = std::move(request.protocol_name);
  sync.assignments.reserve(request.assignments.size());
  for (auto& one : request.assignments) {
    sync.assignments.push_back({std::move(one.member_id), std::move(one.assignment)});
  }
  return sync;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_code = check(*context, request);
  if (response.error_code != ErrorCode::none) co_return response;
  auto cancel = std::make_shared<broker::GroupCancel>();
  const GroupWatch watch(context->session, cancel);
  auto call = group_call(context, std::move(request.group_id));
  call.cancel = std::move(cancel);
  auto sync = to_sync(request);
  auto reply = co_await context->broker->groups().sync(std::move(call), std::move(sync));
  response.error_code = reply.error;
  response.protocol_type = std::move(reply.protocol_type);
  response.protocol_name = std::move(reply.protocol);
  response.assignment = std::move(reply.assignment);
  co_return response;
}

}  // namespace

ApiRow sync_group_row() {
  return make_row<Request, handle>({.name = "SyncGroup", .lane = RequestLane::ordered, .waits = true});
}

}  // namespace tidegate::api
