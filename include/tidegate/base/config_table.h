// One table says everything about a set of settings: name, type, default, range, whether it can be
// reloaded, and its documentation. --help, environment names, docs/configuration.md and DescribeConfigs
// are made from it. There are two: server settings (broker/server_config.h) and topic settings
// (broker/topic_config.h). Values are kept as text in a normal form and read through typed getters.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <shared_mutex>
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
  // `ignored`: names that are accepted and mean nothing; one that ends in a dot stands for all that begin
  // with it. Both outlive the table.
  explicit ConfigTable(std::span<const ConfigKey> keys, std::span<const std::string_view> ignored = {});

  bool ignores(std::string_view name) const;
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
  std::span<const std::string_view> ignored_;
  std::map<std::string_view, const ConfigKey*> by_name_;
};

enum class ConfigSource { default_value, file, environment, command_line };

// Values over a table. Getters assert that the key exists with that type: they are for our own names. They
// may be called on any thread, also while another one reloads.
class ConfigValues {
 public:
  explicit ConfigValues(const ConfigTable& table) : table_(&table) {}

  // invalid_config for an unknown name (with the nearest) or a bad value. A value from a weaker source
  // (the enum's order) never replaces a stronger one, so the order of calls does not matter. A name that
  // the table ignores is remembered without its value. `where` is for people: "server.properties:3".
  Result<void> set(std::string_view name, std::string_view text, ConfigSource source, std::string where = {});

  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  ConfigSource source(std::string_view name) const;
  // What set() was told; empty for a default.
  std::string where(std::string_view name) const;
  bool is_set(std::string_view name) const;
  // Names that were set and are ignored, with where.
  const std::map<std::string, std::string, std::less<>>& ignored() const { return ignored_; }
  const ConfigTable& table() const { return *table_; }

  // What differs from `fresh`, which is of the same table. The reloadable ones of these have its values
  // afterwards; `kept` counts as one that is not.
  struct Changes {
    std::vector<std::string_view> reloaded;
    std::vector<std::string_view> fixed;
  };
  Changes reload(const ConfigValues& fresh, std::string_view kept = {});

 private:
  // A copy has a lock of its own.
  struct Lock {
    Lock() = default;
    Lock(const Lock&) {}
    Lock& operator=(const Lock&) { return *this; }
    std::shared_mutex mutex;
  };
  struct Value {
    std::string text;
    ConfigSource source = ConfigSource::default_value;
    std::string where;
  };
  std::string raw(std::string_view name) const;
  const ConfigTable* table_;
  mutable Lock lock_;  // values_
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> ignored_;
};

}  // namespace tidegate
