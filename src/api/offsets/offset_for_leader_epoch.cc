// OffsetForLeaderEpoch (key 23): where an epoch ended, so that a consumer sees whether the log was cut
// below what it has read (KIP-320).
#include <utility>

#include "handler.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/messages/offset_for_leader_epoch.h"

namespace tidegate::api {
namespace {

using Request = protocol::OffsetForLeaderEpochRequest;
using Response = protocol::OffsetForLeaderEpochResponse;

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  std::vector<broker::EpochEndQuery> queries;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const auto& topic : request.topics) {
    const auto known = context->broker->topics().find(std::string_view(topic.topic));
    auto& told = response.topics.emplace_back();
    told.topic = topic.topic;
    for (const auto& partition : topic.partitions) {
      auto& answer = told.partitions.emplace_back();
      answer.partition = partition.partition;
      if (!known || partition.partition < 0 || partition.partition >= known->topic.partitions) {
        answer.error_code = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      queries.push_back({.partition = {known->topic.id, partition.partition},
                         .current_leader_epoch = partition.current_leader_epoch,
                         .leader_epoch = partition.leader_epoch});
      places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
    }
  }
  const auto answers = co_await context->broker->offsets().epoch_ends(std::move(queries));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto& answer = response.topics[places[i].first].partitions[places[i].second];
    answer.error_code = answers[i].error;
    answer.leader_epoch = answers[i].leader_epoch;
    answer.end_offset = answers[i].end_offset;
  }
  co_return response;
}

}  // namespace

ApiRow offset_for_leader_epoch_row() { return make_row<Request, handle>({.name = "OffsetForLeaderEpoch"}); }

}  // namespace tidegate::api
