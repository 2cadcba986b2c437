// ListOffsets (key 2): offsets by time, and the ends of a log.
#include <map>
#include <string>
#include <utility>

#include "handler.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "unknown_topics.h"

namespace tidegate::api {
namespace {

using broker::OffsetSpec;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;

constexpr std::int16_t kLeaderEpochFrom = 4;

// Negative timestamps are questions of their own, each known from some version on; the others never.
bool is_supported(std::int64_t timestamp, std::int16_t version) {
  if (timestamp >= 0) return true;
  switch (static_cast<OffsetSpec>(timestamp)) {
    case OffsetSpec::latest:
    case OffsetSpec::earliest:
      return true;
    case OffsetSpec::max_timestamp:
      return version >= 7;
    case OffsetSpec::earliest_local:
      return version >= 8;
    case OffsetSpec::latest_tiered:
      return version >= 9;
    case OffsetSpec::earliest_pending_upload:
      return version >= 11;
  }
  return false;
}

using Counts = std::map<std::pair<std::string_view, std::int32_t>, int>;

Counts count_partitions(const ListOffsetsRequest& request) {
  Counts counts;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) ++counts[{topic.name, partition.partition_index}];
  }
  return counts;
}

Task<ListOffsetsResponse> handle(RequestContextPtr context, ListOffsetsRequest request) {
  const Counts counts = count_partitions(request);
  const auto name_of = [](const auto& topic) { return std::string_view(topic.name); };
  if (is_worth_a_look(*context, request.topics, name_of)) co_await context->broker->lookout().look();
  ListOffsetsResponse response;
  std::vector<broker::OffsetQuery> queries;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const auto& topic : request.topics) {
    const auto known = context->broker->topics().find(std::string_view(topic.name));
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& answer = told.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      if (counts.at({topic.name, partition.partition_index}) > 1) {
        answer.error_code = ErrorCode::invalid_request;
      } else if (!is_supported(partition.timestamp, context->version)) {
        answer.error_code = ErrorCode::unsupported_version;
      } else if (!known || partition.partition_index < 0 ||
                 partition.partition_index >= known->topic.partitions) {
        answer.error_code = ErrorCode::unknown_topic_or_partition;
      } else {
        queries.push_back({.partition = {known->topic.id, partition.partition_index},
                           .current_leader_epoch = partition.current_leader_epoch,
                           .timestamp = partition.timestamp});
        places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
      }
    }
  }
  const auto answers = co_await context->broker->offsets().find(std::move(queries));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto& answer = response.topics[places[i].first].partitions[places[i].second];
    answer.error_code = answers[i].error;
    answer.offset = answers[i].offset;
    answer.timestamp = answers[i].timestamp;
    if (context->version >= kLeaderEpochFrom) answer.leader_epoch = answers[i].leader_epoch;
  }
  co_return response;
}

}  // namespace

ApiRow list_offsets_row() { return make_row<ListOffsetsRequest, handle>({.name = "ListOffsets"}); }

}  // namespace tidegate::api
