#include "filer_rules.h"

#include <nlohmann/json.hpp>

namespace tidegate::storage::seaweedmq {
namespace {

std::string text_of(const nlohmann::json& object, const char* camel, const char* snake) {
  for (const char* name : {camel, snake}) {
    if (const auto at = object.find(name); at != object.end() && at->is_string())
      return at->get<std::string>();
  }
  return {};
}

// Prefixes are compared byte by byte: /top is one of /topics, too.
bool reaches(std::string_view prefix, std::string_view directory) {
  const std::string inside = std::string(directory) + "/";
  return inside.starts_with(prefix) || prefix.starts_with(inside);
}

}  // namespace

Result<std::vector<TtlRule>> ttl_rules(std::string_view json, std::string_view directory) {
  std::vector<TtlRule> found;
  if (json.empty()) return found;
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::corrupt_message, "the filer's rules are no JSON object");
  const auto locations = parsed.find("locations");
  if (locations == parsed.end() || !locations->is_array()) return found;
  for (const auto& location : *locations) {
    if (!location.is_object()) continue;
    TtlRule rule{.location_prefix = text_of(location, "locationPrefix", "location_prefix"),
                 .ttl = text_of(location, "ttl", "ttl")};
    if (!rule.ttl.empty() && reaches(rule.location_prefix, directory)) found.push_back(std::move(rule));
  }
  return found;
}

}  // namespace tidegate::storage::seaweedmq
