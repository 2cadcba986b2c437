// OffsetFetch (key 9): how far groups have come. Below version 8 one group a request; the answer of one is
// then moved into the older form.
#include "tidegate/protocol/messages/offset_fetch.h"

#include <utility>

#include "../groups/group_requests.h"
#include "../handler.h"
#include "../rows.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::OffsetFetchRequest;
using Response = protocol::OffsetFetchResponse;
using GroupRequest = Request::OffsetFetchRequestGroup;
using GroupResponse = Response::OffsetFetchResponseGroup;

constexpr std::int16_t kGroupErrorFrom = 2;
constexpr std::int16_t kManyGroupsFrom = 8;  // KIP-709
constexpr std::int16_t kTopicIdsFrom = 10;   // KIP-848

// The one group of the older versions.
GroupRequest as_group(Request& request) {
  GroupRequest group;
  group.group_id = std::move(request.group_id);
  group.topics.reset();
  if (!request.topics) return group;
  auto& topics = group.topics.emplace();
  for (auto& topic : *request.topics) {
    topics.push_back({.name = std::move(topic.name),
                      .topic_id = {},
                      .partition_indexes = std::move(topic.partition_indexes)});
  }
  return group;
}

// What the group is asked, and the part of its answer that needs no asking: unknown topic ids.
groups::FetchOffsets resolve(const RequestContext& context, GroupRequest& request, bool require_stable,
                             GroupResponse& response) {
  groups::FetchOffsets wanted;
  wanted.member_id = std::move(request.member_id);
  wanted.member_epoch = request.member_epoch;
  wanted.require_stable = require_stable;
  if (!request.topics) return wanted;
  const bool by_id = context.version >= kTopicIdsFrom;
  const broker::TopicCatalogue& catalogue = context.broker->topics();
  auto& topics = wanted.topics.emplace();
  for (auto& topic : *request.topics) {
    const auto known = by_id ? catalogue.find(topic.topic_id) : catalogue.find(std::string_view(topic.name));
    if (!known && by_id) {
      auto& told = response.topics.emplace_back();
      told.topic_id = topic.topic_id;
      for (const std::int32_t index : topic.partition_indexes) {
        told.partitions.push_back(
            {.partition_index = index, .committed_offset = -1, .error_code = ErrorCode::unknown_topic_id});
      }
      continue;
    }
    topics.push_back({known ? known->topic.name : std::move(topic.name), known ? known->topic.id : TopicId{},
                      std::move(topic.partition_indexes)});
  }
  return wanted;
}

// Offsets that were committed without an epoch get the one that covers them.
Task<void> find_epochs(RequestContextPtr context, std::shared_ptr<groups::FetchOffsetsReply> reply) {
  std::vector<broker::EpochAtQuery> queries;
  std::vector<groups::FetchOffsetsReply::Partition*> places;
  for (auto& topic : reply->topics) {
    const auto known = context->broker->topics().find(std::string_view(topic.topic));
    for (auto& partition : topic.partitions) {
      if (!known || partition.offset < 0 || partition.leader_epoch != kNoEpoch) continue;
      queries.push_back({{known->topic.id, partition.partition}, partition.offset});
      places.push_back(&partition);
    }
  }
  if (queries.empty()) co_return;
  const auto epochs = co_await context->broker->offsets().epochs_at(std::move(queries));
  for (std::size_t i = 0; i < places.size(); ++i) places[i]->leader_epoch = epochs[i];
}

void fill(const RequestContext& context, groups::FetchOffsetsReply& reply, GroupResponse& response) {
  const bool by_id = context.version >= kTopicIdsFrom;
  for (auto& topic : reply.topics) {
    if (by_id) {
      // Offsets of a topic that is not there any more have no id that would mean something.
      const auto known = context.broker->topics().find(std::string_view(topic.topic));
      if (!known) continue;
      topic.topic_id = known->topic.id;
    }
    auto& told = response.topics.emplace_back();
    told.name = std::move(topic.topic);
    told.topic_id = topic.topic_id;
    told.partitions.reserve(topic.partitions.size());
    for (auto& partition : topic.partitions) {
      told.partitions.push_back({.partition_index = partition.partition,
                                 .committed_offset = partition.offset,
                                 .committed_leader_epoch = partition.leader_epoch,
                                 .metadata = std::move(partition.metadata),
                                 .error_code = partition.error});
    }
  }
}

Task<GroupResponse> fetch(RequestContextPtr context, GroupRequest request, bool require_stable,
                          bool is_last) {
  GroupResponse response;
  response.group_id = request.group_id;
  auto wanted = resolve(*context, request, require_stable, response);
  broker::GroupCall call{.group = std::move(request.group_id)};
  if (is_last) call.sent = [context] { context->dispatched(); };
  const auto reply = std::make_shared<groups::FetchOffsetsReply>(
      co_await context->broker->groups().fetch_offsets(std::move(call), std::move(wanted)));
  response.error_code = reply->error;
  if (reply->error != ErrorCode::none) {
    response.topics.clear();
    co_return response;
  }
  co_await find_epochs(context, reply);
  fill(*context, *reply, response);
  co_return response;
}

// The forms before version 8. Version 1 has no place for an error but the partitions.
void fill_older(std::int16_t version, const GroupRequest& asked, GroupResponse& group, Response& response) {
  if (group.error_code != ErrorCode::none && version < kGroupErrorFrom) {
    for (const auto& topic : *asked.topics) {
      auto& told = response.topics.emplace_back();
      told.name = topic.name;
      for (const std::int32_t index : topic.partition_indexes) {
        told.partitions.push_back(
            {.partition_index = index, .committed_offset = -1, .error_code = group.error_code});
      }
    }
    return;
  }
  response.error_code = group.error_code;
  for (auto& topic : group.topics) {
    auto& told = response.topics.emplace_back();
    told.name = std::move(topic.name);
    for (auto& partition : topic.partitions) {
      told.partitions.push_back({partition.partition_index, partition.committed_offset,
                                 partition.committed_leader_epoch, std::move(partition.metadata),
                                 partition.error_code});
    }
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  ErrorCode first = ErrorCode::none;
  if (context->version < kManyGroupsFrom) {
    GroupRequest asked = as_group(request);
    auto group = co_await fetch(context, asked, request.require_stable, true);
    first = group.error_code;
    fill_older(context->version, asked, group, response);
  } else {
    for (std::size_t i = 0; i < request.groups.size(); ++i) {
      auto asked = std::move(request.groups[i]);
      auto group =
          co_await fetch(context, std::move(asked), request.require_stable, i + 1 == request.groups.size());
      if (first == ErrorCode::none) first = group.error_code;
      response.groups.push_back(std::move(group));
    }
  }
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow offset_fetch_row() {
  return make_row<Request, handle>({.name = "OffsetFetch", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
