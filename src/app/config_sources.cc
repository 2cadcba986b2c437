#include "config_sources.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace tidegate::app {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TIDEGATE_";

std::string at_line(const std::string& name, std::size_t line) { return name + ":" + std::to_string(line); }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

// The escapes of java.util.Properties, without \u beyond Latin-1 names that no key of ours has.
char unescape(char c) {
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    default:
      return c;
  }
}

Setting split_property(std::string_view line, std::string where) {
  Setting out;
  out.where = std::move(where);
  std::size_t at = 0;
  while (at < line.size() && line[at] != '=' && line[at] != ':' && !is_blank(line[at])) {
    if (line[at] == '\\' && at + 1 < line.size()) ++at;
    out.key.push_back(line[at++]);
  }
  while (at < line.size() && is_blank(line[at])) ++at;
  if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
  while (at < line.size() && is_blank(line[at])) ++at;
  while (at < line.size()) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      out.value.push_back(unescape(line[at + 1]));
      at += 2;
    } else {
      out.value.push_back(line[at++]);
    }
  }
  while (!out.value.empty() && is_blank(out.value.back())) out.value.pop_back();
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
    auto setting = split_property(logical, at_line(name, first_line));
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

Result<void> apply_file(ConfigValues& values, const std::string& path) {
  auto settings = read_config_file(path);
  if (!settings) return fail(std::move(settings.error()));
  for (const auto& setting : *settings) {
    if (auto done = values.set(setting.key, setting.value, ConfigSource::file); !done) {
      return fail(done.error().code, setting.where + ": " + done.error().message);
    }
  }
  return {};
}

Result<void> apply_environment(ConfigValues& values, const char* (*get)(const char* name)) {
  for (const auto& key : values.table().keys()) {
    const auto name = environment_name(key.name);
    const char* text = get(name.c_str());
    if (!text) continue;
    if (auto done = values.set(key.name, text, ConfigSource::environment); !done) {
      return fail(done.error().code, name + ": " + done.error().message);
    }
  }
  return {};
}

std::vector<std::string> unknown_environment(const ConfigTable& table, const char* const* environment) {
  std::vector<std::string> out;
  for (; environment && *environment; ++environment) {
    const std::string_view entry = *environment;
    const auto name = entry.substr(0, entry.find('='));
    if (!name.starts_with(kEnvironmentPrefix)) continue;
    const auto is_named = [&](const ConfigKey& key) { return environment_name(key.name) == name; };
    if (std::ranges::any_of(table.keys(), is_named)) continue;
    std::string key(name.substr(kEnvironmentPrefix.size()));
    std::ranges::replace(key, '_', '.');
    auto line = std::string(name) + " is no setting and has no effect";
    if (const auto near = table.nearest(key)) line += ". Did you mean " + environment_name(*near) + "?";
    out.push_back(std::move(line));
  }
  return out;
}

Result<void> apply_assignment(ConfigValues& values, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::invalid_config, "--set '" + std::string(assignment) + "': expected key=value");
  }
  auto done =
      values.set(assignment.substr(0, equals), assignment.substr(equals + 1), ConfigSource::command_line);
  if (!done) return fail(done.error().code, "--set: " + done.error().message);
  return {};
}

}  // namespace tidegate::app
