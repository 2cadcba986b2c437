// ElectLeaders (key 43): a partition has one replica, which always leads it, so there is never anything to
// elect. Asked for every partition (null) Kafka leaves out those that need none: the answer is empty.
#include "tidegate/protocol/messages/elect_leaders.h"

#include <utility>

#include "../handler.h"
#include "../rows_operations.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::ElectLeadersRequest;
using Response = protocol::ElectLeadersResponse;

constexpr std::int8_t kPreferred = 0;
constexpr std::int8_t kUnclean = 1;

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  if (request.election_type != kPreferred && request.election_type != kUnclean) {
    response.error_code = ErrorCode::invalid_request;
    co_return make_reply(*context, std::move(response));
  }
  ErrorCode error = ErrorCode::none;
  if (!request.topic_partitions) co_return make_reply(*context, std::move(response), error);
  for (auto& topic : *request.topic_partitions) {
    const auto known = context->broker->topics().find(std::string_view(topic.topic));
    auto& told = response.replica_election_results.emplace_back();
    told.topic = std::move(topic.topic);
    for (const std::int32_t index : topic.partitions) {
      auto& result = told.partition_result.emplace_back();
      result.partition_id = index;
      result.error_message = std::nullopt;
      if (known && index >= 0 && index < known->topic.partitions) {
        result.error_code = ErrorCode::election_not_needed;
      } else {
        set_error(result, ErrorCode::unknown_topic_or_partition,
                  known ? "There is no such partition." : "There is no such topic.");
      }
      if (error == ErrorCode::none) error = result.error_code;
    }
  }
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow elect_leaders_row() { return make_row<Request, handle>({.name = "ElectLeaders"}); }

}  // namespace tidegate::api
