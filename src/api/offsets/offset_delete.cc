// OffsetDelete (key 47): a group forgets offsets of topics that it is not subscribed to.
#include "tidegate/protocol/messages/offset_delete.h"

#include <utility>

#include "../groups/group_requests.h"
#include "../handler.h"
#include "../rows.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::OffsetDeleteRequest;
using Response = protocol::OffsetDeleteResponse;
using Places = std::vector<std::pair<std::size_t, std::size_t>>;

groups::DeleteOffsets resolve(const RequestContext& context, Request& request, Response& response,
                              Places& places) {
  groups::DeleteOffsets wanted;
  for (auto& topic : request.topics) {
    const auto known = context.broker->topics().find(std::string_view(topic.name));
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    groups::TopicSelection selected{.topic = std::move(topic.name), .topic_id = {}, .partitions = {}};
    for (const auto& partition : topic.partitions) {
      auto& outcome = told.partitions.emplace_back();
      outcome.partition_index = partition.partition_index;
      if (!known || partition.partition_index < 0 || partition.partition_index >= known->topic.partitions) {
        outcome.error_code = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      selected.partitions.push_back(partition.partition_index);
      places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
    }
    if (!selected.partitions.empty()) wanted.topics.push_back(std::move(selected));
  }
  return wanted;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.error_code = check_group_id(request.group_id);
  if (response.error_code != ErrorCode::none) co_return response;
  Places places;
  auto wanted = resolve(*context, request, response, places);
  // Asked even when nothing of the request is left: an unknown group comes before unknown partitions.
  auto call = group_call(context, std::move(request.group_id));
  const auto reply = co_await context->broker->groups().delete_offsets(std::move(call), std::move(wanted));
  response.error_code = reply.error;
  if (reply.error != ErrorCode::none) {
    response.topics.clear();
    co_return response;
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    response.topics[places[i].first].partitions[places[i].second].error_code = reply.partitions.at(i);
  }
  co_return response;
}

}  // namespace

ApiRow offset_delete_row() {
  return make_row<Request, handle>({.name = "OffsetDelete", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
