// Schema settings of the server and of topics, in the form that schema/ takes them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/topic_config.h"
#include "tidegate/schema/http.h"
#include "tidegate/schema/policy.h"
#include "tidegate/schema/registry.h"
#include "tidegate/schema/validation_options.h"

namespace tidegate::broker {

// A registry is named: without one nothing of schema/ is made, and no topic may ask for validation.
bool has_schema_registry(const ConfigValues& server);
// Of checked settings with a registry.
schema::RegistryOptions schema_registry_options(const ConfigValues& server);
schema::CurlOptions schema_registry_access(const ConfigValues& server);
schema::ValidationOptions schema_validation_options(const ConfigValues& server);
// invalid_config for URLs and authentication that cannot be.
Result<void> check_schema_registry(const ConfigValues& server);

// `text` gives a topic setting's value, with what goes for it where the topic has none.
using TopicText = std::function<std::string(std::string_view)>;
schema::TopicPolicy make_schema_policy(const TopicText& text);
Result<void> check_schema_policy(const schema::TopicPolicy& policy, const ConfigValues& server);

// Names that Confluent Server and Redpanda have for the same switches. They are topic settings of their
// own, kept as the client set them; the first one that is set goes for `own` when that is not.
struct SchemaAlias {
  std::string_view own;
  std::string_view alias;
};
std::vector<SchemaAlias> schema_aliases_of(std::string_view own);
// The value of the alias in the words of `own`.
std::string from_schema_alias(std::string_view value);

}  // namespace tidegate::broker
