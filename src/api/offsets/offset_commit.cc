// OffsetCommit (key 8): a group remembers how far it has come.
#include "tidegate/protocol/messages/offset_commit.h"

#include <utility>

#include "../groups/group_requests.h"
#include "../handler.h"
#include "../rows.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::OffsetCommitRequest;
using Response = protocol::OffsetCommitResponse;

constexpr std::int16_t kEpochsFrom = 9;     // KIP-848: its error codes are understood
constexpr std::int16_t kTopicIdsFrom = 10;  // KIP-848

// Where the outcome of each partition that goes to the group belongs: topic and partition in the response.
using Places = std::vector<std::pair<std::size_t, std::size_t>>;

// Answers what the catalogue alone can tell; the rest becomes the commit.
groups::CommitOffsets resolve(const RequestContext& context, Request& request, Response& response,
                              Places& places) {
  const bool by_id = context.version >= kTopicIdsFrom;
  const broker::TopicCatalogue& catalogue = context.broker->topics();
  groups::CommitOffsets commit;
  for (auto& topic : request.topics) {
    const auto known = by_id ? catalogue.find(topic.topic_id) : catalogue.find(std::string_view(topic.name));
    auto& told = response.topics.emplace_back();
    told.name = std::move(topic.name);
    told.topic_id = topic.topic_id;
    groups::TopicCommit wanted;
    if (known) {
      wanted.topic = known->topic.name;
      wanted.topic_id = known->topic.id;
    }
    for (auto& partition : topic.partitions) {
      auto& outcome = told.partitions.emplace_back();
      outcome.partition_index = partition.partition_index;
      if (!known) {
        outcome.error_code = by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      } else if (partition.partition_index < 0 || partition.partition_index >= known->topic.partitions) {
        outcome.error_code = ErrorCode::unknown_topic_or_partition;
      } else {
        wanted.partitions.push_back({partition.partition_index, partition.committed_offset,
                                     partition.committed_leader_epoch,
                                     std::move(partition.committed_metadata).value_or("")});
        places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
      }
    }
    if (!wanted.partitions.empty()) commit.topics.push_back(std::move(wanted));
  }
  return commit;
}

ErrorCode first_error(const Response& response) {
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != ErrorCode::none) return partition.error_code;
    }
  }
  return ErrorCode::none;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  Places places;
  auto commit = resolve(*context, request, response, places);
  if (!places.empty()) {
    commit.member_id = std::move(request.member_id);
    commit.instance_id = std::move(request.group_instance_id);
    commit.generation_or_epoch = request.generation_id_or_member_epoch;
    commit.retention_ms = request.retention_time_ms;
    commit.knows_epochs = context->version >= kEpochsFrom;
    auto call = group_call(context, std::move(request.group_id));
    const auto reply = co_await context->broker->groups().commit(std::move(call), std::move(commit));
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto& outcome = response.topics[places[i].first].partitions[places[i].second];
      outcome.error_code = reply.error != ErrorCode::none ? reply.error : reply.partitions.at(i);
    }
  }
  const ErrorCode first = first_error(response);
  co_return make_reply(*context, std::move(response), first);
}

}  // namespace

ApiRow offset_commit_row() {
  return make_row<Request, handle>({.name = "OffsetCommit", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
