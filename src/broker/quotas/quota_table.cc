#include "tidegate/broker/quota_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace tidegate::broker {
namespace {

constexpr std::array<std::string_view, kQuotaKinds> kNames = {"producer_byte_rate", "consumer_byte_rate",
                                                              "request_percentage"};

std::size_t index_of(QuotaKind kind) { return static_cast<std::size_t>(kind); }

std::string escape(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '%' || c == '/' || c == '*') {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 3) return std::nullopt;
    const char* const begin = text.data() + i + 1;
    const auto [end, error] = std::from_chars(begin, begin + 2, byte, 16);
    if (error != std::errc{} || end != begin + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::string written(const std::optional<QuotaName>& part) {
  if (!part) return {};
  return part->name ? escape(*part->name) : "*";
}

bool read(std::string_view text, std::optional<QuotaName>& part) {
  if (text.empty()) return true;
  if (text == "*") {
    part.emplace();
    return true;
  }
  auto name = unescape(text);
  if (!name) return false;
  part = QuotaName{std::move(name)};
  return true;
}

}  // namespace

std::string_view name_of(QuotaKind kind) { return kNames[index_of(kind)]; }

std::optional<QuotaKind> quota_kind(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<QuotaKind>(at - kNames.begin());
}

void QuotaTable::set(const QuotaEntity& entity, QuotaKind kind, double bound) {
  auto& value = quotas_[entity][index_of(kind)];
  if (!value) ++counts_[index_of(kind)];
  value = bound;
}

void QuotaTable::remove(const QuotaEntity& entity, QuotaKind kind) {
  const auto at = quotas_.find(entity);
  if (at == quotas_.end() || !at->second[index_of(kind)]) return;
  at->second[index_of(kind)].reset();
  --counts_[index_of(kind)];
  if (at->second == QuotaValues{}) quotas_.erase(at);
}

std::optional<FoundQuota> QuotaTable::find(QuotaKind kind, std::string_view user,
                                           std::string_view client_id) const {
  if (!has(kind)) return std::nullopt;
  using Part = QuotaEntityView::Part;
  const Part this_user(std::in_place, user);
  const Part this_client(std::in_place, client_id);
  const Part other(std::in_place, std::nullopt);
  const std::pair<QuotaEntityView, FoundQuota> places[] = {
      {{this_user, this_client}, {.user = user, .client_id = client_id}},
      {{this_user, other}, {.user = user, .client_id = client_id}},
      {{this_user, std::nullopt}, {.user = user}},
      {{other, this_client}, {.user = user, .client_id = client_id}},
      {{other, other}, {.user = user, .client_id = client_id}},
      {{other, std::nullopt}, {.user = user}},
      {{std::nullopt, this_client}, {.client_id = client_id}},
      {{std::nullopt, other}, {.client_id = client_id}},
  };
  for (const auto& [entity, shared_by] : places) {
    const auto at = quotas_.find(entity);
    if (at == quotas_.end() || !at->second[index_of(kind)]) continue;
    FoundQuota found = shared_by;
    found.bound = *at->second[index_of(kind)];
    return found;
  }
  return std::nullopt;
}

std::string quota_key(const QuotaEntity& entity, QuotaKind kind) {
  return fmt::format("{}/{}/{}", written(entity.user), written(entity.client_id), name_of(kind));
}

std::string quota_value(double bound) { return fmt::format("{}", bound); }

std::optional<StoredQuota> parse_quota(std::string_view key, std::string_view value) {
  const std::size_t first = key.find('/');
  const std::size_t second = first == key.npos ? key.npos : key.find('/', first + 1);
  if (second == key.npos) return std::nullopt;
  StoredQuota quota;
  const auto kind = quota_kind(key.substr(second + 1));
  if (!kind || !read(key.substr(0, first), quota.entity.user) ||
      !read(key.substr(first + 1, second - first - 1), quota.entity.client_id) ||
      quota.entity == QuotaEntity{}) {
    return std::nullopt;
  }
  quota.kind = *kind;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), quota.bound);
  if (error != std::errc{} || end != value.data() + value.size() || !std::isfinite(quota.bound) ||
      quota.bound <= 0) {
    return std::nullopt;
  }
  return quota;
}

}  // namespace tidegate::broker
