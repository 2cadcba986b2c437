// DescribeTopicPartitions (key 75, KIP-966): topics in order of name, a page at a time.
#include "tidegate/protocol/messages/describe_topic_partitions.h"

#include <algorithm>
#include <string>

#include "../handler.h"
#include "../rows.h"
#include "../unknown_topics.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeTopicPartitionsRequest;
using Response = protocol::DescribeTopicPartitionsResponse;
using Topic = Response::DescribeTopicPartitionsResponseTopic;

// What fills one page.
struct Page {
  std::int32_t room = 0;  // partitions
  Response response;

  bool full() const { return room <= 0; }
};

void add_failed(Page& page, std::string name, ErrorCode error) {
  Topic& answer = page.response.topics.emplace_back();
  answer.error_code = error;
  answer.name = std::move(name);
}

void set_cursor(Page& page, std::string name, std::int32_t partition) {
  page.response.next_cursor = Response::Cursor{.topic_name = std::move(name), .partition_index = partition};
}

// Partitions from `first` on, as many as there is room for; the cursor is set when some are left.
void add_known(const RequestContext& context, const storage::Topic& topic, std::int32_t first, Page& page) {
  Topic& answer = page.response.topics.emplace_back();
  answer.name = topic.name;
  answer.topic_id = topic.id;
  answer.is_internal = is_internal_topic(topic.name);
  answer.topic_authorized_operations = kAllTopicOperations;
  const std::int32_t end = first + std::min(page.room, std::max(topic.partitions - first, 0));
  for (std::int32_t i = first; i < end; ++i) {
    const Leader leader = leader_of(context, {topic.id, i});
    auto& partition = answer.partitions.emplace_back();
    partition.partition_index = i;
    partition.leader_id = leader.node;
    partition.leader_epoch = leader.epoch;
    partition.replica_nodes.push_back(leader.node);
    partition.isr_nodes.push_back(leader.node);
    partition.eligible_leader_replicas.emplace();
    partition.last_known_elr.emplace();
  }
  page.room -= end - first;
  if (end < topic.partitions) set_cursor(page, topic.name, end);
}

// Sorted, each once, from the cursor's topic on.
std::vector<std::string> asked_names(const RequestContext& context, const Request& request) {
  std::vector<std::string> names;
  if (request.topics.empty()) {
    for (const auto& entry : context.broker->topics().list()) names.push_back(entry->topic.name);
  } else {
    for (const auto& topic : request.topics) names.push_back(topic.name);
    std::ranges::sort(names);
    const auto repeated = std::ranges::unique(names);
    names.erase(repeated.begin(), repeated.end());
  }
  if (request.cursor) {
    const auto from = std::ranges::lower_bound(names, request.cursor->topic_name);
    names.erase(names.begin(), from);
  }
  return names;
}

// A client that names its topics pages among them; one that asks for all may point to a topic that is
// gone by now.
bool is_cursor_good(const Request& request) {
  if (!request.cursor) return true;
  if (request.cursor->partition_index < 0) return false;
  if (request.topics.empty()) return true;
  return std::ranges::find(request.topics, request.cursor->topic_name, &Request::TopicRequest::name) !=
         request.topics.end();
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Page page;
  if (!is_cursor_good(request)) {
    // There is no error for the whole answer; every topic carries it.
    for (auto& topic : request.topics) add_failed(page, std::move(topic.name), ErrorCode::invalid_request);
    co_return make_reply(*context, std::move(page.response), ErrorCode::invalid_request);
  }
  const auto limit =
      static_cast<std::int32_t>(context->broker->parts().config.integer("max.request.partition.size.limit"));
  const auto name_of = [](const auto& topic) { return std::string_view(topic.name); };
  if (is_worth_a_look(*context, request.topics, name_of)) co_await context->broker->lookout().look();
  page.room = std::clamp(request.response_partition_limit, 1, limit);
  for (std::string& name : asked_names(*context, request)) {
    if (page.response.next_cursor) break;
    if (page.full()) {
      set_cursor(page, std::move(name), 0);
      break;
    }
    const auto topic = context->broker->topics().find(name);
    if (topic) {
      const bool resumed = request.cursor && request.cursor->topic_name == name;
      add_known(*context, topic->topic, resumed ? request.cursor->partition_index : 0, page);
    } else if (auto good = broker::TopicCatalogue::check_name(name); !good) {
      add_failed(page, std::move(name), good.error().code);
    } else if (!request.topics.empty()) {
      add_failed(page, std::move(name), ErrorCode::unknown_topic_or_partition);
    }
  }
  const ErrorCode error = first_error(page.response.topics);
  co_return make_reply(*context, std::move(page.response), error);
}

}  // namespace

ApiRow describe_topic_partitions_row() {
  return make_row<Request, handle>({.name = "DescribeTopicPartitions"});
}

}  // namespace tidegate::api
