// docs/configuration.md is printed from the tables, so that it cannot say anything else than the code.
#include <cmath>

#include <fmt/format.h>

#include "tidegate/broker/kafka_settings.h"
#include "tidegate/broker/server_config.h"
#include "tidegate/broker/topic_config.h"

namespace tidegate::broker {
namespace {

std::string_view type_name(ConfigType type) {
  switch (type) {
    case ConfigType::boolean:
      return "boolean";
    case ConfigType::int32:
      return "int";
    case ConfigType::int64:
      return "long";
    case ConfigType::float64:
      return "double";
    case ConfigType::string:
      return "string";
    case ConfigType::list:
      return "list";
    case ConfigType::password:
      return "password";
  }
  return "string";
}

std::string allowed_text(const ConfigKey& key) {
  if (!key.allowed.empty()) return fmt::format("{}", fmt::join(key.allowed, ", "));
  const bool from = std::isfinite(key.min);
  const bool to = std::isfinite(key.max);
  if (from && to) return fmt::format("{} to {}", key.min, key.max);
  if (from) return fmt::format("from {}", key.min);
  if (to) return fmt::format("to {}", key.max);
  return "";
}

std::string default_text(const ConfigKey& key) {
  if (!key.has_default) return "(none)";
  return key.default_value.empty() ? "(empty)" : fmt::format("`{}`", key.default_value);
}

void append_row(std::string& out, const ConfigKey& key, bool with_synonym) {
  out += fmt::format("| `{}` | {} | {} | {} |", key.name, type_name(key.type), default_text(key),
                     allowed_text(key));
  if (with_synonym) out += key.synonym.empty() ? " |" : fmt::format(" `{}` |", key.synonym);
  out += fmt::format(" {}{} |\n", key.doc, !with_synonym && key.reloadable ? " Reloaded on SIGHUP." : "");
}

void append_table(std::string& out, const ConfigTable& table, bool no_effect, bool with_synonym) {
  out += with_synonym ? "| Setting | Type | Default | Allowed | Server setting behind it | Meaning "
                        "|\n|---|---|---|---|---|---|\n"
                      : "| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n";
  for (const ConfigKey& key : table.keys()) {
    if (key.no_effect == no_effect) append_row(out, key, with_synonym);
  }
  out += '\n';
}

void append_names(std::string& out) {
  out +=
      "## Kafka's settings without meaning\n\n"
      "Names of Kafka 3.9 and 4.3 that are accepted with any value; one warning names those that are set. A "
      "name that\n"
      "ends in a dot stands for all that begin with it. Those in bold would keep somebody out of a Kafka "
      "broker and do\n"
      "not here: the warning says so.\n\n";
  std::string line;
  for (const std::string_view name : kafka_settings_without_meaning()) {
    const std::string item = is_protecting(name) ? fmt::format("**`{}`**", name) : fmt::format("`{}`", name);
    if (line.size() + item.size() > 116) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + item;
  }
  out += line + "\n\n";
}

}  // namespace

std::string configuration_markdown() {
  std::string out =
      "# Configuration\n\n"
      "This page is printed by `tidegate docs configuration` from the tables in src/broker; a test compares "
      "the two.\n\n"
      "A setting comes from, weakest first: its default, the file given with `--config`, the environment, "
      "the command\n"
      "line (docs/operations.md). A name that neither this page nor Kafka knows and a bad value are errors "
      "that name the\n"
      "setting and suggest the nearest one. Names are Kafka's own where Kafka has the same thing.\n\n"
      "## Server settings\n\n";
  append_table(out, server_config_table(), false, false);
  out +=
      "## Server settings without effect\n\n"
      "Accepted because many `server.properties` files carry them. Why nothing acts on them:\n\n";
  append_table(out, server_config_table(), true, false);
  append_names(out);
  out +=
      "## Topic settings\n\n"
      "Set with CreateTopics, IncrementalAlterConfigs or AlterConfigs; they take effect at once. A topic "
      "without its\n"
      "own value takes the server setting's; `retention.ms` also from `log.retention.minutes` and\n"
      "`log.retention.hours`, `segment.ms` from `log.roll.hours`.\n\n";
  append_table(out, topic_config_table(), false, true);
  out +=
      "## Topic settings without effect\n\n"
      "Accepted, stored and shown, as tools expect. DescribeConfigs says the same in each one's "
      "documentation. Why\n"
      "nothing acts on them:\n\n";
  append_table(out, topic_config_table(), true, true);
  out.pop_back();
  return out;
}

}  // namespace tidegate::broker
