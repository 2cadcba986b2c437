#include "memory_meta.h"

#include <utility>

#include <fmt/format.h>

namespace tidegate::storage {

namespace {

// A map node with two strings: what an entry costs beside its bytes.
constexpr std::size_t kEntryBytes = 96;

std::size_t charge_of(const std::string& key, const std::string& value) {
  return key.size() + value.size() + kEntryBytes;
}

// Where an ordered walk over keys with `prefix`, behind `after`, begins.
template <class Map>
auto first_in(const Map& map, const std::string& prefix, const std::string& after) {
  if (after.empty() || after < prefix) return map.lower_bound(prefix);
  return map.upper_bound(after);
}

}  // namespace

Task<Result<std::optional<std::string>>> MemoryMeta::get(std::string scope, std::string key) {
  const std::lock_guard lock(mutex_);
  const auto found = scopes_.find(scope);
  if (found == scopes_.end()) co_return std::nullopt;
  const auto entry = found->second.entries.find(key);
  if (entry == found->second.entries.end()) co_return std::nullopt;
  co_return entry->second;
}

Task<Result<void>> MemoryMeta::put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                                         MetaDurability) {
  co_return put(scope, epoch, std::move(ops));
}

Result<void> MemoryMeta::put(const std::string& name, std::int32_t epoch, std::vector<MetaOp> ops) {
  // Charged before anything is touched, as if every put were of a new key; evened out by apply().
  std::size_t charge = 0;
  for (const auto& op : ops) {
    if (op.kind == MetaOp::Kind::put) charge += charge_of(op.key, op.value);
  }
  if (!quota_->try_charge(charge)) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("memory engine is full: {} bytes used of {}", quota_->used(), quota_->limit()));
  }
  const std::lock_guard lock(mutex_);
  Scope& scope = scopes_[name];
  if (epoch < scope.epoch) {
    quota_->give_back(charge);
    return fail(ErrorCode::not_coordinator,
                fmt::format("epoch {} of {} is fenced by epoch {}", epoch, name, scope.epoch));
  }
  scope.epoch = epoch;
  for (auto& op : ops) apply(scope, std::move(op));
  if (scope.entries.empty() && scope.epoch == 0) scopes_.erase(name);
  return {};
}

void MemoryMeta::apply(Scope& scope, MetaOp op) {
  const auto former = scope.entries.find(op.key);
  if (former != scope.entries.end()) quota_->give_back(charge_of(former->first, former->second));
  if (op.kind == MetaOp::Kind::erase) {
    if (former != scope.entries.end()) scope.entries.erase(former);
  } else if (former != scope.entries.end()) {
    former->second = std::move(op.value);
  } else {
    scope.entries.emplace(std::move(op.key), std::move(op.value));
  }
}

Task<Result<std::vector<MetaEntry>>> MemoryMeta::scan(std::string scope, std::string prefix,
                                                      std::string after, std::size_t limit) {
  co_return entries(scope, prefix, after, limit);
}

std::vector<MetaEntry> MemoryMeta::entries(const std::string& scope, const std::string& prefix,
                                           const std::string& after, std::size_t limit) const {
  std::vector<MetaEntry> found;
  const std::lock_guard lock(mutex_);
  const auto in = scopes_.find(scope);
  if (in == scopes_.end()) return found;
  const auto& all = in->second.entries;
  for (auto entry = first_in(all, prefix, after);
       entry != all.end() && found.size() < limit && entry->first.starts_with(prefix); ++entry) {
    found.push_back({.key = entry->first, .value = entry->second});
  }
  return found;
}

Task<Result<std::vector<std::string>>> MemoryMeta::scopes(std::string prefix, std::string after,
                                                          std::size_t limit) {
  co_return names(prefix, after, limit);
}

std::vector<std::string> MemoryMeta::names(const std::string& prefix, const std::string& after,
                                           std::size_t limit) const {
  std::vector<std::string> found;
  const std::lock_guard lock(mutex_);
  for (auto scope = first_in(scopes_, prefix, after);
       scope != scopes_.end() && found.size() < limit && scope->first.starts_with(prefix); ++scope) {
    if (!scope->second.entries.empty()) found.push_back(scope->first);
  }
  return found;
}

void MemoryMeta::clear() {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, scope] : scopes_) {
    for (const auto& [key, value] : scope.entries) quota_->give_back(charge_of(key, value));
  }
  scopes_.clear();
}

}  // namespace tidegate::storage
