// DeleteRecords (key 21): moves the log start of partitions.
#include <utility>

#include "handler.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/protocol/messages/delete_records.h"

namespace tidegate::api {
namespace {

using Request = protocol::DeleteRecordsRequest;
using Response = protocol::DeleteRecordsResponse;

// none when the partition's records may be deleted.
ErrorCode check(const broker::CatalogueTopicPtr& topic, std::int32_t partition) {
  if (!topic || partition < 0 || partition >= topic->topic.partitions) {
    return ErrorCode::unknown_topic_or_partition;
  }
  // A topic that is only compacted keeps the last record of each key, whatever anybody asks for.
  return topic->settings.log.cleanup_delete ? ErrorCode::none : ErrorCode::policy_violation;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  std::vector<broker::TrimQuery> queries;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const auto& topic : request.topics) {
    const auto known = context->broker->topics().find(std::string_view(topic.name));
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& answer = told.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      answer.low_watermark = -1;
      answer.error_code = check(known, partition.partition_index);
      if (answer.error_code != ErrorCode::none) continue;
      queries.push_back(
          {.partition = {known->topic.id, partition.partition_index}, .offset = partition.offset});
      places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
    }
  }
  const auto answers = co_await context->broker->offsets().trim(std::move(queries));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto& answer = response.topics[places[i].first].partitions[places[i].second];
    answer.error_code = answers[i].error;
    answer.low_watermark = answers[i].log_start;
  }
  co_return response;
}

}  // namespace

ApiRow delete_records_row() {
  return make_row<Request, handle>({.name = "DeleteRecords", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
