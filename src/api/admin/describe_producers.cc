// DescribeProducers (key 61): the producers that each partition remembers, with what their last batch was
// (KIP-664). Operators look for hanging transactions with it.
#include "tidegate/protocol/messages/describe_producers.h"

#include <set>
#include <string_view>
#include <utility>

#include "../handler.h"
#include "../rows_operations.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/partition_facts.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeProducersRequest;
using Response = protocol::DescribeProducersResponse;
using Partition = Response::TopicResponse::PartitionResponse;

// No transaction coordinator has written for the producer.
constexpr std::int32_t kNoCoordinatorEpoch = -1;

void fill(Partition& told, const broker::PartitionProducers& answer) {
  told.error_code = answer.error;
  for (const broker::ActiveProducer& producer : answer.producers) {
    told.active_producers.push_back({.producer_id = producer.id,
                                     .producer_epoch = producer.epoch,
                                     .last_sequence = producer.last_sequence,
                                     .last_timestamp = producer.last_timestamp,
                                     .coordinator_epoch = kNoCoordinatorEpoch,
                                     .current_txn_start_offset = producer.transaction_start});
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  std::vector<broker::PartitionQuestion> questions;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  // What a partition remembers is told once: it can be large, and naming it again costs a client four bytes.
  std::set<std::pair<std::string_view, std::int32_t>> asked;
  ErrorCode error = ErrorCode::none;
  for (const auto& topic : request.topics) {
    const auto good = broker::TopicCatalogue::check_name(topic.name);
    const auto known = good ? context->broker->topics().find(std::string_view(topic.name)) : nullptr;
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& partition = told.partitions.emplace_back();
      partition.partition_index = index;
      if (!good) {
        set_error(partition, good.error());
      } else if (!known || index < 0 || index >= known->topic.partitions) {
        set_error(partition, ErrorCode::unknown_topic_or_partition, "There is no such partition.");
      } else if (!asked.emplace(topic.name, index).second) {
        set_error(partition, ErrorCode::invalid_request, "The partition is named more than once.");
      } else {
        questions.push_back({{known->topic.id, index}});
        places.emplace_back(response.topics.size() - 1, told.partitions.size() - 1);
      }
      if (error == ErrorCode::none) error = partition.error_code;
    }
  }
  broker::PartitionFacts facts = context->broker->offsets().facts();
  const auto answers = co_await facts.producers(std::move(questions));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    fill(response.topics[places[i].first].partitions[places[i].second], answers[i]);
    if (error == ErrorCode::none) error = answers[i].error;
  }
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow describe_producers_row() { return make_row<Request, handle>({.name = "DescribeProducers"}); }

}  // namespace tidegate::api
