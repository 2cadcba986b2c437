#include "json_check.h"

#include <algorithm>
#include <array>
#include <ranges>

#include <fmt/format.h>

#include "excerpt.h"

namespace tidegate::schema::json_schema {
namespace {

constexpr std::size_t kMaxPathBytes = 200;
constexpr std::size_t kMaxNameBytes = 100;
constexpr std::size_t kSchemasPerLevel = 8;

// Which children of a value were looked at, for unevaluatedItems and unevaluatedProperties.
using Seen = std::vector<bool>;
using Index = Subschema::Index;

class Checker {
 public:
  Checker(const Schema& schema, const JsonDocument& text, const CheckLimits& limits)
      : schema_(schema), text_(text), limits_(limits) {}

  std::string run() {
    const bool good = fits(schema_.root(), text_.root(), nullptr);
    if (!stopped_.empty()) return stopped_;
    if (good) return {};
    return path_.empty() ? reason_ : fmt::format("{} (at {})", reason_, path_);
  }

 private:
  // One subschema on one value.
  struct Look {
    const Subschema& of;
    std::uint32_t at;
    const JsonValue& value;
    Seen seen;
  };

  bool fits(Index index, std::uint32_t at, Seen* seen);
  bool looks(Look& look);
  bool type(const Look& look);
  bool listed(const Look& look);
  bool number(const Look& look);
  bool string(const Look& look);
  bool array(Look& look);
  bool contains(Look& look);
  bool unique(const Look& look);
  bool object(Look& look);
  bool member(Look& look, std::size_t position);
  bool names(const Look& look);
  bool dependent(Look& look);
  bool references(Look& look);
  bool combined(Look& look);
  bool one_of(Look& look);
  bool conditional(Look& look);
  bool unevaluated(Look& look);

  // A child, with its place in the path when it fails.
  bool child(Look& look, Index schema, std::size_t position);
  // Another schema on the same value: what it looked at counts when it fits.
  bool same(Look& look, Index schema) {
    return fits(schema, look.at, schema_.tracks() ? &look.seen : nullptr);
  }
  // Without a reason.
  template <typename Ask>
  bool quietly(Ask ask) {
    ++quiet_;
    const bool good = ask();
    --quiet_;
    return good;
  }
  void saw(Look& look, std::size_t position) const {
    if (schema_.tracks()) look.seen[position] = true;
  }
  bool stop(const char* why) {
    if (stopped_.empty()) stopped_ = why;
    return false;
  }
  bool pays(std::size_t steps) {
    if (!stopped_.empty()) return false;
    if (steps > limits_.max_steps - steps_) return stop("the record takes too many steps to check");
    steps_ += steps;
    return true;
  }
  template <typename... Args>
  bool fails(fmt::format_string<Args...> format, Args&&... args) {
    if (quiet_ == 0) reason_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }
  bool found(Index pattern, std::string_view text) {
    const Pattern& looked_for = schema_.pattern(pattern);
    return pays(1 + text.size() / 16 * (1 + looked_for.size() / 64)) && looked_for.found_in(text);
  }

  const Schema& schema_;
  const JsonDocument& text_;
  const CheckLimits& limits_;
  std::size_t steps_ = 0;
  std::size_t depth_ = 0;
  int quiet_ = 0;
  std::vector<std::uint32_t> scope_;  // resources on the way here, for $dynamicRef
  std::string stopped_;               // whatever the schemas around it say
  std::string reason_;
  std::string path_;
};

bool Checker::fits(Index index, std::uint32_t at, Seen* seen) {
  const Subschema& of = schema_.at(index);
  const JsonValue& value = text_[at];
  if (!pays(1 + (schema_.tracks() ? value.children / 64 : 0))) return false;
  if (depth_ >= kSchemasPerLevel * limits_.max_depth) return stop("the record is nested too deeply");
  if (of.never) return fails("the schema allows nothing here");
  ++depth_;
  scope_.push_back(of.resource);
  Look look{of, at, value, Seen(schema_.tracks() ? value.children : 0)};
  const bool good = looks(look);
  scope_.pop_back();
  --depth_;
  if (good && seen != nullptr) {
    for (std::size_t i = 0; i < look.seen.size(); ++i) {
      if (look.seen[i]) (*seen)[i] = true;
    }
  }
  return good;
}

bool Checker::looks(Look& look) {
  if (!references(look) || !type(look) || !listed(look)) return false;
  switch (look.value.kind) {
    case JsonKind::number:
      if (!number(look)) return false;
      break;
    case JsonKind::string:
      if (!string(look)) return false;
      break;
    case JsonKind::array:
      if (!array(look)) return false;
      break;
    case JsonKind::object:
      if (!object(look)) return false;
      break;
    case JsonKind::null:
    case JsonKind::boolean:
      break;
  }
  return combined(look) && one_of(look) && conditional(look) && unevaluated(look);
}

bool Checker::references(Look& look) {
  if (look.of.ref != kNone && !same(look, look.of.ref)) return false;
  if (look.of.dynamic_ref == kNone) return true;
  Index target = look.of.dynamic_ref;
  if (!look.of.dynamic_name.empty()) {
    if (!pays(scope_.size())) return false;
    for (const std::uint32_t resource : scope_) {
      const Index outer = schema_.dynamic(resource, look.of.dynamic_name);
      if (outer == kNone) continue;
      target = outer;
      break;
    }
  }
  return same(look, target);
}

bool Checker::type(const Look& look) {
  const std::uint8_t types = look.of.types;
  if (types == 0 || (types & (1U << static_cast<unsigned>(look.value.kind))) != 0) return true;
  if (look.value.kind == JsonKind::number) {
    if ((types & kInteger) != 0 && Decimal(look.value.text).whole()) return true;
    const bool written = look.value.text.find_first_of(".eE") == std::string_view::npos;
    if ((types & kWrittenInteger) != 0 && written) return true;
  }
  constexpr std::array kNames = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return fails("{} is of no type that the schema allows", kNames[static_cast<std::size_t>(look.value.kind)]);
}

bool Checker::listed(const Look& look) {
  const Subschema& of = look.of;
  const auto equal = [&](std::uint32_t value) { return compare(text_, look.at, *of.document, value) == 0; };
  if (of.constant != kNone && (!pays(look.value.size) || !equal(of.constant))) {
    return fails("it is not the constant that the schema has");
  }
  if (!of.values) return true;
  if (!pays(look.value.size + of.values->size())) return false;
  return std::ranges::any_of(*of.values, equal) ||
         fails("it is none of the enum's {} values", of.values->size());
}

bool Checker::number(const Look& look) {
  const Subschema& of = look.of;
  if (!of.minimum && !of.maximum && !of.above && !of.below && !of.multiple_of) return true;
  if (!pays(1 + look.value.text.size() / 16)) return false;
  const Decimal number(look.value.text);
  if (of.minimum && compare(number, *of.minimum) < 0) return fails("a number is less than the minimum");
  if (of.above && compare(number, *of.above) <= 0)
    return fails("a number is not above the exclusive minimum");
  if (of.maximum && compare(number, *of.maximum) > 0) return fails("a number is more than the maximum");
  if (of.below && compare(number, *of.below) >= 0)
    return fails("a number is not below the exclusive maximum");
  if (of.multiple_of && !number.multiple_of(*of.multiple_of))
    return fails("a number is no multiple of multipleOf");
  return true;
}

bool Checker::string(const Look& look) {
  const Subschema& of = look.of;
  const std::string_view text = look.value.text;
  if (of.min_length > 0 || of.max_length != UINT64_MAX) {
    if (!pays(1 + text.size() / 16)) return false;
    const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    const auto length = static_cast<std::uint64_t>(std::ranges::count_if(text, starts));
    if (length < of.min_length)
      return fails("a string has {} characters, less than {}", length, of.min_length);
    if (length > of.max_length)
      return fails("a string has {} characters, more than {}", length, of.max_length);
  }
  return of.pattern == kNone || found(of.pattern, text) || fails("a string does not match the pattern");
}

bool Checker::child(Look& look, Index schema, std::size_t position) {
  const std::uint32_t at = text_.children(look.at)[position];
  saw(look, position);
  if (fits(schema, at, nullptr)) return true;
  if (quiet_ > 0 || path_.size() >= kMaxPathBytes) return false;
  if (look.value.kind == JsonKind::array) {
    path_ = fmt::format("/{}{}", position, path_);
    return false;
  }
  std::string name;
  for (const char c : excerpt(text_[at].name, kMaxNameBytes)) {
    if (c == '~' || c == '/') {
      name += c == '~' ? "~0" : "~1";
    } else {
      name += c;
    }
  }
  path_ = "/" + name + path_;
  return false;
}

bool Checker::array(Look& look) {
  const Subschema& of = look.of;
  const std::size_t count = look.value.children;
  if (count < of.min_items) return fails("an array has {} items, less than {}", count, of.min_items);
  if (count > of.max_items) return fails("an array has {} items, more than {}", count, of.max_items);
  for (std::size_t i = 0; i < count; ++i) {
    const Index schema = i < of.prefix.size() ? of.prefix[i] : of.items;
    if (schema == kNone) break;
    if (!child(look, schema, i)) return false;
  }
  return contains(look) && (!of.unique || unique(look));
}

bool Checker::contains(Look& look) {
  const Subschema& of = look.of;
  if (of.contains == kNone) return true;
  const auto items = text_.children(look.at);
  std::uint64_t matches = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!quietly([&] { return fits(of.contains, items[i], nullptr); })) continue;
    ++matches;
    if (of.contains_evaluates) saw(look, i);
  }
  if (matches < of.min_contains) return fails("an array has {} items of those it has to contain", matches);
  return matches <= of.max_contains || fails("an array has {} items of those it can contain", matches);
}

bool Checker::unique(const Look& look) {
  if (!pays(look.value.size)) return false;
  const auto items = text_.children(look.at);
  std::vector<std::uint32_t> sorted(items.begin(), items.end());
  const auto order = [this](std::uint32_t a, std::uint32_t b) { return compare(text_, a, text_, b); };
  std::ranges::sort(sorted, [&](std::uint32_t a, std::uint32_t b) { return order(a, b) < 0; });
  const auto twice =
      std::ranges::adjacent_find(sorted, [&](std::uint32_t a, std::uint32_t b) { return order(a, b) == 0; });
  return twice == sorted.end() || fails("an array has two equal items");
}

bool Checker::member(Look& look, std::size_t position) {
  const Subschema& of = look.of;
  const std::string_view name = text_[text_.children(look.at)[position]].name;
  bool named = false;
  if (const auto known = of.properties.find(name); known != of.properties.end()) {
    named = true;
    if (!child(look, known->second, position)) return false;
  }
  for (const auto& [pattern, schema] : of.pattern_properties) {
    if (!found(pattern, name)) continue;
    named = true;
    if (!child(look, schema, position)) return false;
  }
  return named || of.additional == kNone || child(look, of.additional, position);
}

bool Checker::names(const Look& look) {
  if (look.of.names == kNone) return true;
  for (const std::uint32_t each : text_.children(look.at)) {
    // A document of its own, as names are no values.
    JsonDocument name = JsonDocument::of_string(text_[each].name);
    Checker checker(schema_, name, limits_);
    checker.steps_ = steps_;
    checker.depth_ = depth_;
    checker.scope_ = scope_;
    checker.quiet_ = quiet_;
    const bool good = checker.fits(look.of.names, name.root(), nullptr);
    steps_ = checker.steps_;
    if (!checker.stopped_.empty()) return stop("the record takes too many steps to check");
    if (!good)
      return fails("the name {} is not allowed: {}", excerpt(text_[each].name, kMaxNameBytes),
                   checker.reason_);
  }
  return true;
}

bool Checker::dependent(Look& look) {
  const auto has = [&](std::string_view name) { return text_.member(look.at, name).has_value(); };
  for (const auto& [name, required] : look.of.required_with) {
    if (!pays(1) || !has(name)) continue;
    for (const std::string_view each : required) {
      if (!pays(1)) return false;
      if (!has(each))
        return fails("{} is missing, which {} needs", excerpt(each, kMaxNameBytes),
                     excerpt(name, kMaxNameBytes));
    }
  }
  for (const auto& [name, schema] : look.of.schema_with) {
    if (pays(1) && has(name) && !same(look, schema)) return false;
  }
  return true;
}

bool Checker::object(Look& look) {
  const Subschema& of = look.of;
  const std::size_t count = look.value.children;
  if (count < of.min_members) return fails("an object has {} members, less than {}", count, of.min_members);
  if (count > of.max_members) return fails("an object has {} members, more than {}", count, of.max_members);
  if (!pays(of.required.size() / 4 + count / 4)) return false;
  for (const std::string_view each : of.required) {
    if (!text_.member(look.at, each)) return fails("{} is missing", excerpt(each, kMaxNameBytes));
  }
  if (!of.properties.empty() || !of.pattern_properties.empty() || of.additional != kNone) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!member(look, i)) return false;
    }
  }
  return names(look) && dependent(look);
}

bool Checker::combined(Look& look) {
  const Subschema& of = look.of;
  for (const Index each : of.all_of) {
    if (!same(look, each)) return false;
  }
  if (!of.any_of.empty()) {
    bool any = false;
    for (const Index each : of.any_of) {
      if (quietly([&] { return same(look, each); })) any = true;
      if (any && !schema_.tracks()) break;
    }
    if (!any) return fails("it fits none of the {} schemas of anyOf", of.any_of.size());
  }
  if (of.negated == kNone) return true;
  const bool fit = quietly([&] { return fits(of.negated, look.at, nullptr); });
  return !fit || fails("it fits the schema that it must not fit");
}

bool Checker::one_of(Look& look) {
  if (look.of.one_of.empty()) return true;
  std::size_t matches = 0;
  for (const Index each : look.of.one_of) {
    if (quietly([&] { return same(look, each); })) ++matches;
    if (matches > 1) return fails("it fits more than one of the {} schemas of oneOf", look.of.one_of.size());
  }
  return matches == 1 || fails("it fits none of the {} schemas of oneOf", look.of.one_of.size());
}

bool Checker::conditional(Look& look) {
  if (look.of.condition == kNone) return true;
  const bool fit = quietly([&] { return same(look, look.of.condition); });
  const Index next = fit ? look.of.then : look.of.otherwise;
  return next == kNone || same(look, next);
}

bool Checker::unevaluated(Look& look) {
  const Index schema = look.value.kind == JsonKind::array    ? look.of.unevaluated_items
                       : look.value.kind == JsonKind::object ? look.of.unevaluated_members
                                                             : kNone;
  if (schema == kNone) return true;
  for (std::size_t i = 0; i < look.value.children; ++i) {
    if (!look.seen[i] && !child(look, schema, i)) return false;
  }
  return true;
}

}  // namespace

std::string check(const Schema& schema, ByteView text, const CheckLimits& limits) {
  const auto parsed = JsonDocument::parse(text, limits.max_depth);
  if (!parsed) {
    const bool deep = parsed.error().message.starts_with("it is nested too deeply");
    return deep ? "the record is nested too deeply" : parsed.error().message;
  }
  return Checker(schema, *parsed, limits).run();
}

}  // namespace tidegate::schema::json_schema
