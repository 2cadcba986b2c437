#include "tidegate/broker/schema_config.h"

#include <fmt/format.h>

namespace tidegate::broker {
namespace {

constexpr SchemaAlias kAliases[] = {
    {"tidegate.key.schema.validation", "confluent.key.schema.validation"},
    {"tidegate.key.schema.validation", "redpanda.key.schema.id.validation"},
    {"tidegate.key.schema.subject.name.strategy", "confluent.key.subject.name.strategy"},
    {"tidegate.key.schema.subject.name.strategy", "redpanda.key.subject.name.strategy"},
    {"tidegate.value.schema.validation", "confluent.value.schema.validation"},
    {"tidegate.value.schema.validation", "redpanda.value.schema.id.validation"},
    {"tidegate.value.schema.subject.name.strategy", "confluent.value.subject.name.strategy"},
    {"tidegate.value.schema.subject.name.strategy", "redpanda.value.subject.name.strategy"},
};

// The settings of one field of a record.
struct FieldKeys {
  std::string_view validation;
  std::string_view strategy;
  std::string_view on_registry_error;
};
constexpr FieldKeys kKeyKeys{"tidegate.key.schema.validation", "tidegate.key.schema.subject.name.strategy",
                             "tidegate.key.schema.on.registry.error"};
constexpr FieldKeys kValueKeys{"tidegate.value.schema.validation",
                               "tidegate.value.schema.subject.name.strategy",
                               "tidegate.value.schema.on.registry.error"};

schema::FieldPolicy field_policy(const TopicText& text, const FieldKeys& keys) {
  const std::string validation = text(keys.validation);
  const std::string strategy = text(keys.strategy);
  schema::FieldPolicy policy;
  if (validation == "id") policy.validation = schema::Validation::id;
  if (validation == "full") policy.validation = schema::Validation::full;
  if (strategy == "record") policy.strategy = schema::SubjectStrategy::record;
  if (strategy == "topic-record") policy.strategy = schema::SubjectStrategy::topic_record;
  policy.accept_unchecked = text(keys.on_registry_error) == "accept";
  return policy;
}

}  // namespace

bool has_schema_registry(const ConfigValues& server) { return !server.list("schema.registry.url").empty(); }

schema::RegistryOptions schema_registry_options(const ConfigValues& server) {
  const auto ms = [&](std::string_view key) { return std::chrono::milliseconds(server.integer(key)); };
  const auto size = [&](std::string_view key) { return static_cast<std::size_t>(server.integer(key)); };
  schema::RegistryOptions options;
  for (const std::string& url : server.list("schema.registry.url")) {
    // Checked at the start; what a test leaves unchecked is taken as it is.
    options.urls.push_back(schema::check_registry_url(url).value_or(url));
  }
  options.timeout = ms("schema.registry.timeout.ms");
  options.connect_timeout = ms("schema.registry.connect.timeout.ms");
  options.tries = static_cast<int>(server.integer("schema.registry.tries"));
  options.max_body_bytes = size("schema.registry.max.body.bytes");
  options.schema_cache_bytes = size("schema.cache.bytes");
  options.subject_cache_entries = size("schema.cache.subject.ids");
  options.negative_ttl = ms("schema.cache.unknown.ms");
  options.unknown_ids_per_second =
      static_cast<double>(server.integer("schema.registry.unknown.ids.per.second"));
  options.subjects_refresh = ms("schema.registry.subjects.refresh.ms");
  return options;
}

schema::ValidationOptions schema_validation_options(const ConfigValues& server) {
  const auto size = [&](std::string_view key) { return static_cast<std::size_t>(server.integer(key)); };
  return {.compiled_cache_bytes = size("schema.compiled.cache.bytes"),
          .max_schema_bytes = size("schema.max.bytes"),
          .max_references = size("schema.max.references"),
          .max_reference_depth = size("schema.max.reference.depth"),
          .max_types = size("schema.max.types"),
          .max_fields = size("schema.max.fields"),
          .max_schema_depth = size("schema.max.depth"),
          .max_pattern_bytes = size("schema.max.pattern.bytes"),
          .max_record_depth = size("schema.record.max.depth"),
          .max_empty_values = size("schema.record.max.empty.values"),
          .max_steps = size("schema.record.max.steps"),
          .unusable_ttl = std::chrono::milliseconds(server.integer("schema.cache.unknown.ms"))};
}

schema::CurlOptions schema_registry_access(const ConfigValues& server) {
  return {.user_info = server.text("schema.registry.basic.auth.user.info"),
          .bearer_token = server.text("schema.registry.bearer.auth.token"),
          .ca_file = server.text("schema.registry.ssl.ca.location"),
          .certificate_file = server.text("schema.registry.ssl.certificate.location"),
          .key_file = server.text("schema.registry.ssl.key.location"),
          .key_password = server.text("schema.registry.ssl.key.password")};
}

Result<void> check_schema_registry(const ConfigValues& server) {
  for (const std::string& url : server.list("schema.registry.url")) {
    if (auto good = schema::check_registry_url(url); !good) return fail(std::move(good.error()));
  }
  const auto access = schema_registry_access(server);
  if (!access.user_info.empty() && !access.bearer_token.empty()) {
    return fail(ErrorCode::invalid_config,
                "schema.registry.basic.auth.user.info and schema.registry.bearer.auth.token are both set; "
                "one is used.");
  }
  if (!access.user_info.empty() && access.user_info.find(':') == std::string::npos) {
    return fail(ErrorCode::invalid_config, "schema.registry.basic.auth.user.info is not USER:PASSWORD.");
  }
  if (access.certificate_file.empty() != access.key_file.empty()) {
    return fail(ErrorCode::invalid_config,
                "schema.registry.ssl.certificate.location and schema.registry.ssl.key.location go together.");
  }
  return {};
}

schema::TopicPolicy make_schema_policy(const TopicText& text) {
  return {.key = field_policy(text, kKeyKeys), .value = field_policy(text, kValueKeys)};
}

Result<void> check_schema_policy(const schema::TopicPolicy& policy, const ConfigValues& server) {
  if (!policy.any()) return {};
  if (!has_schema_registry(server)) {
    return fail(ErrorCode::invalid_config,
                "Schema validation needs a registry: the server setting schema.registry.url is not set.");
  }
  return {};
}

std::vector<SchemaAlias> schema_aliases_of(std::string_view own) {
  std::vector<SchemaAlias> found;
  for (const SchemaAlias& each : kAliases) {
    if (each.own == own) found.push_back(each);
  }
  return found;
}

std::string from_schema_alias(std::string_view value) {
  // Validation is a switch there, and means the id. Strategies are class names, or the last part of one.
  if (value == "true") return "id";
  if (value == "false") return "off";
  if (const std::size_t dot = value.rfind('.'); dot != std::string_view::npos) value.remove_prefix(dot + 1);
  if (value == "RecordNameStrategy") return "record";
  if (value == "TopicRecordNameStrategy") return "topic-record";
  return "topic";
}

}  // namespace tidegate::broker
