#include "resources.h"

#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "excerpt.h"
#include "uri.h"

namespace tidegate::schema::json_schema {
namespace {

constexpr std::size_t kMaxNameBytes = 100;

std::unexpected<Error> refused(std::string reason) {
  return fail(ErrorCode::invalid_record, std::move(reason));
}
std::string quoted(std::string_view name) { return excerpt(name, kMaxNameBytes); }

std::optional<std::string_view> text_of(const Place& place, std::string_view key) {
  const auto at = place.document->member(place.value, key);
  if (!at || (*place.document)[*at].kind != JsonKind::string) return std::nullopt;
  return (*place.document)[*at].text;
}

Result<Draft> draft_of(const Place& root, Draft otherwise) {
  const auto named = text_of(root, "$schema");
  if (!named && root.document->member(root.value, "$schema")) return refused("its $schema is no string");
  if (!named) return otherwise;
  std::string_view name = *named;
  if (name.ends_with('#')) name.remove_suffix(1);
  if (name.starts_with("https:")) name.remove_prefix(6);
  if (name.starts_with("http:")) name.remove_prefix(5);
  if (name == "//json-schema.org/draft-04/schema") return Draft::draft4;
  if (name == "//json-schema.org/draft-06/schema") return Draft::draft6;
  if (name == "//json-schema.org/draft-07/schema") return Draft::draft7;
  if (name == "//json-schema.org/draft/2020-12/schema") return Draft::draft2020;
  return refused(fmt::format("its $schema {} is none of draft 4, 6, 7 and 2020-12", quoted(*named)));
}

}  // namespace

std::uint32_t Resources::of(const Place& place, std::uint32_t otherwise) const {
  const auto found = homes_.find(place);
  return found == homes_.end() ? otherwise : found->second;
}

// Takes up the names that a schema gives itself.
Result<void> Resources::enter(Open& at) {
  const Place& place = at.place;
  const Draft draft = resources_[at.resource].draft;
  const bool modern = draft == Draft::draft2020;
  // Beside a $ref nothing counts in the older drafts.
  if (!modern && place.document->member(place.value, "$ref")) return {};
  if (const auto id = text_of(place, draft == Draft::draft4 ? "id" : "$id")) {
    const auto hash = id->find('#');
    const std::string_view uri = id->substr(0, hash);
    if (!uri.empty()) {
      auto own = draft_of(place, draft);
      if (!own) return fail(std::move(own.error()));
      std::string full = resolve_uri(resources_[at.resource].uri, uri);
      const auto next = static_cast<std::uint32_t>(resources_.size());
      const auto [known, added] = by_uri_.emplace(full, next);
      if (!added && resources_[known->second].root != place) {
        return refused(fmt::format("two schemas have the id {}", quoted(full)));
      }
      known->second = next;
      resources_.push_back(
          {.uri = std::move(full), .root = place, .draft = *own, .anchors = {}, .dynamic_anchors = {}});
      at.resource = next;
    }
    if (!modern && hash != std::string_view::npos && hash + 1 < id->size()) {
      resources_[at.resource].anchors.emplace(id->substr(hash + 1), place);
    }
  }
  if (!modern) return {};
  Resource& resource = resources_[at.resource];
  if (const auto name = text_of(place, "$anchor")) resource.anchors.emplace(*name, place);
  if (const auto name = text_of(place, "$dynamicAnchor")) {
    resource.anchors.emplace(*name, place);
    resource.dynamic_anchors.emplace(*name, place);
  }
  return {};
}

void Resources::add_children(const Open& at, std::vector<Open>& open) const {
  constexpr std::array kOne = {"additionalProperties",
                               "additionalItems",
                               "items",
                               "contains",
                               "propertyNames",
                               "not",
                               "if",
                               "then",
                               "else",
                               "unevaluatedItems",
                               "unevaluatedProperties",
                               "contentSchema"};
  constexpr std::array kLists = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
  constexpr std::array kMaps = {"properties", "patternProperties", "definitions",
                                "$defs",      "dependentSchemas",  "dependencies"};
  const JsonDocument& document = *at.place.document;
  const auto put = [&](std::uint32_t value) {
    if (document[value].kind == JsonKind::object) open.push_back({{&document, value}, at.resource});
  };
  const auto put_all = [&](const char* key, JsonKind kind) {
    const auto list = document.member(at.place.value, key);
    if (!list || document[*list].kind != kind) return;
    for (const std::uint32_t each : document.children(*list)) put(each);
  };
  for (const char* key : kOne) {
    if (const auto value = document.member(at.place.value, key)) put(*value);
  }
  for (const char* key : kLists) put_all(key, JsonKind::array);
  for (const char* key : kMaps) put_all(key, JsonKind::object);
}

Result<std::uint32_t> Resources::add(const JsonDocument& document, std::string name, Draft draft) {
  const Place root{&document, document.root()};
  auto own = draft_of(root, draft);
  if (!own) return fail(std::move(own.error()));
  const auto first = static_cast<std::uint32_t>(resources_.size());
  if (!by_uri_.emplace(name, first).second) {
    return refused(fmt::format("two of its references are named {}", quoted(name)));
  }
  resources_.push_back(
      {.uri = std::move(name), .root = root, .draft = *own, .anchors = {}, .dynamic_anchors = {}});
  std::vector<Open> open{{root, first}};
  while (!open.empty()) {
    Open at = open.back();
    open.pop_back();
    if (auto entered = enter(at); !entered) return fail(std::move(entered.error()));
    homes_.emplace(at.place, at.resource);
    add_children(at, open);
  }
  return of(root, first);
}

Result<Resources::Target> Resources::find(std::uint32_t from, std::string_view reference) const {
  const std::string nowhere = fmt::format("its $ref {} leads nowhere", quoted(reference));
  const std::string full = resolve_uri(resources_[from].uri, reference);
  const auto hash = full.find('#');
  auto found = by_uri_.find(std::string_view(full).substr(0, hash));
  if (found == by_uri_.end()) found = by_uri_.find(reference.substr(0, reference.find('#')));
  if (found == by_uri_.end()) return refused(nowhere);
  Target target{.place = resources_[found->second].root, .resource = found->second};
  target.resource = of(target.place, target.resource);
  std::string fragment =
      hash == std::string::npos ? "" : percent_decoded(std::string_view(full).substr(hash + 1));
  if (fragment.empty()) return target;
  if (fragment.front() != '/') {
    const Resource& resource = resources_[target.resource];
    const auto anchor = resource.anchors.find(fragment);
    if (anchor == resource.anchors.end()) return refused(nowhere);
    target.dynamic = resource.dynamic_anchors.contains(fragment);
    target.place = anchor->second;
    return target;
  }
  const JsonDocument& document = *target.place.document;
  std::string_view rest = fragment;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    std::string token(rest.substr(0, rest.find('/')));
    rest.remove_prefix(token.size());
    for (std::size_t at = 0; (at = token.find('~', at)) != std::string::npos; ++at) {
      const bool slash = token.compare(at, 2, "~1") == 0;
      if (!slash && token.compare(at, 2, "~0") != 0) return refused(nowhere);
      token.replace(at, 2, slash ? "/" : "~");
    }
    const JsonValue& value = document[target.place.value];
    if (value.kind == JsonKind::array) {
      std::uint32_t index = 0;
      const char* end = token.data() + token.size();
      const auto [stop, error] = std::from_chars(token.data(), end, index);
      if (error != std::errc() || stop != end || index >= value.children) return refused(nowhere);
      target.place.value = document.children(target.place.value)[index];
    } else if (const auto member = document.member(target.place.value, token)) {
      target.place.value = *member;
    } else {
      return refused(nowhere);
    }
    target.resource = of(target.place, target.resource);
  }
  return target;
}

}  // namespace tidegate::schema::json_schema
