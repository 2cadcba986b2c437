// ConsumerGroupHeartbeat (key 68): join, heartbeat and leave of KIP-848 groups.
#include "tidegate/protocol/messages/consumer_group_heartbeat.h"

#include "../handler.h"
#include "../rows.h"
#include "group_requests.h"

namespace tidegate::api {
namespace {

using Request = protocol::ConsumerGroupHeartbeatRequest;
using Response = protocol::ConsumerGroupHeartbeatResponse;

constexpr std::int16_t kClientMakesIdFrom = 1;  // KIP-1082

groups::ConsumerHeartbeat to_heartbeat(const RequestContext& context, Request& request) {
  groups::ConsumerHeartbeat beat;
  beat.client = client_of(context);
  beat.member_id = std::move(request.member_id);
  beat.member_epoch = request.member_epoch;
  beat.instance_id = std::move(request.instance_id);
  beat.rack_id = std::move(request.rack_id);
  beat.rebalance_timeout_ms = request.rebalance_timeout_ms;
  beat.subscribed_topics = std::move(request.subscribed_topic_names);
  beat.subscribed_regex = std::move(request.subscribed_topic_regex);
  beat.assignor = std::move(request.server_assignor);
  if (request.topic_partitions) {
    auto& owned = beat.owned_partitions.emplace();
    for (auto& topic : *request.topic_partitions)
      owned.push_back({topic.topic_id, std::move(topic.partitions)});
  }
  beat.client_makes_id = context.version >= kClientMakesIdFrom;
  return beat;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  broker::GroupCoordinator& groups = context->broker->groups();
  if (!groups.limits().consumer_enabled) {
    response.error_code = ErrorCode::unsupported_version;
    co_return response;
  }
  response.error_code = check_group_id(request.group_id);
  if (response.error_code != ErrorCode::none) co_return response;
  auto call = group_call(context, std::move(request.group_id));
  auto beat = to_heartbeat(*context, request);
  auto reply = co_await groups.consumer_heartbeat(std::move(call), std::move(beat));
  response.error_code = reply.error;
  if (!reply.error_message.empty()) response.error_message = std::move(reply.error_message);
  response.member_id = std::move(reply.member_id);
  response.member_epoch = reply.member_epoch;
  response.heartbeat_interval_ms = reply.heartbeat_interval_ms;
  if (reply.assignment) {
    auto& assignment = response.assignment.emplace();
    for (auto& topic : *reply.assignment) {
      assignment.topic_partitions.push_back({topic.topic, std::move(topic.partitions)});
    }
  }
  co_return response;
}

}  // namespace

ApiRow consumer_group_heartbeat_row() {
  return make_row<Request, handle>({.name = "ConsumerGroupHeartbeat", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
