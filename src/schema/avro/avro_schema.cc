// From JSON to types: names with their namespaces, references, the rules for unions.
#include "avro_schema.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tidegate::schema::avro {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 8> kPrimitives = {"null",  "boolean", "int",   "long",
                                                         "float", "double",  "bytes", "string"};
constexpr std::size_t kNotPrimitive = kPrimitives.size();

std::size_t primitive_index(std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(kPrimitives, name) - kPrimitives.begin());
}

std::unexpected<Error> bad(std::string reason) { return fail(ErrorCode::invalid_record, std::move(reason)); }

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 100));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Beyond the specification, letters of any script: Avro's Java library, and so registries, take them.
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_simple_name(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  return std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

// That library does not look at namespaces at all, and com.my-company is one that people have.
bool is_namespace_part(std::string_view part) {
  const auto good = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '$'; };
  return !part.empty() && std::ranges::all_of(part, good);
}

bool is_full_name(std::string_view name) {
  for (;;) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return is_simple_name(name);
    if (!is_namespace_part(name.substr(0, dot))) return false;
    name.remove_prefix(dot + 1);
  }
}

const json* member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

const std::string* text_member(const json& object, const char* name) {
  const json* found = member(object, name);
  return found != nullptr && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

// Leaves `type` as it is where the logical type is none of ours, or not for it.
void take_logical(const json& node, Type& type) {
  const std::string* name = text_member(node, "logicalType");
  if (name == nullptr || *name != "decimal") return;
  const auto digits = [&](const char* what, std::int64_t otherwise) {
    const json* found = member(node, what);
    if (found == nullptr) return otherwise;
    return found->is_number_integer() ? found->get<std::int64_t>() : -1;
  };
  const std::int64_t precision = digits("precision", -1);
  const std::int64_t scale = digits("scale", 0);
  const bool good = precision > 0 && precision <= INT32_MAX && scale >= 0 && scale <= precision;
  if (!good || (type.kind != Kind::bytes && type.kind != Kind::fixed)) return;
  type.logical = Logical::decimal;
  type.precision = static_cast<std::int32_t>(precision);
  type.scale = static_cast<std::int32_t>(scale);
}

}  // namespace

class Compiler {
 public:
  explicit Compiler(const CompileLimits& limits) : limits_(limits) {
    // The primitive types are there once, at the index of their kind.
    for (std::size_t i = 0; i < kPrimitives.size(); ++i) {
      schema_.types_.push_back({.kind = static_cast<Kind>(i), .name = {}, .parts = {}, .labels = {}});
    }
  }

  Result<std::uint32_t> add_text(std::string_view text);
  Schema finish(std::uint32_t root) {
    schema_.root_ = root;
    return std::move(schema_);
  }

 private:
  using Index = Result<std::uint32_t>;

  Index add(Type type);
  Index compile(const json& node, const std::string& space, std::size_t depth);
  Index named(std::string_view name, const std::string& space);
  Index choice(const json& branches, const std::string& space, std::size_t depth);
  Index defined(const json& node, std::string_view kind, const std::string& space, std::size_t depth);
  Index container(const json& node, Kind kind, const char* what, const std::string& space, std::size_t depth);
  Index record(const json& node, std::string full, const std::string& space, std::size_t depth);
  Index enumeration(const json& node, std::string full);
  Index fixed(const json& node, std::string full);
  Result<std::string> full_name(const json& node, const std::string& space) const;
  Index define(Type type);

  const CompileLimits& limits_;
  Schema schema_;
  std::map<std::string, std::uint32_t, std::less<>> names_;
};

Compiler::Index Compiler::add(Type type) {
  if (schema_.types_.size() >= limits_.max_types + kPrimitives.size())
    return bad("the schema has too many types");
  schema_.types_.push_back(std::move(type));
  return static_cast<std::uint32_t>(schema_.types_.size() - 1);
}

Compiler::Index Compiler::define(Type type) {
  if (names_.contains(type.name)) return bad(fmt::format("{} is defined twice", shown(type.name)));
  std::string name = type.name;
  auto index = add(std::move(type));
  if (index) names_.emplace(std::move(name), *index);
  return index;
}

Compiler::Index Compiler::add_text(std::string_view text) {
  bool too_deep = false;
  // A definition is a few levels of JSON: objects in arrays in objects.
  const int max_json_depth = static_cast<int>(limits_.max_depth) * 4;
  const auto watch = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > max_json_depth;
    return !too_deep;
  };
  const json node = json::parse(text, watch, false);
  if (too_deep) return bad("the schema is nested too deeply");
  // The bare name of a type is a schema, and some registries give it without its quotes.
  if (node.is_discarded()) return is_full_name(text) ? named(text, {}) : bad("the schema is no JSON");
  return compile(node, {}, 0);
}

Compiler::Index Compiler::compile(const json& node, const std::string& space, std::size_t depth) {
  if (depth > limits_.max_depth) return bad("the schema is nested too deeply");
  if (node.is_string()) return named(node.get_ref<const std::string&>(), space);
  if (node.is_array()) return choice(node, space, depth);
  const json* type = node.is_object() ? member(node, "type") : nullptr;
  if (type == nullptr) return bad("a type has to be a name, a list or an object with a type");
  if (type->is_string()) return defined(node, type->get_ref<const std::string&>(), space, depth);
  return compile(*type, space, depth + 1);  // {"type": {...}}
}

Compiler::Index Compiler::named(std::string_view name, const std::string& space) {
  if (const std::size_t i = primitive_index(name); i != kNotPrimitive) return static_cast<std::uint32_t>(i);
  auto at = names_.end();
  if (name.find('.') == std::string_view::npos && !space.empty())
    at = names_.find(fmt::format("{}.{}", space, name));
  if (at == names_.end()) at = names_.find(name);
  if (at == names_.end()) return bad(fmt::format("there is no type {}", shown(name)));
  return at->second;
}

Compiler::Index Compiler::choice(const json& branches, const std::string& space, std::size_t depth) {
  Type type{.kind = Kind::choice};
  std::set<std::pair<Kind, std::string>> seen;
  for (const json& branch : branches) {
    auto part = compile(branch, space, depth + 1);
    if (!part) return part;
    const Type& of = schema_.types_[*part];
    if (of.kind == Kind::choice) return bad("a union is directly in a union");
    if (!seen.emplace(of.kind, of.name).second) return bad("a union has two branches of one type");
    type.parts.push_back(*part);
  }
  if (type.parts.empty()) return bad("a union has no branches");
  return add(std::move(type));
}

Compiler::Index Compiler::defined(const json& node, std::string_view kind, const std::string& space,
                                  std::size_t depth) {
  if (kind == "array") return container(node, Kind::array, "items", space, depth);
  if (kind == "map") return container(node, Kind::map, "values", space, depth);
  if (kind != "record" && kind != "error" && kind != "enum" && kind != "fixed") {
    auto index = named(kind, space);
    if (!index || *index >= kPrimitives.size()) return index;
    Type type{.kind = static_cast<Kind>(*index)};
    take_logical(node, type);
    return type.logical == Logical::none ? index : add(std::move(type));
  }
  auto full = full_name(node, space);
  if (!full) return fail(std::move(full.error()));
  if (kind == "enum") return enumeration(node, std::move(*full));
  if (kind == "fixed") return fixed(node, std::move(*full));
  const std::size_t dot = full->rfind('.');
  const std::string inner = dot == std::string::npos ? std::string() : full->substr(0, dot);
  return record(node, std::move(*full), inner, depth);
}

// The name with its namespace: its own dots, then "namespace", then that of what it stands in.
Result<std::string> Compiler::full_name(const json& node, const std::string& space) const {
  const std::string* name = text_member(node, "name");
  if (name == nullptr) return bad("a record, enum or fixed has no name");
  const json* own = member(node, "namespace");
  std::string full = *name;
  if (name->find('.') == std::string::npos) {
    const std::string in = own != nullptr && own->is_string() ? own->get<std::string>() : space;
    if (!in.empty()) full = fmt::format("{}.{}", in, *name);
  }
  if (!is_full_name(full)) return bad(fmt::format("'{}' is no name", shown(full)));
  if (primitive_index(full) != kNotPrimitive)
    return bad(fmt::format("{} is the name of a primitive type", full));
  return full;
}

Compiler::Index Compiler::container(const json& node, Kind kind, const char* what, const std::string& space,
                                    std::size_t depth) {
  const json* of = member(node, what);
  if (of == nullptr) return bad(fmt::format("an array or map has no {}", what));
  auto part = compile(*of, space, depth + 1);
  if (!part) return part;
  return add({.kind = kind, .name = {}, .parts = {*part}});
}

Compiler::Index Compiler::record(const json& node, std::string full, const std::string& space,
                                 std::size_t depth) {
  const json* fields = member(node, "fields");
  if (fields == nullptr || !fields->is_array())
    return bad(fmt::format("record {} has no list of fields", full));
  // Its name is there before its fields: they may refer to it.
  auto index = define({.kind = Kind::record, .name = full});
  if (!index) return index;
  std::vector<std::uint32_t> parts;
  std::vector<std::string> labels;
  std::set<std::string_view> seen;
  for (const json& field : *fields) {
    const std::string* name = field.is_object() ? text_member(field, "name") : nullptr;
    const json* type = field.is_object() ? member(field, "type") : nullptr;
    if (name == nullptr || type == nullptr)
      return bad(fmt::format("a field of {} has no name or no type", full));
    if (!is_simple_name(*name)) return bad(fmt::format("'{}' is no name of a field", shown(*name)));
    if (!seen.insert(*name).second) return bad(fmt::format("{} has field {} twice", full, *name));
    auto part = compile(*type, space, depth + 1);
    if (!part) return part;
    parts.push_back(*part);
    labels.push_back(*name);
  }
  schema_.types_[*index].parts = std::move(parts);
  schema_.types_[*index].labels = std::move(labels);
  return index;
}

Compiler::Index Compiler::enumeration(const json& node, std::string full) {
  const json* symbols = member(node, "symbols");
  if (symbols == nullptr || !symbols->is_array() || symbols->empty()) {
    return bad(fmt::format("enum {} has no symbols", full));
  }
  Type type{.kind = Kind::enumeration, .name = std::move(full)};
  std::set<std::string_view> seen;
  for (const json& symbol : *symbols) {
    if (!symbol.is_string() || !is_simple_name(symbol.get_ref<const std::string&>())) {
      return bad(fmt::format("enum {} has a symbol that is no name", type.name));
    }
    if (!seen.insert(symbol.get_ref<const std::string&>()).second) {
      return bad(fmt::format("enum {} has a symbol twice", type.name));
    }
    type.labels.push_back(symbol.get<std::string>());
  }
  return define(std::move(type));
}

Compiler::Index Compiler::fixed(const json& node, std::string full) {
  const json* size = member(node, "size");
  if (size == nullptr || !size->is_number_unsigned()) return bad(fmt::format("fixed {} has no size", full));
  Type type{.kind = Kind::fixed, .name = std::move(full), .size = size->get<std::size_t>()};
  take_logical(node, type);
  return define(std::move(type));
}

std::size_t Schema::size_bytes() const {
  std::size_t bytes = types_.capacity() * sizeof(Type);
  for (const Type& type : types_) {
    bytes += type.name.capacity() + type.parts.capacity() * sizeof(std::uint32_t);
    for (const std::string& label : type.labels) bytes += sizeof(label) + label.capacity();
  }
  return bytes;
}

Result<Schema> Schema::compile(std::string_view text, std::span<const std::string> references,
                               const CompileLimits& limits) {
  Compiler compiler(limits);
  for (const std::string& reference : references) {
    auto added = compiler.add_text(reference);
    if (!added) return bad(fmt::format("in a reference: {}", added.error().message));
  }
  auto root = compiler.add_text(text);
  if (!root) return fail(std::move(root.error()));
  return compiler.finish(*root);
}

}  // namespace tidegate::schema::avro
