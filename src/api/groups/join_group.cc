// JoinGroup (key 11): enters a classic group; answered when the group's members are together.
#include "tidegate/protocol/messages/join_group.h"

#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::JoinGroupRequest;
using Response = protocol::JoinGroupResponse;

constexpr std::int16_t kMemberIdRequiredFrom = 4;  // KIP-394
constexpr std::int16_t kNullProtocolFrom = 7;      // KIP-559
constexpr std::int16_t kSkipAssignmentFrom = 9;    // KIP-814

groups::Join to_join(const RequestContext& context, Request& request) {
  groups::Join join;
  join.client = client_of(context);
  join.member_id = request.member_id;
  join.instance_id = std::move(request.group_instance_id);
  join.session_timeout_ms = request.session_timeout_ms;
  join.rebalance_timeout_ms = request.rebalance_timeout_ms;
  join.protocol_type = std::move(request.protocol_type);
  join.protocols.reserve(request.protocols.size());
  for (auto& protocol : request.protocols) {
    join.protocols.push_back({std::move(protocol.name), std::move(protocol.metadata)});
  }
  join.reason = request.reason.value_or("");
  join.member_id_required = context.version >= kMemberIdRequiredFrom;
  join.can_skip_assignment = context.version >= kSkipAssignmentFrom;
  return join;
}

Response to_response(groups::JoinReply reply) {
  Response response;
  response.error_code = reply.error;
  response.generation_id = reply.generation;
  response.protocol_type = std::move(reply.protocol_type);
  response.protocol_name = std::move(reply.protocol);
  response.leader = std::move(reply.leader);
  response.skip_assignment = reply.skip_assignment;
  response.member_id = std::move(reply.member_id);
  response.members.reserve(reply.members.size());
  for (auto& member : reply.members) {
    response.members.push_back(
        {std::move(member.member_id), std::move(member.instance_id), std::move(member.metadata)});
  }
  return response;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  groups::JoinReply reply;
  reply.error = check_group_id(request.group_id);
  if (reply.error == ErrorCode::none) {
    auto cancel = std::make_shared<broker::GroupCancel>();
    const GroupWatch watch(context->session, cancel);
    auto call = group_call(context, std::move(request.group_id));
    call.cancel = std::move(cancel);
    auto join = to_join(*context, request);
    reply = co_await context->broker->groups().join(std::move(call), std::move(join));
  }
  if (reply.error != ErrorCode::none && reply.member_id.empty())
    reply.member_id = std::move(request.member_id);
  Response response = to_response(std::move(reply));
  if (context->version < kNullProtocolFrom && !response.protocol_name) response.protocol_name.emplace();
  co_return response;
}

}  // namespace

ApiRow join_group_row() {
  return make_row<Request, handle>({.name = "JoinGroup", .lane = RequestLane::ordered, .waits = true});
}

}  // namespace tidegate::api
