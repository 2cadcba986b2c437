// DeleteTopics (key 20), by name or (version 6) by id.
#include "tidegate/protocol/messages/delete_topics.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../handler.h"
#include "../rows.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/broker/topic_lookout.h"

namespace tidegate::api {
namespace {

using Request = protocol::DeleteTopicsRequest;
using Response = protocol::DeleteTopicsResponse;
using Answer = Response::DeletableTopicResult;
using Asked = Request::DeleteTopicState;

constexpr std::int16_t kAsksByState = 6;
// Older clients know no TOPIC_DELETION_DISABLED.
constexpr std::int16_t kKnowsDeletionDisabled = 3;

std::vector<Asked> asked_topics(Request& request, std::int16_t version) {
  if (version >= kAsksByState) return std::move(request.topics);
  std::vector<Asked> asked;
  asked.reserve(request.topic_names.size());
  for (std::string& name : request.topic_names) asked.push_back({.name = std::move(name), .topic_id = {}});
  return asked;
}

Result<void> check_shape(const Asked& asked) {
  const bool by_id = !asked.topic_id.is_zero();
  if (asked.name && by_id) return fail(ErrorCode::invalid_request, "Name a topic or give its ID, not both.");
  if (!asked.name && !by_id)
    return fail(ErrorCode::invalid_request, "Neither a topic name nor an ID is given.");
  return {};
}

Result<broker::CatalogueTopicPtr> find_topic(const RequestContext& context, const Asked& asked) {
  if (auto good = check_shape(asked); !good) return fail(std::move(good.error()));
  const broker::TopicCatalogue& topics = context.broker->topics();
  if (asked.name) {
    if (auto found = topics.find(*asked.name)) return found;
    return fail(ErrorCode::unknown_topic_or_partition, "There is no such topic.");
  }
  if (auto found = topics.find(asked.topic_id)) return found;
  return fail(ErrorCode::unknown_topic_id, "There is no topic with this ID.");
}

// How often the request asks for the same topic, whether by name or by id.
struct Counts {
  std::unordered_map<std::string_view, int> names;
  std::unordered_map<Uuid, int> ids;

  int& of(const Asked& asked) { return asked.name ? names[*asked.name] : ids[asked.topic_id]; }
};

void disable_all(const std::vector<Asked>& asked, std::int16_t version, Response& response) {
  for (const Asked& topic : asked) {
    Answer& answer = response.responses.emplace_back();
    answer.name = topic.name;
    answer.topic_id = topic.topic_id;
    set_error(
        answer,
        version < kKnowsDeletionDisabled ? ErrorCode::invalid_request : ErrorCode::topic_deletion_disabled,
        "Topic deletion is disabled (delete.topic.enable=false).");
  }
}

// The topics that the request may delete, and where the answer to each goes.
struct Doomed {
  std::vector<TopicId> ids;
  std::vector<std::size_t> places;
  std::vector<bool> by_name;
};

Response judge(const RequestContext& context, const std::vector<Asked>& asked, Doomed& doomed) {
  Response response;
  Counts counts;
  std::unordered_set<Uuid> named;  // ids of the topics that were asked for by name
  for (const Asked& topic : asked) {
    ++counts.of(topic);
    if (!topic.name) continue;
    if (const auto found = context.broker->topics().find(*topic.name)) named.insert(found->topic.id);
  }
  for (const Asked& topic : asked) {
    int& count = counts.of(topic);
    if (count == 0) continue;  // a repeated topic that has its answer
    Answer& answer = response.responses.emplace_back();
    answer.name = topic.name;
    answer.topic_id = topic.topic_id;
    const bool twice = count > 1 || (!topic.name && named.contains(topic.topic_id));
    if (check_shape(topic) && twice) {
      set_error(answer, ErrorCode::invalid_request, "The request has this topic more than once.");
      count = 0;
      continue;
    }
    auto found = find_topic(context, topic);
    if (!found) {
      set_error(answer, std::move(found.error()));
      continue;
    }
    answer.name = (*found)->topic.name;
    answer.topic_id = (*found)->topic.id;
    doomed.ids.push_back(answer.topic_id);
    doomed.places.push_back(response.responses.size() - 1);
    doomed.by_name.push_back(topic.name.has_value());
  }
  return response;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  const std::vector<Asked> asked = asked_topics(request, context->version);
  if (!context->broker->parts().config.boolean("delete.topic.enable")) {
    disable_all(asked, context->version, response);
  } else {
    const auto unknown = [&](const Asked& topic) { return !find_topic(*context, topic); };
    if (context->broker->lookout().is_on() && std::ranges::any_of(asked, unknown))
      co_await context->broker->lookout().look();
    Doomed doomed;
    response = judge(*context, asked, doomed);
    auto removed = co_await context->broker->topics().remove(std::move(doomed.ids));
    for (std::size_t i = 0; i < removed.size(); ++i) {
      if (removed[i]) continue;
      Answer& answer = response.responses[doomed.places[i]];
      // Somebody else was faster; who asked by name is told so in those words.
      if (doomed.by_name[i] && removed[i].error().code == ErrorCode::unknown_topic_id) {
        removed[i].error().code = ErrorCode::unknown_topic_or_partition;
      }
      set_error(answer, std::move(removed[i].error()));
    }
  }
  const ErrorCode error = first_error(response.responses);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow delete_topics_row() {
  return make_row<Request, handle>({.name = "DeleteTopics", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
