// DescribeConfigs (key 32): every setting of a topic or of this server, with where its value comes from.
#include "tidegate/protocol/messages/describe_configs.h"

#include <algorithm>

#include <fmt/format.h>

#include "../handler.h"
#include "../rows.h"
#include "../unknown_topics.h"
#include "config_resources.h"
#include "tidegate/broker/server_config.h"

namespace tidegate::api {
namespace {

using Request = protocol::DescribeConfigsRequest;
using Response = protocol::DescribeConfigsResponse;
using Asked = Request::DescribeConfigsResource;
using Answer = Response::DescribeConfigsResult;
using Config = Response::DescribeConfigsResourceResult;

constexpr std::int8_t kStaticBrokerSource = 4;
constexpr std::int8_t kDefaultSource = 5;

struct Wishes {
  bool synonyms = false;
  bool documentation = false;
};

std::int8_t type_number(ConfigType type) {
  switch (type) {
    case ConfigType::boolean:
      return 1;
    case ConfigType::string:
      return 2;
    case ConfigType::int32:
      return 3;
    case ConfigType::int64:
      return 5;
    case ConfigType::float64:
      return 6;
    case ConfigType::list:
      return 7;
    case ConfigType::password:
      return 9;
  }
  return 0;
}

bool is_asked(const Asked& asked, std::string_view name) {
  if (!asked.configuration_keys || asked.configuration_keys->empty()) return true;
  return std::ranges::find(*asked.configuration_keys, name) != asked.configuration_keys->end();
}

Config config_of(const ConfigKey& key, Wishes wishes) {
  Config config;
  config.name = key.name;
  config.config_type = type_number(key.type);
  config.is_sensitive = key.type == ConfigType::password;
  config.documentation = std::nullopt;
  if (wishes.documentation) {
    config.documentation = key.no_effect ? fmt::format("Without effect. {}", key.doc) : std::string(key.doc);
  }
  return config;
}

void fill_topic(const RequestContext& context, const Asked& asked, Wishes wishes, Answer& answer) {
  if (auto good = broker::TopicCatalogue::check_name(asked.resource_name); !good) {
    set_error(answer, std::move(good.error()));
    return;
  }
  const auto topic = context.broker->topics().find(asked.resource_name);
  if (!topic) {
    set_error(answer, ErrorCode::unknown_topic_or_partition, "There is no such topic.");
    return;
  }
  const ConfigValues& server = context.broker->parts().config;
  const storage::Capabilities engine = context.broker->parts().engine.capabilities();
  for (const ConfigKey& key : broker::topic_config_table().keys()) {
    if (!is_asked(asked, key.name) || !broker::is_setting_of(key, engine)) continue;
    auto setting = broker::describe_topic_setting(key, topic->topic.configs, server);
    Config config = config_of(key, wishes);
    config.value = std::move(setting.value);
    config.read_only = broker::is_fixed(key);
    config.config_source = config_source_number(setting.source);
    if (wishes.synonyms) {
      for (auto& synonym : setting.synonyms) {
        config.synonyms.push_back(
            {std::string(synonym.name), std::move(synonym.value), config_source_number(synonym.source)});
      }
    }
    answer.configs.push_back(std::move(config));
  }
}

std::optional<std::string> default_of(const ConfigKey& key) {
  if (!key.has_default) return std::nullopt;
  return std::string(key.default_value);
}

void fill_broker(const RequestContext& context, const Asked& asked, Wishes wishes, Answer& answer) {
  if (auto good = check_broker_name(context, asked.resource_name); !good) {
    set_error(answer, std::move(good.error()));
    return;
  }
  // The defaults of all brokers are what clients have set for them, and they cannot set any.
  if (asked.resource_name.empty()) return;
  const ConfigValues& server = context.broker->parts().config;
  for (const ConfigKey& key : broker::server_config_table().keys()) {
    if (!is_asked(asked, key.name)) continue;
    Config config = config_of(key, wishes);
    const bool is_set = server.is_set(key.name);
    config.value = is_set ? std::optional(server.text(key.name)) : default_of(key);
    if (config.is_sensitive) config.value = std::nullopt;
    config.read_only = true;
    config.config_source = is_set ? kStaticBrokerSource : kDefaultSource;
    if (wishes.synonyms) {
      if (is_set) config.synonyms.push_back({config.name, config.value, kStaticBrokerSource});
      if (key.has_default) {
        config.synonyms.push_back(
            {config.name, config.is_sensitive ? std::nullopt : default_of(key), kDefaultSource});
      }
    }
    answer.configs.push_back(std::move(config));
  }
}

Task<Reply> handle(RequestContextPtr context, Request request) {
  Response response;
  const Wishes wishes{.synonyms = request.include_synonyms, .documentation = request.include_documentation};
  const auto is_topic = [](const Asked& asked) { return asked.resource_type == kTopicResource; };
  const auto name_of = [](const Asked& asked) { return std::string_view(asked.resource_name); };
  if (is_worth_a_look(*context, std::views::filter(request.resources, is_topic), name_of))
    co_await context->broker->lookout().look();
  auto counts = count_resources(request);
  for (const Asked& asked : request.resources) {
    // A resource asked for twice has the same answer: once is enough.
    if (std::exchange(counts[{asked.resource_type, asked.resource_name}], 0) == 0) continue;
    Answer& answer = response.results.emplace_back();
    answer.resource_type = asked.resource_type;
    answer.resource_name = asked.resource_name;
    if (asked.resource_type == kTopicResource) {
      fill_topic(*context, asked, wishes, answer);
    } else if (asked.resource_type == kBrokerResource) {
      fill_broker(*context, asked, wishes, answer);
    } else {
      set_error(answer, unsupported_resource(asked.resource_type));
    }
  }
  const ErrorCode error = first_error(response.results);
  co_return make_reply(*context, std::move(response), error);
}

}  // namespace

ApiRow describe_configs_row() { return make_row<Request, handle>({.name = "DescribeConfigs"}); }

}  // namespace tidegate::api
