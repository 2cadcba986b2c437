// Topics: GET and POST /api/v1/topics, GET and DELETE /api/v1/topics/NAME.
#include "api_routes.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/partition_facts.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::admin {
namespace {

// Of one topic; more are left out, and the answer says so.
constexpr std::int32_t kMaxPartitions = 1000;
constexpr std::size_t kMaxTopics = 5000;

Task<HttpResponse> list(broker::Broker& broker) {
  Json topics = Json::array();
  const auto all = broker.topics().list();
  for (const auto& topic : all) {
    if (topics.size() == kMaxTopics) break;
    topics.push_back({{"name", topic->topic.name},
                      {"partitions", topic->topic.partitions},
                      {"cleanup", topic->settings.log.cleanup_delete ? "delete" : "compact"},
                      {"created_ms", topic->topic.created_ms},
                      {"own_configs", topic->topic.configs.size()}});
  }
  co_return answer_json({{"topics", std::move(topics)}, {"total", all.size()}});
}

std::string_view source_name(broker::TopicSetting::Source source) {
  switch (source) {
    case broker::TopicSetting::Source::topic:
      return "topic";
    case broker::TopicSetting::Source::server:
      return "server";
    case broker::TopicSetting::Source::default_value:
      return "default";
  }
  return "default";
}

Json configs_of(broker::Broker& broker, const broker::CatalogueTopic& topic) {
  Json out = Json::array();
  for (const auto& key : broker::topic_config_table().keys()) {
    const auto setting = broker::describe_topic_setting(key, topic.topic.configs, broker.parts().config);
    out.push_back({{"name", key.name}, {"value", setting.value}, {"source", source_name(setting.source)}});
  }
  return out;
}

Task<HttpResponse> describe(broker::Broker& broker, HttpRequest request) {
  const auto topic = broker.topics().find(std::string_view(request.segments.front()));
  if (!topic) co_return answer_error(404, "no such topic");
  const std::int32_t count = std::min(topic->topic.partitions, kMaxPartitions);
  std::vector<broker::OffsetQuery> earliest;
  std::vector<broker::OffsetQuery> latest;
  std::vector<broker::PartitionQuestion> questions;
  for (std::int32_t i = 0; i < count; ++i) {
    const PartitionId id{topic->topic.id, i};
    earliest.push_back(
        {.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::earliest)});
    latest.push_back({.partition = id, .timestamp = static_cast<std::int64_t>(broker::OffsetSpec::latest)});
    questions.push_back({id});
  }
  const auto starts = co_await broker.offsets().find(std::move(earliest));
  const auto ends = co_await broker.offsets().find(std::move(latest));
  broker::PartitionFacts facts = broker.offsets().facts();
  const auto sizes = co_await facts.sizes(std::move(questions));
  Json partitions = Json::array();
  for (std::int32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const PartitionId id{topic->topic.id, i};
    Json row{{"partition", i},
             {"leader", broker.parts().cluster.owner_of(id).node},
             {"start", starts[at].offset},
             {"end", ends[at].offset},
             {"size_bytes", sizes[at].bytes}};
    if (ends[at].error != ErrorCode::none) row["error"] = error_name(ends[at].error);
    partitions.push_back(std::move(row));
  }
  co_return answer_json({{"name", topic->topic.name},
                         {"id", topic->topic.id.to_string()},
                         {"created_ms", topic->topic.created_ms},
                         {"partition_count", topic->topic.partitions},
                         {"partitions", std::move(partitions)},
                         {"configs", configs_of(broker, *topic)}});
}

Task<HttpResponse> create(broker::Broker& broker, HttpRequest request) {
  const auto asked = Json::parse(request.body, nullptr, false);
  if (!asked.is_object() || !asked.contains("name") || !asked["name"].is_string()) {
    co_return answer_error(400, "a JSON object with name, and maybe partitions and configs");
  }
  broker::NewTopic topic;
  topic.name = asked["name"].get<std::string>();
  if (asked.contains("partitions")) {
    if (!asked["partitions"].is_number_integer()) co_return answer_error(400, "partitions is a number");
    const auto count = asked["partitions"].get<std::int64_t>();
    if (count < 1 || count > INT32_MAX) co_return answer_error(400, "partitions is out of range");
    topic.partitions = static_cast<std::int32_t>(count);
  }
  if (asked.contains("configs")) {
    if (!asked["configs"].is_object()) co_return answer_error(400, "configs is an object of texts");
    for (const auto& [name, value] : asked["configs"].items()) {
      if (!value.is_string()) co_return answer_error(400, "configs is an object of texts");
      topic.configs[name] = value.get<std::string>();
    }
  }
  std::vector<broker::NewTopic> topics;
  topics.push_back(std::move(topic));
  const auto made = co_await broker.topics().create(std::move(topics), false);
  const auto& first = made.front();
  if (!first) co_return answer_error(first.error().code, first.error().message);
  co_return answer_json({{"name", (*first)->topic.name}, {"id", (*first)->topic.id.to_string()}}, 201);
}

Task<HttpResponse> remove(broker::Broker& broker, HttpRequest request) {
  const auto topic = broker.topics().find(std::string_view(request.segments.front()));
  if (!topic) co_return answer_error(404, "no such topic");
  if (!broker.parts().config.boolean("delete.topic.enable")) {
    co_return answer_error(409, "delete.topic.enable is false");
  }
  std::vector<TopicId> ids{topic->topic.id};
  const auto done = co_await broker.topics().remove(std::move(ids));
  if (!done.front()) co_return answer_error(done.front().error().code, done.front().error().message);
  co_return answer_json(Json{{"deleted", topic->topic.name}});
}

}  // namespace

std::vector<Route> topic_routes(const ApiParts& parts) {
  return {
      with_broker(parts, "GET", "/api/v1/topics", Access::page,
                  [](broker::Broker& broker, HttpRequest) { return list(broker); }),
      with_broker(parts, "POST", "/api/v1/topics", Access::change, create),
      with_broker(parts, "GET", "/api/v1/topics/*", Access::page, describe),
      with_broker(parts, "DELETE", "/api/v1/topics/*", Access::change, remove),
  };
}

}  // namespace tidegate::admin
