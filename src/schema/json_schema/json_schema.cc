#include "json_schema.h"

#include <array>
#include <map>

#include <fmt/format.h>

#include "excerpt.h"
#include "resources.h"

namespace tidegate::schema::json_schema {
namespace {

constexpr std::size_t kMaxNameBytes = 100;
constexpr std::size_t kMaxDivisorDigits = 18;

}  // namespace

// Subschemas are compiled when something leads to them, one after the other. The first problem ends it.
class Compiler {
 public:
  Compiler(Schema& into, const CompileLimits& limits) : into_(into), limits_(limits) {}

  Result<void> run(std::string_view text, std::span<const NamedSchema> references) {
    auto root = read(std::string(text), "", Draft::draft7);
    if (!root) return fail(std::move(root.error()));
    const Draft draft = resources_[*root].draft;
    for (const NamedSchema& each : references) {
      auto read_one = read(each.text, each.name, draft);
      if (!read_one) {
        return fail(ErrorCode::invalid_record,
                    fmt::format("in {}: {}", excerpt(each.name, kMaxNameBytes), read_one.error().message));
      }
    }
    place_ = resources_[*root].root;
    into_.root_ = compiled(place_, *root);
    const JsonValue* title = value("title");
    if (title != nullptr && title->kind == JsonKind::string) into_.title_ = title->text;
    for (std::uint32_t r = 0; r < resources_.size(); ++r) {
      into_.dynamic_.emplace_back();
      for (const auto& [name, place] : resources_[r].dynamic_anchors) {
        into_.dynamic_.back().emplace(name, compiled(place, r));
      }
    }
    while (!open_.empty() && problem_.empty()) {
      const Open next = open_.back();
      open_.pop_back();
      compile(next);
    }
    if (problem_.empty()) look_for_circles();
    if (!problem_.empty()) return fail(ErrorCode::invalid_record, problem_);
    count();
    return {};
  }

 private:
  struct Open {
    Place place;
    std::uint32_t index;
  };
  using Index = Subschema::Index;

  Result<std::uint32_t> read(std::string text, std::string name, Draft draft) {
    auto& kept = into_.texts_.emplace_back();
    kept.text = std::move(text);
    auto parsed = JsonDocument::parse(as_bytes(kept.text), 2 * limits_.max_depth);
    if (!parsed) {
      const bool deep = parsed.error().message.starts_with("it is nested too deeply");
      return fail(ErrorCode::invalid_record, deep ? "the schema is nested too deeply"
                                                  : "it is no JSON Schema: " + parsed.error().message);
    }
    kept.parsed = std::move(*parsed);
    return resources_.add(kept.parsed, std::move(name), draft);
  }
  void refuse(std::string reason) {
    if (problem_.empty()) problem_ = std::move(reason);
  }

  Index compiled(const Place& place, std::uint32_t resource) {
    const auto next = static_cast<Index>(into_.subschemas_.size());
    const auto [known, added] = indexes_.emplace(place, next);
    if (!added) return known->second;
    if (next >= limits_.max_types) {
      refuse("it has too many types");
      return 0;
    }
    Subschema& made = into_.subschemas_.emplace_back();
    made.resource = resources_.of(place, resource);
    made.document = place.document;
    open_.push_back({place, next});
    return next;
  }

  // What a keyword of the schema that is being compiled has.
  const JsonDocument& document() const { return *place_.document; }
  const JsonValue* value(std::string_view key) {
    const auto at = document().member(place_.value, key);
    if (!at) return nullptr;
    key_ = key;
    at_ = *at;
    return &document()[*at];
  }
  void bad(std::string_view what) { refuse(fmt::format("its {} is {}", key_, what)); }
  const JsonValue* value(std::string_view key, JsonKind kind, std::string_view what) {
    const JsonValue* found = value(key);
    if (found != nullptr && found->kind != kind) {
      bad(what);
      return nullptr;
    }
    return found;
  }
  Index schema(std::uint32_t at) {
    const JsonKind kind = document()[at].kind;
    if (kind == JsonKind::object || kind == JsonKind::boolean)
      return compiled({place_.document, at}, resource_);
    bad("no schema");
    return 0;
  }
  Index schema(std::string_view key) { return value(key) == nullptr ? kNone : schema(at_); }
  std::vector<Index> schemas(std::string_view key) {
    std::vector<Index> made;
    const JsonValue* list = value(key, JsonKind::array, "no list of schemas");
    if (list == nullptr) return made;
    if (list->children == 0) bad("an empty list");
    for (const std::uint32_t each : document().children(at_)) made.push_back(schema(each));
    return made;
  }
  std::vector<std::string_view> strings(std::uint32_t list) {
    std::vector<std::string_view> made;
    if (document()[list].kind != JsonKind::array) bad("no list of names");
    for (const std::uint32_t each : document().children(list)) {
      if (document()[each].kind != JsonKind::string) bad("no list of names");
      made.push_back(document()[each].text);
    }
    return made;
  }
  std::optional<Decimal> number(std::string_view key) {
    const JsonValue* found = value(key, JsonKind::number, "no number");
    if (found == nullptr) return std::nullopt;
    return Decimal(found->text);
  }
  void count(std::string_view key, std::uint64_t& into) {
    const auto found = number(key);
    if (!found) return;
    const auto counted = found->as_count();
    if (counted) {
      into = *counted;
    } else {
      bad("no number from 0 to 10^18");
    }
  }
  Index pattern(std::string_view ecma) {
    auto made = Pattern::compile(ecma, limits_.max_pattern_bytes);
    if (!made) {
      refuse(made.error().message);
      return 0;
    }
    into_.patterns_.push_back(std::move(*made));
    return static_cast<Index>(into_.patterns_.size() - 1);
  }

  void compile(const Open& next) {
    place_ = next.place;
    Subschema made = into_.subschemas_[next.index];
    resource_ = made.resource;
    draft_ = resources_[resource_].draft;
    const JsonValue& whole = document()[place_.value];
    if (whole.kind == JsonKind::boolean) {
      made.never = !whole.truth;
    } else if (whole.kind != JsonKind::object) {
      refuse("a schema in it is neither an object nor a boolean");
    } else {
      ref(made);
      if (draft_ == Draft::draft2020 || made.ref == kNone) {
        refuse_other_drafts();
        general(made);
        numbers(made);
        arrays(made);
        objects(made);
        applied(made);
      }
    }
    into_.subschemas_[next.index] = std::move(made);
  }

  Index follow(std::string_view reference, std::string_view* dynamic) {
    auto found = resources_.find(resource_, reference);
    if (!found) {
      refuse(found.error().message);
      return kNone;
    }
    if (dynamic != nullptr && found->dynamic) *dynamic = reference.substr(reference.find('#') + 1);
    return compiled(found->place, found->resource);
  }
  void ref(Subschema& made) {
    const JsonValue* found = value("$ref");
    if (found != nullptr && found->kind != JsonKind::string) return bad("no string");
    if (found != nullptr) made.ref = follow(found->text, nullptr);
    if (value("$recursiveRef") != nullptr) refuse("its $recursiveRef is of a draft that is not supported");
    if (draft_ != Draft::draft2020) return;
    found = value("$dynamicRef", JsonKind::string, "no string");
    if (found != nullptr) made.dynamic_ref = follow(found->text, &made.dynamic_name);
    const JsonValue* vocabulary = value("$vocabulary");
    if (vocabulary != nullptr) refuse("its $vocabulary makes it a meta-schema, and these are not supported");
  }

  // Whoever wrote them wants them checked, and the draft knows nothing of them.
  void refuse_other_drafts() {
    struct Keyword {
      const char* name;
      Draft first;
      Draft last = Draft::draft2020;
    };
    static constexpr Keyword kKeywords[] = {{"const", Draft::draft6},
                                            {"contains", Draft::draft6},
                                            {"propertyNames", Draft::draft6},
                                            {"if", Draft::draft7},
                                            {"dependentRequired", Draft::draft2020},
                                            {"dependentSchemas", Draft::draft2020},
                                            {"maxContains", Draft::draft2020},
                                            {"minContains", Draft::draft2020},
                                            {"prefixItems", Draft::draft2020},
                                            {"unevaluatedItems", Draft::draft2020},
                                            {"unevaluatedProperties", Draft::draft2020},
                                            {"$dynamicRef", Draft::draft2020},
                                            {"additionalItems", Draft::draft4, Draft::draft7},
                                            {"dependencies", Draft::draft4, Draft::draft7}};
    constexpr std::array kDrafts = {"4", "6", "7", "2020-12"};
    for (const Keyword& each : kKeywords) {
      if (draft_ >= each.first && draft_ <= each.last) continue;
      if (value(each.name) == nullptr) continue;
      refuse(fmt::format("its keyword {} is none of draft {}", each.name,
                         kDrafts.at(static_cast<std::size_t>(draft_))));
    }
  }

  void type(Subschema& made, std::uint32_t at) {
    const JsonValue& name = document()[at];
    constexpr std::array kNames = {"null", "boolean", "number", "string", "array", "object", "integer"};
    for (std::size_t i = 0; name.kind == JsonKind::string && i < kNames.size(); ++i) {
      if (name.text != kNames[i]) continue;
      const bool written = i == 6 && draft_ == Draft::draft4;
      made.types |= written ? kWrittenInteger : static_cast<std::uint8_t>(1U << i);
      return;
    }
    bad("none of the seven types");
  }
  void general(Subschema& made) {
    if (const JsonValue* found = value("type")) {
      if (found->kind == JsonKind::array) {
        if (found->children == 0) bad("an empty list");
        for (const std::uint32_t each : document().children(at_)) type(made, each);
      } else {
        type(made, at_);
      }
    }
    if (value("enum", JsonKind::array, "no list") != nullptr) {
      const auto all = document().children(at_);
      made.values.emplace(all.begin(), all.end());
    }
    if (draft_ != Draft::draft4 && value("const") != nullptr) made.constant = at_;
    count("minLength", made.min_length);
    count("maxLength", made.max_length);
    const JsonValue* found = value("pattern", JsonKind::string, "no string");
    if (found != nullptr) made.pattern = pattern(found->text);
  }
  void numbers(Subschema& made) {
    made.multiple_of = number("multipleOf");
    if (made.multiple_of) {
      if (!made.multiple_of->positive()) bad("not above 0");
      if (made.multiple_of->digits() > kMaxDivisorDigits) bad("a number of more than 18 digits");
    }
    made.minimum = number("minimum");
    made.maximum = number("maximum");
    if (draft_ != Draft::draft4) {
      made.above = number("exclusiveMinimum");
      made.below = number("exclusiveMaximum");
      return;
    }
    const JsonValue* found = value("exclusiveMinimum", JsonKind::boolean, "no boolean");
    if (found != nullptr && found->truth) std::swap(made.above, made.minimum);
    found = value("exclusiveMaximum", JsonKind::boolean, "no boolean");
    if (found != nullptr && found->truth) std::swap(made.below, made.maximum);
  }
  void arrays(Subschema& made) {
    count("minItems", made.min_items);
    count("maxItems", made.max_items);
    const JsonValue* found = value("uniqueItems", JsonKind::boolean, "no boolean");
    made.unique = found != nullptr && found->truth;
    if (draft_ == Draft::draft2020) {
      made.prefix = schemas("prefixItems");
      made.items = schema("items");
      count("minContains", made.min_contains);
      count("maxContains", made.max_contains);
      made.unevaluated_items = schema("unevaluatedItems");
      made.contains_evaluates = true;
    } else if (found = value("items"); found != nullptr && found->kind == JsonKind::array) {
      for (const std::uint32_t each : document().children(at_)) made.prefix.push_back(schema(each));
      made.items = schema("additionalItems");
    } else {
      made.items = schema("items");
    }
    if (draft_ != Draft::draft4) made.contains = schema("contains");
  }
  void objects(Subschema& made) {
    count("minProperties", made.min_members);
    count("maxProperties", made.max_members);
    if (value("required") != nullptr) made.required = strings(at_);
    if (value("properties", JsonKind::object, "no object") != nullptr) {
      for (const std::uint32_t each : document().children(at_)) {
        made.properties.emplace(document()[each].name, schema(each));
      }
    }
    if (value("patternProperties", JsonKind::object, "no object") != nullptr) {
      for (const std::uint32_t each : document().children(at_)) {
        const Index looked_for = pattern(document()[each].name);
        made.pattern_properties.emplace_back(looked_for, schema(each));
      }
    }
    made.additional = schema("additionalProperties");
    if (draft_ != Draft::draft4) made.names = schema("propertyNames");
    if (draft_ == Draft::draft2020) made.unevaluated_members = schema("unevaluatedProperties");
    for (const char* key : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      if ((std::string_view(key) == "dependencies") == (draft_ == Draft::draft2020)) continue;
      if (value(key, JsonKind::object, "no object") == nullptr) continue;
      for (const std::uint32_t each : document().children(at_)) {
        const std::string_view name = document()[each].name;
        const bool list = document()[each].kind == JsonKind::array;
        if (list && std::string_view(key) != "dependentSchemas") {
          made.required_with.emplace_back(name, strings(each));
        } else if (std::string_view(key) == "dependentRequired") {
          bad("no list of names");
        } else {
          made.schema_with.emplace_back(name, schema(each));
        }
      }
    }
  }
  void applied(Subschema& made) {
    made.all_of = schemas("allOf");
    made.any_of = schemas("anyOf");
    made.one_of = schemas("oneOf");
    made.negated = schema("not");
    if (draft_ == Draft::draft4 || draft_ == Draft::draft6) return;
    made.condition = schema("if");
    if (made.condition == kNone) return;
    made.then = schema("then");
    made.otherwise = schema("else");
  }

  // What is asked of the very value that a subschema looks at.
  static std::vector<Index> in_place(const Subschema& of) {
    std::vector<Index> all = of.all_of;
    all.insert(all.end(), of.any_of.begin(), of.any_of.end());
    all.insert(all.end(), of.one_of.begin(), of.one_of.end());
    for (const auto& [name, index] : of.schema_with) all.push_back(index);
    for (const Index each : {of.negated, of.condition, of.then, of.otherwise, of.ref, of.dynamic_ref}) {
      if (each != kNone) all.push_back(each);
    }
    return all;
  }
  // Where they lead back to it, no record's check would end.
  void look_for_circles() {
    enum class State : std::uint8_t { fresh, open, done };
    std::vector<State> states(into_.subschemas_.size(), State::fresh);
    struct Step {
      Index index;
      std::vector<Index> rest;
    };
    std::vector<Step> way;
    const auto go = [&](Index index) {
      states[index] = State::open;
      way.push_back({index, in_place(into_.subschemas_[index])});
    };
    for (Index start = 0; start < states.size(); ++start) {
      if (states[start] == State::fresh) go(start);
      while (!way.empty()) {
        Step& top = way.back();
        if (top.rest.empty()) {
          states[top.index] = State::done;
          way.pop_back();
          continue;
        }
        const Index next = top.rest.back();
        top.rest.pop_back();
        if (states[next] == State::open) return refuse("its references go in a circle");
        if (states[next] == State::fresh) go(next);
      }
    }
  }

  void count() {
    std::size_t size = 0;
    for (const Schema::Text& each : into_.texts_) size += each.text.capacity() + each.parsed.size_bytes();
    for (const Subschema& each : into_.subschemas_) {
      size += sizeof(each) + 2 * sizeof(Index) * in_place(each).size() + 64 * each.properties.size() +
              sizeof(Index) * (each.prefix.size() + 2 * each.pattern_properties.size()) +
              sizeof(std::string_view) * each.required.size();
      if (each.values) size += sizeof(Index) * each.values->size();
      for (const auto& [name, names] : each.required_with) size += sizeof(name) * (names.size() + 3);
      into_.tracks_ |= each.unevaluated_items != kNone || each.unevaluated_members != kNone;
    }
    // RE2 keeps a pattern's program and what it has learned from texts.
    size += into_.patterns_.size() * limits_.max_pattern_bytes / 8;
    into_.size_ = size;
  }

  Schema& into_;
  const CompileLimits limits_;
  Resources resources_;
  std::map<Place, Index> indexes_;
  std::vector<Open> open_;
  std::string problem_;
  // The schema that is being compiled, and the keyword that was looked up last.
  Place place_;
  std::uint32_t resource_ = 0;
  Draft draft_ = Draft::draft7;
  std::string_view key_;
  std::uint32_t at_ = 0;
};

Result<Schema> Schema::compile(std::string_view text, std::span<const NamedSchema> references,
                               const CompileLimits& limits) {
  Schema made;
  if (auto compiled = Compiler(made, limits).run(text, references); !compiled) {
    return fail(std::move(compiled.error()));
  }
  return made;
}

std::uint32_t Schema::dynamic(std::uint32_t resource, std::string_view name) const {
  const auto found = dynamic_[resource].find(name);
  return found == dynamic_[resource].end() ? kNone : found->second;
}

}  // namespace tidegate::schema::json_schema
