#include "config_sources.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "tidegate/broker/kafka_settings.h"

namespace tidegate::app {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TIDEGATE_";
constexpr std::string_view kKafkaPrefix = "KAFKA_";
// Read by Kafka's start scripts and images, for its Java machine and its logs.
constexpr std::string_view kScriptNames[] = {"KAFKA_DEBUG",        "KAFKA_GC_LOG_OPTS", "KAFKA_HEAP_OPTS",
                                             "KAFKA_HOME",         "KAFKA_JMX_",        "KAFKA_JVM_",
                                             "KAFKA_LOG4J_",       "KAFKA_OPTS",        "KAFKA_MODE",
                                             "KAFKA_TOOLS_LOG4J_", "KAFKA_VERSION"};

bool is_script_name(std::string_view name) {
  return std::ranges::any_of(kScriptNames, [&](std::string_view each) {
    return each.ends_with('_') ? name.starts_with(each) : name == each;
  });
}

struct EnvironmentEntry {
  std::string_view name;
  std::string_view value;
};

std::vector<EnvironmentEntry> entries(const char* const* environment, std::string_view prefix) {
  std::vector<EnvironmentEntry> out;
  for (; environment && *environment; ++environment) {
    const std::string_view entry = *environment;
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos || !entry.starts_with(prefix)) continue;
    out.push_back({entry.substr(0, equals), entry.substr(equals + 1)});
  }
  return out;
}

std::string at_line(const std::string& name, std::size_t line) { return name + ":" + std::to_string(line); }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      byte(0xe0 | code >> 12);
    } else {
      byte(0xf0 | code >> 18);
      byte(0x80 | (code >> 12 & 0x3f));
    }
    byte(0x80 | (code >> 6 & 0x3f));
  }
  byte(0x80 | (code & 0x3f));
}

// The four hexadecimal digits at `at`.
std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = text.data() + at + 4;
  const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// One escape of java.util.Properties: `at` is behind the backslash, and afterwards behind the escape. \u is
// a UTF-16 unit; a pair of them is one character. False when \u has no four digits, or half a pair.
bool append_escape(std::string& out, std::string_view line, std::size_t& at) {
  const char c = line[at++];
  constexpr std::string_view kLetters = "tnrf";
  constexpr std::string_view kMeanings = "\t\n\r\f";
  if (c != 'u') {
    const auto letter = kLetters.find(c);
    out.push_back(letter == std::string_view::npos ? c : kMeanings[letter]);
    return true;
  }
  auto code = hex4(line, at);
  if (!code) return false;
  at += 4;
  if (*code >= 0xdc00 && *code < 0xe000) return false;
  if (*code >= 0xd800 && *code < 0xdc00) {
    const auto low = line.substr(at).starts_with("\\u") ? hex4(line, at + 2) : std::nullopt;
    if (!low || *low < 0xdc00 || *low >= 0xe000) return false;
    at += 6;
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  }
  append_utf8(out, *code);
  return true;
}

Result<Setting> split_property(std::string_view line, std::string where) {
  Setting out;
  out.where = std::move(where);
  std::size_t at = 0;
  bool legal = true;
  const auto take = [&](std::string& into) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      legal = append_escape(into, line, ++at) && legal;
    } else {
      into.push_back(line[at++]);
    }
  };
  while (at < line.size() && line[at] != '=' && line[at] != ':' && !is_blank(line[at])) take(out.key);
  while (at < line.size() && is_blank(line[at])) ++at;
  if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
  while (at < line.size() && is_blank(line[at])) ++at;
  while (at < line.size()) take(out.value);
  if (!legal) return fail(ErrorCode::invalid_config, out.where + ": \\u needs four hexadecimal digits");
  return out;
}

Result<void> flatten(const YAML::Node& node, const std::string& prefix, const std::string& name,
                     std::vector<Setting>& out, int depth) {
  const auto where = at_line(name, static_cast<std::size_t>(node.Mark().line + 1));
  if (depth > 16) return fail(ErrorCode::invalid_config, where + ": nested too deeply");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      out.push_back({prefix, node.Scalar(), where});
      return {};
    case YAML::NodeType::Null:
      out.push_back({prefix, "", where});
      return {};
    case YAML::NodeType::Sequence: {
      std::string joined;
      for (const auto& item : node) {
        if (!item.IsScalar())
          return fail(ErrorCode::invalid_config, where + ": a list holds plain values only");
        if (!joined.empty()) joined += ',';
        joined += item.Scalar();
      }
      out.push_back({prefix, joined, where});
      return {};
    }
    case YAML::NodeType::Map:
      for (const auto& entry : node) {
        const auto key = prefix.empty() ? entry.first.Scalar() : prefix + "." + entry.first.Scalar();
        if (auto done = flatten(entry.second, key, name, out, depth + 1); !done) return done;
      }
      return {};
    case YAML::NodeType::Undefined:
      break;
  }
  return fail(ErrorCode::invalid_config, where + ": not understood");
}

// A name given twice in YAML is a mistake (YAML itself forbids it): which one counts would be a guess.
Result<void> check_once(const std::vector<Setting>& settings) {
  std::map<std::string_view, std::string_view> first;
  for (const auto& setting : settings) {
    const auto [at, fresh] = first.emplace(setting.key, setting.where);
    if (fresh) continue;
    return fail(ErrorCode::invalid_config,
                setting.where + ": " + setting.key + " is there already, at " + std::string(at->second));
  }
  return {};
}

}  // namespace

Result<std::vector<Setting>> parse_properties(std::string_view text, const std::string& name) {
  std::vector<Setting> out;
  std::size_t line_number = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::string logical;
    const std::size_t first_line = line_number + 1;
    for (bool more = true; more && at < text.size();) {
      auto end = text.find('\n', at);
      if (end == std::string_view::npos) end = text.size();
      auto line = text.substr(at, end - at);
      at = std::min(end + 1, text.size());
      ++line_number;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
      const bool comment = logical.empty() && !line.empty() && (line.front() == '#' || line.front() == '!');
      if (comment) line = {};
      std::size_t slashes = 0;
      while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
      more = slashes % 2 == 1;
      if (more) line.remove_suffix(1);
      logical += line;
    }
    if (logical.empty()) continue;
    auto split = split_property(logical, at_line(name, first_line));
    if (!split) return fail(std::move(split.error()));
    auto& setting = *split;
    if (setting.key.empty())
      return fail(ErrorCode::invalid_config, setting.where + ": no key in front of '='");
    out.push_back(std::move(setting));
  }
  return out;
}

Result<std::vector<Setting>> parse_yaml(const std::string& text, const std::string& name) {
  std::vector<Setting> out;
  try {  // yaml-cpp reports errors by exception; none leaves this function
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return out;
    if (!root.IsMap()) return fail(ErrorCode::invalid_config, name + ": expected a map of settings");
    if (auto done = flatten(root, "", name, out, 0); !done) return fail(std::move(done.error()));
    if (auto done = check_once(out); !done) return fail(std::move(done.error()));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::invalid_config,
                at_line(name, static_cast<std::size_t>(error.mark.line + 1)) + ": " + error.msg);
  }
  return out;
}

Result<std::vector<Setting>> read_config_file(const std::string& path) {
  // One opens like a file and then reads as if it were empty.
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) {
    return fail(ErrorCode::invalid_config, "config file " + path + ": is a directory");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    // An empty file makes operator<< fail too, and is a legal configuration.
    if (!file.is_open()) return fail(ErrorCode::invalid_config, "config file " + path + ": cannot be read");
  }
  const bool yaml = path.ends_with(".yaml") || path.ends_with(".yml");
  return yaml ? parse_yaml(text.str(), path) : parse_properties(text.str(), path);
}

std::string environment_name(std::string_view key) {
  std::string out(kEnvironmentPrefix);
  for (const char c : key) {
    out.push_back(c == '.' || c == '-' ? '_'
                                       : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return out;
}

std::string kafka_setting_name(std::string_view environment_name) {
  std::string out;
  if (!environment_name.starts_with(kKafkaPrefix)) return out;
  environment_name.remove_prefix(kKafkaPrefix.size());
  for (std::size_t at = 0; at < environment_name.size();) {
    if (environment_name[at] != '_') {
      out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(environment_name[at++]))));
      continue;
    }
    std::size_t run = 1;
    while (run < 3 && at + run < environment_name.size() && environment_name[at + run] == '_') ++run;
    out.push_back(run == 1 ? '.' : run == 2 ? '_' : '-');
    at += run;
  }
  return out;
}

Result<void> apply_file(ConfigValues& values, const std::string& path) {
  auto settings = read_config_file(path);
  if (!settings) return fail(std::move(settings.error()));
  for (const auto& setting : *settings) {
    auto done = values.set(setting.key, setting.value, ConfigSource::file, setting.where);
    if (!done) return fail(done.error().code, setting.where + ": " + done.error().message);
  }
  return {};
}

Result<void> apply_environment(ConfigValues& values, const char* const* environment) {
  const auto set = [&](std::string_view key, const EnvironmentEntry& entry) -> Result<void> {
    auto done = values.set(key, entry.value, ConfigSource::environment, std::string(entry.name));
    if (!done) return fail(done.error().code, std::string(entry.name) + ": " + done.error().message);
    return {};
  };
  for (const auto& entry : entries(environment, kKafkaPrefix)) {
    const auto key = kafka_setting_name(entry.name);
    if (is_script_name(entry.name) || (!values.table().find(key) && !values.table().ignores(key))) continue;
    if (auto done = set(key, entry); !done) return done;
  }
  std::map<std::string, std::string_view, std::less<>> names;
  for (const auto& key : values.table().keys()) names.emplace(environment_name(key.name), key.name);
  for (const auto& entry : entries(environment, kEnvironmentPrefix)) {
    const auto at = names.find(entry.name);
    if (at == names.end()) continue;
    if (auto done = set(at->second, entry); !done) return done;
  }
  return {};
}

std::vector<std::string> unknown_environment(const ConfigTable& table, const char* const* environment) {
  std::vector<std::string> out;
  const auto tell = [&](std::string_view name, std::string_view key, auto spell) {
    auto line = std::string(name) + " is no setting and has no effect";
    if (const auto near = table.nearest(key)) line += ". Did you mean " + spell(*near) + "?";
    out.push_back(std::move(line));
  };
  for (const auto& [name, value] : entries(environment, kEnvironmentPrefix)) {
    const auto is_named = [&](const ConfigKey& key) { return environment_name(key.name) == name; };
    if (std::ranges::any_of(table.keys(), is_named)) continue;
    std::string key(name.substr(kEnvironmentPrefix.size()));
    std::ranges::replace(key, '_', '.');
    tell(name, key, environment_name);
  }
  for (const auto& [name, value] : entries(environment, kKafkaPrefix)) {
    const auto key = kafka_setting_name(name);
    if (is_script_name(name) || table.find(key) || table.ignores(key)) continue;
    const auto spell = [](std::string_view near) {
      return std::string(kKafkaPrefix) + environment_name(near).substr(kEnvironmentPrefix.size());
    };
    tell(name, key, spell);
  }
  return out;
}

std::vector<std::string> config_warnings(const ConfigValues& values, const char* const* environment) {
  auto out = unknown_environment(values.table(), environment);
  std::string all;
  std::string protecting;
  const auto add = [](std::string& list, std::string_view name) {
    list += (list.empty() ? "" : ", ") + std::string(name);
  };
  for (const auto& key : values.table().keys()) {
    if (key.no_effect && values.is_set(key.name)) add(all, key.name);
  }
  for (const auto& [name, where] : values.ignored()) {
    add(all, name);
    if (broker::is_protecting(name)) add(protecting, name);
  }
  if (all.empty()) return out;
  auto line = "settings of Kafka that have no effect here: " + all;
  if (!protecting.empty()) line += "; nobody is kept out by " + protecting;
  out.push_back(std::move(line));
  return out;
}

Result<void> apply_assignment(ConfigValues& values, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::invalid_config, "--set '" + std::string(assignment) + "': expected key=value");
  }
  auto done = values.set(assignment.substr(0, equals), assignment.substr(equals + 1),
                         ConfigSource::command_line, "--set");
  if (!done) return fail(done.error().code, "--set: " + done.error().message);
  return {};
}

}  // namespace tidegate::app
