// CreateTopics (key 19). Good topics of a request are created together; each bad one gets its own error.
#include "tidegate/protocol/messages/create_topics.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::api {
namespace {

using Request = protocol::CreateTopicsRequest;
using Response = protocol::CreateTopicsResponse;
using Answer = Response::CreatableTopicResult;
using CreatedConfig = Response::CreatableTopicConfigs;

// The configs in the answer are optional for us to compute: older versions cannot carry them.
constexpr std::int16_t kReturnsConfigs = 5;

// A client's own placement. Every partition is on the one node there is, so only its shape counts.
Result<std::int32_t> assigned_partitions(const RequestContext& context,
                                         const Request::CreatableTopic& topic) {
  if (topic.num_partitions != -1 || topic.replication_factor != -1) {
    return fail(ErrorCode::invalid_request,
                "With a manual assignment the number of partitions and the replication factor must be -1.");
  }
  std::set<std::int32_t> indexes;
  for (const auto& assignment : topic.assignments) {
    if (!indexes.insert(assignment.partition_index).second) {
      return fail(ErrorCode::invalid_replica_assignment,
                  fmt::format("The manual assignment has partition {} twice.", assignment.partition_index));
    }
    if (auto good = check_replicas(context, assignment.broker_ids); !good)
      return fail(std::move(good.error()));
  }
  const auto count = static_cast<std::int32_t>(indexes.size());
  if (*indexes.begin() != 0 || *indexes.rbegin() != count - 1) {
    return fail(ErrorCode::invalid_replica_assignment,
                "The partitions of a manual assignment must be numbered from 0 without gaps.");
  }
  return count;
}

Result<void> check_replication_factor(const RequestContext& context, std::int16_t factor) {
  if (factor == -1) return {};
  if (factor < 1) {
    return fail(ErrorCode::invalid_replication_factor,
                "The replication factor must be at least 1, or -1 for the server's default.");
  }
  const std::size_t brokers = context.broker->parts().cluster.members().size();
  if (static_cast<std::size_t>(factor) > brokers) {
    return fail(ErrorCode::invalid_replication_factor,
                fmt::format("The replication factor is {}, but there is only {} broker.", factor, brokers));
  }
  return {};
}

Result<broker::NewTopic> wanted_topic(const RequestContext& context, Request::CreatableTopic& topic) {
  broker::NewTopic wanted{.name = topic.name, .partitions = topic.num_partitions, .configs = {}};
  // The name comes first: nobody wants to hear of the partitions of a topic that cannot be.
  if (auto good = broker::TopicCatalogue::check_name(topic.name); !good) return fail(std::move(good.error()));
  if (context.broker->topics().find(topic.name)) {
    return fail(ErrorCode::topic_already_exists, fmt::format("Topic '{}' already exists.", topic.name));
  }
  for (auto& config : topic.configs) {
    if (!config.value) {
      return fail(ErrorCode::invalid_config, fmt::format("Config {} has a null value.", config.name));
    }
    wanted.configs.insert_or_assign(std::move(config.name), std::move(*config.value));
  }
  if (!topic.assignments.empty()) {
    auto partitions = assigned_partitions(context, topic);
    if (!partitions) return fail(std::move(partitions.error()));
    wanted.partitions = *partitions;
    return wanted;
  }
  if (auto good = check_replication_factor(context, topic.replication_factor); !good) {
    return fail(std::move(good.error()));
  }
  return wanted;
}

std::vector<CreatedConfig> configs_of(const RequestContext& context, const broker::TopicConfigs& own) {
  const ConfigValues& server = context.broker->parts().config;
  const storage::Capabilities engine = context.broker->parts().engine.capabilities();
  std::vector<CreatedConfig> configs;
  configs.reserve(broker::topic_config_table().keys().size());
  for (const ConfigKey& key : broker::topic_config_table().keys()) {
    if (!broker::is_setting_of(key, engine)) continue;
    auto setting = broker::describe_topic_setting(key, own, server);
    CreatedConfig config;
    config.name = key.name;
    config.value = std::move(setting.value);
    config.read_only = broker::is_fixed(key);
    config.config_source = config_source_number(setting.source);
    configs.push_back(std::move(config));
  }
  return configs;
}

// `defaults` are the configs of a topic without its own: a request may make thousands of those.
void fill_created(const RequestContext& context, const broker::CatalogueTopic& topic,
                  const std::vector<CreatedConfig>& defaults, Answer& answer) {
  answer.topic_id = topic.topic.id;
  answer.error_message = std::nullopt;
  answer.num_partitions = topic.topic.partitions;
  answer.replication_factor = 1;
  if (context.version < kReturnsConfigs) return;
  const auto& own = topic.topic.configs;
  answer.configs = own.empty() ? defaults : configs_of(context, own);
}

// Names that the request has more than once; they are answered once, with an error.
std::unordered_map<std::string_view, int> count_names(const Request& request) {
  std::unordered_map<std::string_view, int> counts;
  for (const auto& topic : request.topics) ++counts[topic.name];
  return counts;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  std::vector<broker::NewTopic> wanted;
  std::vector<std::size_t> places;  // of each wanted topic's answer
  auto counts = count_names(request);
  for (auto& topic : request.topics) {
    int& count = counts[topic.name];
    if (count == 0) continue;  // a repeated name that has its answer
    Answer& answer = response.topics.emplace_back();
    answer.name = topic.name;
    if (count > 1) {
      count = 0;
      set_error(answer, ErrorCode::invalid_request, "The request has this topic more than once.");
      continue;
    }
    auto good = wanted_topic(*context, topic);
    if (!good) {
      set_error(answer, std::move(good.error()));
      continue;
    }
    places.push_back(response.topics.size() - 1);
    wanted.push_back(std::move(*good));
  }
  if (!wanted.empty()) {
    const auto defaults = configs_of(*context, {});
    auto created = co_await context->broker->topics().create(std::move(wanted), request.validate_only);
    for (std::size_t i = 0; i < created.size(); ++i) {
      Answer& answer = response.topics[places[i]];
      if (created[i]) {
        fill_created(*context, **created[i], defaults, answer);
      } else {
        set_error(answer, std::move(created[i].error()));
      }
    }
  }
  const ErrorCode error = first_error(response.topics);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow create_topics_row() {
  return make_row<Request, handle>({.name = "CreateTopics", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
