// CreatePartitions (key 37): topics only grow.
#include "tidegate/protocol/messages/create_partitions.h"

#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "../unknown_topics.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::CreatePartitionsRequest;
using Response = protocol::CreatePartitionsResponse;
using Answer = Response::CreatePartitionsTopicResult;
using Asked = Request::CreatePartitionsTopic;

// Null leaves the placement to the server; a list has one entry for each partition that is added.
Result<void> check_assignments(const RequestContext& context, const Asked& asked) {
  if (!asked.assignments) return {};
  const auto topic = context.broker->topics().find(asked.name);
  if (!topic || asked.count <= topic->topic.partitions) return {};  // the catalogue says what is wrong
  const auto added = static_cast<std::size_t>(asked.count - topic->topic.partitions);
  if (asked.assignments->size() != added) {
    return fail(ErrorCode::invalid_replica_assignment,
                fmt::format("{} partitions are to be added, but {} assignments are given.", added,
                            asked.assignments->size()));
  }
  for (const auto& assignment : *asked.assignments) {
    if (auto good = check_replicas(context, assignment.broker_ids); !good) return good;
  }
  return {};
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  std::unordered_map<std::string_view, int> counts;
  std::vector<broker::TopicGrowth> growths;
  std::vector<std::size_t> places;  // where the answer to each goes
  const auto name_of = [](const Asked& asked) { return std::string_view(asked.name); };
  if (is_worth_a_look(*context, request.topics, name_of)) co_await context->broker->lookout().look();
  for (const Asked& asked : request.topics) ++counts[asked.name];
  for (const Asked& asked : request.topics) {
    int& count = counts[asked.name];
    if (count == 0) continue;  // a repeated topic that has its answer
    Answer& answer = response.results.emplace_back();
    answer.name = asked.name;
    if (count > 1) {
      set_error(answer, ErrorCode::invalid_request, "The request has this topic more than once.");
      count = 0;
    } else if (auto good = check_assignments(*context, asked); !good) {
      set_error(answer, std::move(good.error()));
    } else {
      growths.push_back({.name = asked.name, .partitions = asked.count});
      places.push_back(response.results.size() - 1);
    }
  }
  auto grown = co_await context->broker->topics().add_partitions(std::move(growths), request.validate_only);
  for (std::size_t i = 0; i < grown.size(); ++i) {
    if (!grown[i]) set_error(response.results[places[i]], std::move(grown[i].error()));
  }
  const ErrorCode error = first_error(response.results);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow create_partitions_row() {
  return make_row<Request, handle>({.name = "CreatePartitions", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
