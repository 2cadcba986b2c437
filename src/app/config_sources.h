// Where settings come from, lowest first: defaults, a file (YAML or Kafka's server.properties), the
// environment, the command line. Every source ends in ConfigValues::set, so that the table alone says
// what is legal.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/result.h"

namespace tidegate::app {

struct Setting {
  std::string key;
  std::string value;
  std::string where;  // "tidegate.yaml:12", for messages
};

// YAML when the name ends in .yaml or .yml, else the .properties format. Nested YAML maps are joined by
// dots; sequences by commas. invalid_config names file and line.
Result<std::vector<Setting>> read_config_file(const std::string& path);
Result<std::vector<Setting>> parse_properties(std::string_view text, const std::string& name);
Result<std::vector<Setting>> parse_yaml(const std::string& text, const std::string& name);

// num.partitions -> TIDEGATE_NUM_PARTITIONS
std::string environment_name(std::string_view key);
// KAFKA_NUM_PARTITIONS -> num.partitions, as Kafka's container image reads it: after KAFKA_ '_' is a dot,
// '__' a '_' and '___' a '-'. Empty for a name that does not begin so.
std::string kafka_setting_name(std::string_view environment_name);

Result<void> apply_file(ConfigValues& values, const std::string& path);
// TIDEGATE_* names, which win over KAFKA_* ones. KAFKA_* names that stand for no setting are passed over.
// `environment` is environ in production.
Result<void> apply_environment(ConfigValues& values, const char* const* environment);
// A line for each TIDEGATE_* or KAFKA_* name that no setting has, with the nearest that one has. Warnings,
// not errors: orchestrators put names of their own there (a Kubernetes service called kafka does). What
// Kafka's start scripts read (KAFKA_HEAP_OPTS) is passed over.
std::vector<std::string> unknown_environment(const ConfigTable& table, const char* const* environment);
// unknown_environment(), and one line that names every setting that is set and has no effect.
std::vector<std::string> config_warnings(const ConfigValues& values, const char* const* environment);
// "key=value", from --set.
Result<void> apply_assignment(ConfigValues& values, std::string_view assignment);

}  // namespace tidegate::app
