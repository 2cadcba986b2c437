// Metadata (key 3): who the brokers are, which topics there are and who leads their partitions.
#include "tidegate/protocol/messages/metadata.h"

#include <algorithm>
#include <unordered_set>

#include "../handler.h"
#include "../rows.h"
#include "answers.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/broker/topic_lookout.h"

namespace tidegate::api {
namespace {

using Request = protocol::MetadataRequest;
using Response = protocol::MetadataResponse;
using Topic = Response::MetadataResponseTopic;

// Versions 10 and 11 carry topic ids but must not ask by them (KIP-516).
constexpr std::int16_t kAsksById = 12;

struct Options {
  bool may_create = false;
  bool with_operations = false;
};

void fill_partitions(const RequestContext& context, const storage::Topic& topic, Topic& answer) {
  answer.partitions.resize(static_cast<std::size_t>(topic.partitions));
  for (std::int32_t i = 0; i < topic.partitions; ++i) {
    const Leader leader = leader_of(context, {topic.id, i});
    auto& partition = answer.partitions[static_cast<std::size_t>(i)];
    partition.partition_index = i;
    partition.leader_id = leader.node;
    partition.leader_epoch = leader.epoch;
    partition.replica_nodes.push_back(leader.node);
    partition.isr_nodes.push_back(leader.node);
  }
}

Topic known_topic(const RequestContext& context, Options options, const storage::Topic& topic) {
  Topic answer;
  answer.name = topic.name;
  answer.topic_id = topic.id;
  answer.is_internal = is_internal_topic(topic.name);
  if (options.with_operations) answer.topic_authorized_operations = kAllTopicOperations;
  fill_partitions(context, topic, answer);
  return answer;
}

Topic failed_topic(std::optional<std::string> name, Uuid id, ErrorCode error) {
  Topic answer;
  answer.error_code = error;
  answer.name = std::move(name);
  answer.topic_id = id;
  return answer;
}

Task<Topic> topic_by_name(RequestContextPtr context, Options options, std::string name) {
  broker::TopicCatalogue& topics = context->broker->topics();
  if (const auto found = topics.find(name)) co_return known_topic(*context, options, found->topic);
  if (const auto good = broker::TopicCatalogue::check_name(name); !good) {
    co_return failed_topic(std::move(name), {}, good.error().code);
  }
  if (!options.may_create) co_return failed_topic(std::move(name), {}, ErrorCode::unknown_topic_or_partition);
  const auto created = co_await topics.auto_create(name);
  if (!created) co_return failed_topic(std::move(name), {}, created.error().code);
  co_return known_topic(*context, options, (*created)->topic);
}

Task<Topic> asked_topic(RequestContextPtr context, Options options, Request::MetadataRequestTopic asked) {
  if (asked.topic_id.is_zero()) {
    if (!asked.name) co_return failed_topic(std::string{}, {}, ErrorCode::invalid_request);
    co_return co_await topic_by_name(std::move(context), options, std::move(*asked.name));
  }
  if (context->version < kAsksById) {
    co_return failed_topic(asked.name.value_or(""), asked.topic_id, ErrorCode::invalid_request);
  }
  const auto found = context->broker->topics().find(asked.topic_id);
  if (!found) co_return failed_topic(std::nullopt, asked.topic_id, ErrorCode::unknown_topic_id);
  co_return known_topic(*context, options, found->topic);
}

bool is_unknown(const RequestContext& context, Options options, const Request::MetadataRequestTopic& asked) {
  const broker::TopicCatalogue& topics = context.broker->topics();
  if (!asked.topic_id.is_zero()) return context.version >= kAsksById && !topics.find(asked.topic_id);
  // One that may be made finds out whether there is one.
  return !options.may_create && asked.name && broker::TopicCatalogue::check_name(*asked.name) &&
         !topics.find(*asked.name);
}

// What was asked for, each topic once: a repeated name must not multiply the answer.
Task<std::vector<Topic>> asked_topics(RequestContextPtr context, Options options,
                                      std::vector<Request::MetadataRequestTopic> topics) {
  const auto unknown = [&](const auto& asked) { return is_unknown(*context, options, asked); };
  if (context->broker->lookout().is_on() && std::ranges::any_of(topics, unknown))
    co_await context->broker->lookout().look();
  std::vector<Topic> answers;
  std::unordered_set<std::string_view> names;
  std::unordered_set<Uuid> ids;
  for (const auto& asked : topics) {
    // A view of what `topics` holds: a std::string made here would be gone by the next turn.
    const std::string_view name = asked.name ? std::string_view(*asked.name) : std::string_view();
    const bool first =
        asked.topic_id.is_zero() ? names.insert(name).second : ids.insert(asked.topic_id).second;
    if (first) answers.push_back(co_await asked_topic(context, options, asked));
  }
  co_return answers;
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  const broker::BrokerParts& parts = context->broker->parts();
  const storage::Cluster& cluster = parts.cluster;
  const Options options{
      .may_create = request.allow_auto_topic_creation && parts.config.boolean("auto.create.topics.enable"),
      .with_operations = request.include_topic_authorized_operations};
  for (BrokerAddress& address : broker_addresses(*context)) {
    response.brokers.push_back(
        {address.node, std::move(address.host), address.port, std::move(address.rack)});
  }
  response.cluster_id = cluster.cluster_id();
  response.controller_id = cluster.self();
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  // Version 0 has no null: there an empty list stands for all topics.
  const bool all = !request.topics || (context->version == 0 && request.topics->empty());
  if (all) {
    const auto topics = context->broker->topics().list();
    response.topics.reserve(topics.size());
    for (const auto& entry : topics) response.topics.push_back(known_topic(*context, options, entry->topic));
  } else {
    response.topics = co_await asked_topics(context, options, std::move(*request.topics));
  }
  const ErrorCode error = first_error(response.topics);
  co_return make_reply(*context, std::move(response), error);
}

// Storage is not there yet. Clients take a topic without a leader for a passing state and ask again; a list
// of all topics that is empty they would believe. This node is told: librdkafka takes down what it has of
// brokers that are not in an answer, and one that has taken down all may have nobody left to ask.
Task<Reply> handle_waiting(RequestContextPtr context, Request request) {
  if (!request.topics || (context->version == 0 && request.topics->empty())) {
    co_return Reply{.send = false, .close = true, .close_reason = "storage is not there yet"};
  }
  Response response;
  const ClientSession& session = *context->session;
  response.brokers.push_back(
      {.node_id = session.node, .host = session.advertised_host, .port = session.advertised_port});
  for (auto& asked : *request.topics) {
    response.topics.push_back(
        failed_topic(std::move(asked.name), asked.topic_id, ErrorCode::leader_not_available));
  }
  co_return make_reply(*context, std::move(response), ErrorCode::leader_not_available);
}

}  // namespace

ApiRow metadata_row() {
  ApiRow row = make_row<Request, handle>({.name = "Metadata"});
  row.invoke_waiting = &invoke<Request, handle_waiting>;
  return row;
}

}  // namespace tidegate::api
