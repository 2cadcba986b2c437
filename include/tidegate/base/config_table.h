// One table says everything about a set of settings: name, type, default, range, whether it can be
// reloaded, and its documentation. --help, environment names, docs/configuration.md and DescribeConfigs
// are made from it. There are two: server settings (broker/server_config.h) and topic settings
// (broker/topic_config.h). Values are kept as text in a normal form and read through typed getters.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"

namespace tidegate {

enum class ConfigType { boolean, int32, int64, float64, string, list, password };

struct ConfigKey {
  std::string_view name;  // Kafka's own where Kafka has one
  ConfigType type = ConfigType::string;
  std::string_view default_value;  // normal form; "" with has_default=false means null
  std::string_view doc;            // one or two sentences, with the unit
  // Of numbers, inclusive.
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::span<const std::string_view> allowed = {};  // of strings and list items; empty: anything
  bool reloadable = false;                         // takes effect on SIGHUP (server) or at once (topic)
  bool has_default = true;
  std::string_view synonym = {};  // topic key: the server key that is its default
  // Accepted and shown, but nothing acts on it; says why in docs and DescribeConfigs.
  bool no_effect = false;
};

class ConfigTable {
 public:
  explicit ConfigTable(std::span<const ConfigKey> keys);

  const ConfigKey* find(std::string_view name) const;
  std::span<const ConfigKey> keys() const { return keys_; }
  // find(), or invalid_config that suggests the nearest name.
  Result<const ConfigKey*> require(std::string_view name) const;
  // The known name with the smallest edit distance, if any is near enough to be a slip. Kafka's own
  // slips count as near: '_' or '-' for '.', capitals, a prefix left out (retention.ms, log.retention.ms).
  std::optional<std::string_view> nearest(std::string_view name) const;
  // Normal form of `text` for `key` (trimmed, numbers in decimal), or invalid_config with a message
  // that names the key, the value (never a password's) and what is allowed.
  static Result<std::string> normalise(const ConfigKey& key, std::string_view text);

 private:
  std::span<const ConfigKey> keys_;
  std::map<std::string_view, const ConfigKey*> by_name_;
};

enum class ConfigSource { default_value, file, environment, command_line };

// Values over a table. Getters assert that the key exists with that type: they are for our own names.
class ConfigValues {
 public:
  explicit ConfigValues(const ConfigTable& table) : table_(&table) {}

  // invalid_config for an unknown name (with the nearest) or a bad value. A value from a weaker source
  // (the enum's order) never replaces a stronger one, so the order of calls does not matter.
  Result<void> set(std::string_view name, std::string_view text, ConfigSource source);

  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  ConfigSource source(std::string_view name) const;
  bool is_set(std::string_view name) const;
  const ConfigTable& table() const { return *table_; }

 private:
  struct Value {
    std::string text;
    ConfigSource source = ConfigSource::default_value;
  };
  std::string_view raw(std::string_view name) const;
  const ConfigTable* table_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace tidegate
