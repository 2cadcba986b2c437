#include "tidegate/base/config_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <mutex>
#include <numeric>

#include "tidegate/base/assert.h"

namespace tidegate {
namespace {

// Kafka keeps a config value in a string with a 16-bit length; longer ones could not be told to clients.
constexpr std::size_t kMaxValueBytes = 32'767;
constexpr std::size_t kMaxNameBytesForNearest = 100;
constexpr std::size_t kMaxQuotedBytes = 120;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Client text in a message: bounded, and without control bytes that would break a log line.
std::string quoted(std::string_view text) {
  std::string out(text.substr(0, kMaxQuotedBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > kMaxQuotedBytes) out += "...";
  return out;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> items;
  if (trimmed(text).empty()) return items;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    items.push_back(trimmed(text.substr(begin, comma - begin)));
    begin = comma + 1;
  }
  return items;
}

std::unexpected<Error> bad_value(const ConfigKey& key, std::string_view value, std::string_view expected) {
  return fail(ErrorCode::invalid_config,
              fmt::format("Invalid value '{}' for {}: expected {}.", quoted(value), key.name, expected));
}

std::string range_text(const ConfigKey& key, std::string_view what) {
  const bool from = std::isfinite(key.min);
  const bool to = std::isfinite(key.max);
  if (from && to) return fmt::format("{} between {} and {}", what, key.min, key.max);
  if (from) return fmt::format("{} of at least {}", what, key.min);
  if (to) return fmt::format("{} of at most {}", what, key.max);
  return std::string(what);
}

Result<std::string> normalise_integer(const ConfigKey& key, std::string_view value) {
  const bool is_int32 = key.type == ConfigType::int32;
  const std::string expected = range_text(key, is_int32 ? "a 32-bit whole number" : "a whole number");
  std::string_view digits = value;
  if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad_value(key, value, expected);
  if (is_int32 && (number < INT32_MIN || number > INT32_MAX)) return bad_value(key, value, expected);
  const auto as_double = static_cast<double>(number);
  if (as_double < key.min || as_double > key.max) return bad_value(key, value, expected);
  return std::to_string(number);
}

Result<std::string> normalise_float(const ConfigKey& key, std::string_view value) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number) ||
      number < key.min || number > key.max) {
    return bad_value(key, value, range_text(key, "a number"));
  }
  return fmt::format("{}", number);
}

bool is_allowed(const ConfigKey& key, std::string_view item) {
  return key.allowed.empty() || std::ranges::find(key.allowed, item) != key.allowed.end();
}

Result<std::string> normalise_list(const ConfigKey& key, std::string_view value) {
  const auto items = split_list(value);
  for (const std::string_view item : items) {
    if (item.empty()) return bad_value(key, value, "a comma-separated list without empty items");
    if (!is_allowed(key, item)) {
      return bad_value(key, value, fmt::format("a list of: {}", fmt::join(key.allowed, ", ")));
    }
  }
  return fmt::format("{}", fmt::join(items, ","));
}

// How far a typed name is from a known one: letters in lower case, every separator a dot, so that
// LOG_RETENTION_MS is no distance from log.retention.ms.
std::string comparable(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = (c == '_' || c == '-') ? '.' : lower(c);
  return out;
}

// Edits (insert, remove, replace, swap of neighbours) that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

ConfigTable::ConfigTable(std::span<const ConfigKey> keys, std::span<const std::string_view> ignored)
    : keys_(keys), ignored_(ignored) {
  for (const ConfigKey& key : keys_) {
    const bool fresh = by_name_.emplace(key.name, &key).second;
    TIDEGATE_ASSERT(fresh);
    TIDEGATE_ASSERT(!key.has_default || normalise(key, key.default_value) == key.default_value);
  }
}

bool ConfigTable::ignores(std::string_view name) const {
  return std::ranges::any_of(ignored_, [&](std::string_view each) {
    return each.ends_with('.') ? name.size() > each.size() && name.starts_with(each) : name == each;
  });
}

const ConfigKey* ConfigTable::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

Result<const ConfigKey*> ConfigTable::require(std::string_view name) const {
  if (const ConfigKey* key = find(name)) return key;
  std::string message = fmt::format("Unknown configuration '{}'.", quoted(name));
  if (const auto near = nearest(name)) message += fmt::format(" Did you mean '{}'?", *near);
  return fail(ErrorCode::invalid_config, std::move(message));
}

std::optional<std::string_view> ConfigTable::nearest(std::string_view name) const {
  if (name.size() < 3 || name.size() > kMaxNameBytesForNearest) return std::nullopt;
  const std::string typed = comparable(name);
  std::size_t best = 1 + typed.size() / 6;  // more edits than this are another word, not a slip
  std::optional<std::string_view> found;
  for (const ConfigKey& key : keys_) {
    const std::size_t length_gap =
        key.name.size() > typed.size() ? key.name.size() - typed.size() : typed.size() - key.name.size();
    if (length_gap > best) continue;
    const std::size_t distance = edit_distance(typed, comparable(key.name));
    if (distance > best || (distance == best && found)) continue;
    best = distance;
    found = key.name;
  }
  if (found) return found;
  for (const ConfigKey& key : keys_) {
    const std::string known = comparable(key.name);
    const bool prefix_missing = known.ends_with("." + typed) || typed.ends_with("." + known);
    if (prefix_missing && (!found || key.name.size() < found->size())) found = key.name;
  }
  return found;
}

Result<std::string> ConfigTable::normalise(const ConfigKey& key, std::string_view text) {
  if (text.size() > kMaxValueBytes) {
    return fail(ErrorCode::invalid_config, fmt::format("Value of {} has {} bytes, more than the {} allowed.",
                                                       key.name, text.size(), kMaxValueBytes));
  }
  const std::string_view value = trimmed(text);
  switch (key.type) {
    case ConfigType::boolean:
      if (equal_ignoring_case(value, "true")) return "true";
      if (equal_ignoring_case(value, "false")) return "false";
      return bad_value(key, value, "true or false");
    case ConfigType::int32:
    case ConfigType::int64:
      return normalise_integer(key, value);
    case ConfigType::float64:
      return normalise_float(key, value);
    case ConfigType::string:
      if (is_allowed(key, value)) return std::string(value);
      return bad_value(key, value, fmt::format("one of: {}", fmt::join(key.allowed, ", ")));
    case ConfigType::list:
      return normalise_list(key, value);
    case ConfigType::password:
      return std::string(text);
  }
  return bad_value(key, value, "a known type");
}

Result<void> ConfigValues::set(std::string_view name, std::string_view text, ConfigSource source,
                               std::string where) {
  if (table_->ignores(name)) {
    ignored_.insert_or_assign(std::string(name), std::move(where));
    return {};
  }
  const auto key = table_->require(name);
  if (!key) return fail(key.error());
  auto value = ConfigTable::normalise(**key, text);
  if (!value) return fail(std::move(value.error()));
  Value& slot = values_[std::string(name)];
  if (source >= slot.source) slot = Value{std::move(*value), source, std::move(where)};
  return {};
}

std::string ConfigValues::raw(std::string_view name) const {
  const std::shared_lock locked(lock_.mutex);
  const auto at = values_.find(name);
  if (at != values_.end()) return at->second.text;
  const ConfigKey* key = table_->find(name);
  TIDEGATE_ASSERT(key != nullptr);
  return std::string(key->has_default ? key->default_value : std::string_view{});
}

bool ConfigValues::boolean(std::string_view name) const {
  const ConfigKey* key = table_->find(name);
  TIDEGATE_ASSERT(key != nullptr && key->type == ConfigType::boolean);
  return raw(name) == "true";
}

std::int64_t ConfigValues::integer(std::string_view name) const {
  const ConfigKey* key = table_->find(name);
  TIDEGATE_ASSERT(key != nullptr && (key->type == ConfigType::int32 || key->type == ConfigType::int64));
  const std::string text = raw(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // A key without default must be asked for with is_set() first.
  TIDEGATE_ASSERT(error == std::errc() && end == text.data() + text.size());
  return number;
}

double ConfigValues::number(std::string_view name) const {
  const ConfigKey* key = table_->find(name);
  TIDEGATE_ASSERT(key != nullptr && key->type == ConfigType::float64);
  const std::string text = raw(name);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  TIDEGATE_ASSERT(error == std::errc() && end == text.data() + text.size());
  return number;
}

std::string ConfigValues::text(std::string_view name) const { return raw(name); }

std::vector<std::string> ConfigValues::list(std::string_view name) const {
  const ConfigKey* key = table_->find(name);
  TIDEGATE_ASSERT(key != nullptr && key->type == ConfigType::list);
  std::vector<std::string> items;
  const std::string text = raw(name);
  for (const std::string_view item : split_list(text)) items.emplace_back(item);
  return items;
}

ConfigSource ConfigValues::source(std::string_view name) const {
  TIDEGATE_ASSERT(table_->find(name) != nullptr);
  const std::shared_lock locked(lock_.mutex);
  const auto at = values_.find(name);
  return at == values_.end() ? ConfigSource::default_value : at->second.source;
}

std::string ConfigValues::where(std::string_view name) const {
  TIDEGATE_ASSERT(table_->find(name) != nullptr);
  const std::shared_lock locked(lock_.mutex);
  const auto at = values_.find(name);
  return at == values_.end() ? std::string() : at->second.where;
}

bool ConfigValues::is_set(std::string_view name) const {
  TIDEGATE_ASSERT(table_->find(name) != nullptr);
  const std::shared_lock locked(lock_.mutex);
  return values_.contains(name);
}

ConfigValues::Changes ConfigValues::reload(const ConfigValues& fresh, std::string_view kept) {
  TIDEGATE_ASSERT(table_ == fresh.table_);
  Changes changes;
  for (const ConfigKey& key : table_->keys()) {
    const bool same_text = raw(key.name) == fresh.raw(key.name);
    // Without a default, set to nothing and not set are two things.
    const bool same = same_text && (key.has_default || is_set(key.name) == fresh.is_set(key.name));
    const bool may_change = key.reloadable && key.name != kept;
    if (!same) (may_change ? changes.reloaded : changes.fixed).push_back(key.name);
    if (!same && !may_change) continue;
    // The source may differ although the value does not.
    const std::unique_lock locked(lock_.mutex);
    const auto at = fresh.values_.find(key.name);
    if (at == fresh.values_.end()) {
      values_.erase(std::string(key.name));
    } else {
      values_.insert_or_assign(std::string(key.name), at->second);
    }
  }
  return changes;
}

}  // namespace tidegate
