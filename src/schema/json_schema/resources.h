// Where references lead: the schemas of several texts by their URIs, anchors and pointers. Used by the
// compiler, which outlives it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "json_text.h"
#include "tidegate/base/result.h"

namespace tidegate::schema::json_schema {

enum class Draft : std::uint8_t { draft4, draft6, draft7, draft2020 };

// A value in one of the texts.
struct Place {
  const JsonDocument* document = nullptr;
  std::uint32_t value = 0;
  auto operator<=>(const Place&) const = default;
};

struct Resource {
  std::string uri;  // without a fragment
  Place root;
  Draft draft = Draft::draft7;
  std::map<std::string, Place, std::less<>> anchors;
  std::map<std::string_view, Place> dynamic_anchors;
};

class Resources {
 public:
  // Adds a text with all schemas in it that have an `$id`. `name` is its URI unless it has one. Without a
  // `$schema` it is of `draft`. invalid_record with the reason.
  Result<std::uint32_t> add(const JsonDocument& document, std::string name, Draft draft);

  struct Target {
    Place place;
    std::uint32_t resource = 0;
    bool dynamic = false;  // named by a $dynamicAnchor
  };
  // What `reference` means within a resource; invalid_record: nothing.
  Result<Target> find(std::uint32_t from, std::string_view reference) const;

  const Resource& operator[](std::uint32_t index) const { return resources_[index]; }
  std::size_t size() const { return resources_.size(); }
  // Of a place that the text's own structure shows as a schema; else `otherwise`.
  std::uint32_t of(const Place& place, std::uint32_t otherwise) const;

 private:
  struct Open {
    Place place;
    std::uint32_t resource;
  };
  Result<void> enter(Open& at);
  void add_children(const Open& at, std::vector<Open>& open) const;

  std::vector<Resource> resources_;
  std::map<std::string, std::uint32_t, std::less<>> by_uri_;
  std::map<Place, std::uint32_t> homes_;
};

}  // namespace tidegate::schema::json_schema
