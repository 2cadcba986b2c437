#include "schemas_page.h"

#include <nlohmann/json.hpp>

namespace tidegate::admin {
namespace {

using Json = nlohmann::ordered_json;

std::string_view strategy_name(schema::SubjectStrategy strategy) {
  switch (strategy) {
    case schema::SubjectStrategy::topic:
      return "topic";
    case schema::SubjectStrategy::record:
      return "record";
    case schema::SubjectStrategy::topic_record:
      return "topic-record";
  }
  return "topic";
}

Json field(const broker::SchemaOverview::Field& told, bool subjects_known) {
  Json json{{"validation", schema::validation_name(told.policy.validation)},
            {"strategy", strategy_name(told.policy.strategy)},
            {"on_registry_error", told.policy.accept_unchecked ? "accept" : "fail"},
            {"subject", told.subject}};
  // null: nobody has asked the registry yet.
  json["subject_registered"] = subjects_known ? Json(told.registered) : Json();
  return json;
}

}  // namespace

std::string schemas_page(const broker::SchemaOverview& overview) {
  Json json;
  if (overview.has_registry) {
    const auto& registry = overview.registry;
    Json urls = Json::array();
    for (const auto& endpoint : registry.endpoints) {
      urls.push_back({{"url", endpoint.url},
                      {"breaker", endpoint.open ? "open" : "closed"},
                      {"last_problem", endpoint.last_problem}});
    }
    json["registry"] = {{"urls", std::move(urls)},
                        {"cached_schemas", registry.cached_schemas},
                        {"cached_schema_bytes", registry.cached_schema_bytes},
                        {"cached_subject_ids", registry.cached_subject_ids},
                        {"subjects_known", registry.subjects_known}};
  } else {
    json["registry"] = nullptr;
  }
  json["topics"] = Json::array();
  for (const auto& topic : overview.topics) {
    json["topics"].push_back({{"name", topic.name},
                              {"key", field(topic.key, overview.registry.subjects_known)},
                              {"value", field(topic.value, overview.registry.subjects_known)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::admin
