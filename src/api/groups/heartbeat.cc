// Heartbeat (key 12): a member of a classic group is alive.
#include "tidegate/protocol/messages/heartbeat.h"

#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::HeartbeatRequest;
using Response = protocol::HeartbeatResponse;

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_code = check_group_id(request.group_id);
  if (response.error_code != ErrorCode::none) co_return response;
  groups::Heartbeat beat;
  beat.member_id = std::move(request.member_id);
  beat.instance_id = std::move(request.group_instance_id);
  beat.generation = request.generation_id;
  auto call = group_call(context, std::move(request.group_id));
  const auto reply = co_await context->broker->groups().heartbeat(std::move(call), std::move(beat));
  response.error_code = reply.error;
  co_return response;
}

}  // namespace

ApiRow heartbeat_row() {
  return make_row<Request, handle>({.name = "Heartbeat", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
