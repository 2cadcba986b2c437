#include "scope_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "format/names.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

namespace {

constexpr int kAttempts = 5;
constexpr std::size_t kPage = 200;
// Of a name in the filer. A longer one is cut, and told apart by what would have followed.
constexpr std::size_t kMaxNameBytes = 200;

std::string name_of(const std::string& scope) {
  std::string name = escape_name(scope);
  if (name.size() <= kMaxNameBytes) return name;
  const std::uint32_t head = protocol::crc32c(as_bytes(scope));
  const std::uint32_t both = protocol::crc32c(as_bytes(scope), head);
  return fmt::format("{}~~{:08x}{:08x}", name.substr(0, kMaxNameBytes), head, both);
}

std::size_t size_of(const std::string& key, const std::string& value) {
  return 8 + key.size() + value.size();
}

// Changes to a scope, each of which costs what it changes, however large the scope is.
class Changes {
 public:
  explicit Changes(ScopeContent& content) : content_(content), size_(13 + content.scope.size()) {
    for (const auto& [key, value] : content.entries) size_ += size_of(key, value);
  }
  // nullopt, or the bytes that the scope would have, beyond `limit`: then it is as it was.
  std::optional<std::size_t> apply(const std::vector<MetaOp>& ops, std::size_t limit) {
    std::vector<std::pair<std::string, std::optional<std::string>>> before;
    for (const MetaOp& op : ops) {
      const bool puts = op.kind == MetaOp::Kind::put;
      before.emplace_back(op.key, set(op.key, puts ? std::optional(op.value) : std::nullopt));
    }
    if (size_ <= limit) return std::nullopt;
    const std::size_t wanted = size_;
    while (!before.empty()) {
      set(before.back().first, std::move(before.back().second));
      before.pop_back();
    }
    return wanted;
  }

 private:
  // Returns what was there; nullopt is nothing.
  std::optional<std::string> set(const std::string& key, std::optional<std::string> value) {
    std::optional<std::string> before;
    if (const auto found = content_.entries.find(key); found != content_.entries.end()) {
      size_ -= size_of(key, found->second);
      before = std::move(found->second);
      if (!value) content_.entries.erase(found);
    }
    if (value) {
      size_ += size_of(key, *value);
      content_.entries.insert_or_assign(key, std::move(*value));
    }
    return before;
  }
  ScopeContent& content_;
  std::size_t size_;
};

// The scope that the entry holds something of; also one that is damaged, as far as its name tells.
std::optional<std::string> scope_in(const Entry& entry) {
  auto content = parse_scope(entry.content);
  if (content) return content->entries.empty() ? std::nullopt : std::optional(std::move(content->scope));
  auto scope = unescape_name(entry.name);
  module_log().error("event=meta_scope_damaged entry={}/{} error=\"{}\"{}", paths::scopes_dir(), entry.name,
                     content.error().message,
                     scope ? "" : " reason=\"its name was cut: nobody can tell whose it is\"");
  return scope;
}

}  // namespace

ScopeStore::ScopeStore(Filer& filer, VersionedEntries& entries, ShardPool& shards, PositionFiles positions)
    : filer_(filer),
      entries_(entries),
      shards_(shards),
      inherited_(filer, std::move(positions)),
      slots_(shards.size()) {}

unsigned ScopeStore::home_of(const std::string& scope) const {
  return protocol::crc32c(as_bytes(scope)) % shards_.size();
}

// -------------------------------------------------------------------------------------------- read

// `content.scope` is another one when two long names are stored under one.
Task<Result<ScopeStore::Stored>> ScopeStore::read(std::string scope) {
  auto found = co_await entries_.get(paths::scopes_dir(), name_of(scope));
  if (!found) co_return fail(std::move(found.error()));
  Stored stored{.content = {.scope = scope}, .etag = found->etag};
  if (found->etag.empty()) {
    auto inherited = co_await inherited_.of(std::move(scope));
    if (!inherited) co_return fail(std::move(inherited.error()));
    stored.content.entries = std::move(*inherited);
    co_return stored;
  }
  auto content = parse_scope(found->content);
  if (!content) co_return fail(std::move(content.error()));
  stored.content = std::move(*content);
  co_return stored;
}

Task<Result<std::optional<std::string>>> ScopeStore::get(std::string scope, std::string key) {
  auto stored = co_await read(scope);
  if (!stored) co_return fail(std::move(stored.error()));
  auto& entries = stored->content.entries;
  const auto found = entries.find(key);
  if (found == entries.end() || stored->content.scope != scope) co_return std::nullopt;
  co_return std::move(found->second);
}

Task<Result<std::vector<MetaEntry>>> ScopeStore::scan(std::string scope, std::string prefix,
                                                      std::string after, std::size_t limit) {
  auto stored = co_await read(scope);
  if (!stored) co_return fail(std::move(stored.error()));
  std::vector<MetaEntry> found;
  if (stored->content.scope != scope) co_return found;
  const auto& all = stored->content.entries;
  auto at = after.empty() || after < prefix ? all.lower_bound(prefix) : all.upper_bound(after);
  for (; at != all.end() && found.size() < limit && at->first.starts_with(prefix); ++at) {
    found.push_back({.key = at->first, .value = at->second});
  }
  co_return found;
}

Task<Result<std::vector<std::string>>> ScopeStore::scopes(std::string prefix, std::string after,
                                                          std::size_t limit) {
  std::vector<std::string> found;
  const std::string name_prefix = escape_name(prefix).substr(0, kMaxNameBytes);
  std::string name_after = after.empty() ? "" : name_of(after);
  while (found.size() < limit) {
    auto page = co_await filer_.list(paths::scopes_dir(), name_prefix, name_after, kPage);
    if (!page) co_return fail(std::move(page.error()));
    for (const Entry& entry : *page) {
      auto scope = scope_in(entry);
      if (scope && scope->starts_with(prefix) && found.size() < limit) found.push_back(std::move(*scope));
    }
    if (page->size() < kPage) break;
    name_after = page->back().name;
  }
  co_return found;
}

Task<Result<void>> ScopeStore::erase_damaged(std::string scope) {
  const std::string name = name_of(scope);
  auto found = co_await entries_.get(paths::scopes_dir(), name);
  if (!found) co_return fail(std::move(found.error()));
  if (found->etag.empty() || parse_scope(found->content))
    co_return fail(ErrorCode::invalid_request, fmt::format("{} is not damaged", name));
  auto erased = co_await entries_.erase(paths::scopes_dir(), name, found->etag);
  if (!erased) co_return fail(std::move(erased.error()));
  if (!*erased) co_return fail(ErrorCode::kafka_storage_error, fmt::format("{} was changed meanwhile", name));
  module_log().warn("event=meta_scope_erased entry={}/{}", paths::scopes_dir(), name);
  co_return Result<void>{};
}

// --------------------------------------------------------------------------------------------- put

Task<Result<void>> ScopeStore::put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                                         MetaDurability) {
  if (!open_) co_return fail(ErrorCode::kafka_storage_error, "the engine is not running");
  Shard& home = shards_.at(home_of(scope));
  auto at_home = [this, scope, epoch, ops = std::move(ops)]() mutable {
    return put_at_home(scope, epoch, std::move(ops));
  };
  co_return co_await submit_to(home, std::move(at_home));
}

Task<Result<void>> ScopeStore::put_at_home(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops) {
  auto& slot = slots_[Shard::current()->index()][scope];
  const bool first = slot == nullptr;
  if (first) slot = std::make_unique<Slot>();
  Put put;
  put.epoch = epoch;
  put.ops = std::move(ops);
  slot->waiting.push_back(&put);
  if (first) Shard::current()->spawn(write_all(scope), "seaweedmq meta");
  auto park = [&put](Resume resume) { put.resume = std::move(resume); };
  co_await suspend(park);
  co_return std::move(put.result);
}

// One at a time for a scope; ends, and forgets the scope, once nothing waits.
Task<void> ScopeStore::write_all(std::string scope) {
  Slots& slots = slots_[Shard::current()->index()];
  Slot* const slot = slots.at(scope).get();
  while (!slot->waiting.empty()) {
    const Group group(slot->waiting.begin(), slot->waiting.end());
    slot->waiting.clear();
    co_await write_group(slot, scope, group);
    // Whoever is resumed may put again, into this slot.
    for (Put* put : group) {
      Resume resume = std::move(put->resume);
      resume();
    }
  }
  slots.erase(scope);
}

Task<Result<void>> ScopeStore::load(Slot* slot, std::string scope) {
  auto stored = co_await read(scope);
  if (!stored) co_return fail(std::move(stored.error()));
  if (stored->content.scope != scope)
    co_return fail(ErrorCode::kafka_storage_error, "two long names are stored under one: " + name_of(scope));
  slot->content = std::move(stored->content);
  slot->etag = std::move(stored->etag);
  co_return Result<void>{};
}

Task<Result<bool>> ScopeStore::write(Slot* slot, ScopeContent next) {
  const std::string name = name_of(next.scope);
  // What holds nothing and fences nobody needs no entry, unless it would inherit again without one.
  if (next.entries.empty() && next.epoch == 0 && !inherited_.covers(next.scope)) {
    if (slot->etag.empty()) co_return true;
    auto erased = co_await entries_.erase(paths::scopes_dir(), name, slot->etag);
    if (erased && *erased) slot->etag.clear();
    co_return erased;
  }
  auto written = co_await entries_.put(paths::scopes_dir(), name, slot->etag, encode_scope(next));
  if (!written) co_return fail(std::move(written.error()));
  if (*written) slot->etag = **written;
  co_return written->has_value();
}

Task<void> ScopeStore::write_group(Slot* slot, std::string scope, Group group) {
  Result<void> failed;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!slot->content) {
      failed = co_await load(slot, scope);
      if (!failed) break;
    }
    ScopeContent next = *slot->content;
    Changes to(next);
    bool changes = false;
    for (Put* put : group) {
      put->result = {};
      if (put->epoch < next.epoch) {
        put->result = fail(ErrorCode::not_coordinator,
                           fmt::format("epoch {} was followed by {}", put->epoch, next.epoch));
        continue;
      }
      if (const auto wanted = to.apply(put->ops, kMaxScopeBytes)) {
        put->result =
            fail(ErrorCode::kafka_storage_error, fmt::format("{} would have {} bytes, {} is the limit",
                                                             escape_name(scope), *wanted, kMaxScopeBytes));
        continue;
      }
      changes = changes || put->epoch != next.epoch || !put->ops.empty();
      next.epoch = put->epoch;
    }
    if (!changes) co_return;
    auto written = co_await write(slot, next);
    if (written && *written) {
      slot->content = std::move(next);
      co_return;
    }
    // Another writer was there, or nobody knows: what is stored counts.
    slot->content.reset();
    failed = written ? fail(ErrorCode::kafka_storage_error, "the entry is changed by others all the time")
                     : fail(std::move(written.error()));
    if (!written) break;
  }
  for (Put* put : group) put->result = failed;
}

Task<void> ScopeStore::drain() {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    for (;;) {
      auto idle = [this, i] { return slots_[i].empty(); };
      const bool done = co_await submit_to(shards_.at(i), idle);
      if (done) break;
      Shard* const here = Shard::current();
      co_await here->timers().sleep_until(here->clock().now() + std::chrono::milliseconds(1));
    }
  }
}

}  // namespace tidegate::storage::seaweedmq
