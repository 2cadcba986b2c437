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

Result<void> apply_file(ConfigValues& values, const std::string& path);
// `get` is std::getenv in production.
Result<void> apply_environment(ConfigValues& values, const char* (*get)(const char* name));
// A line for each TIDEGATE_* name that no setting has, with the nearest that one has. Warnings, not
// errors: orchestrators put names of their own there (a Kubernetes service called tidegate does).
// `environment` is environ in production.
std::vector<std::string> unknown_environment(const ConfigTable& table, const char* const* environment);
// "key=value", from --set.
Result<void> apply_assignment(ConfigValues& values, std::string_view assignment);

}  // namespace tidegate::app
