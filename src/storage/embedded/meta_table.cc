#include "meta_table.h"

#include <map>

#include "keys.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
const Error kStopped{ErrorCode::kafka_storage_error, "the engine is not running"};
}

void MetaTable::set_open(bool open) {
  const std::lock_guard lock(mutex_);
  open_ = open;
}

bool MetaTable::idle() const {
  const std::lock_guard lock(mutex_);
  return !draining_ && queue_.empty();
}

Task<Result<std::optional<std::string>>> MetaTable::get(std::string scope, std::string key) {
  auto work = [this, at = keys::scope(keys::kScopes, scope) + key] { return context_.kv->get(at); };
  co_return co_await context_.pool.run(Lane::disk_read, std::move(work));
}

Task<Result<void>> MetaTable::put_batch(std::string scope, std::int32_t epoch, std::vector<MetaOp> ops,
                                        MetaDurability durability) {
  Put put;
  put.scope = std::move(scope);
  put.epoch = epoch;
  put.ops = std::move(ops);
  put.sync = durability == MetaDurability::synced || context_.options.flush == FlushPolicy::ack;
  put.from = Shard::current();
  {
    const std::lock_guard lock(mutex_);
    if (!open_) co_return fail(kStopped);
  }
  auto park = [this, &put](Resume resume) {
    put.resume = std::move(resume);
    enqueue(put);
  };
  co_await suspend(park);
  co_return std::move(put.result);
}

void MetaTable::enqueue(Put& put) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(&put);
  if (std::exchange(draining_, true)) return;
  context_.pool.post(Lane::metadata, [this] { drain(); });
}

// On the metadata lane, one at a time.
void MetaTable::drain() {
  for (;;) {
    std::vector<Put*> group;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) {
        draining_ = false;
        return;
      }
      group.swap(queue_);
    }
    write_group(group);
    for (Put* put : group) {
      // The put lives in its coroutine, which ends once it is resumed.
      put->from->post([resume = std::move(put->resume)]() mutable { resume(); });
    }
  }
}

void MetaTable::write_group(std::vector<Put*>& group) {
  std::vector<KvOp> ops;
  std::map<std::string, std::int32_t> fences;  // as they stand behind this group
  std::vector<Put*> written;
  bool sync = false;
  for (Put* put : group) {
    auto [fence, unknown] = fences.try_emplace(put->scope, std::numeric_limits<std::int32_t>::min());
    if (unknown) {
      auto stored = context_.kv->get(keys::scope(keys::kFences, put->scope));
      if (!stored) {
        put->result = fail(std::move(stored.error()));
        fences.erase(fence);
        continue;
      }
      if (*stored) fence->second = ValueReader(**stored).integer<std::int32_t>();
    }
    if (put->epoch < fence->second) {
      put->result = fail(ErrorCode::not_coordinator,
                         fmt::format("epoch {} was followed by {}", put->epoch, fence->second));
      continue;
    }
    if (put->epoch > fence->second) {
      fence->second = put->epoch;
      ops.push_back({keys::scope(keys::kFences, put->scope), ValueWriter().integer(put->epoch).take()});
    }
    const std::string base = keys::scope(keys::kScopes, put->scope);
    for (MetaOp& op : put->ops) {
      KvOp& out = ops.emplace_back(KvOp{base + op.key, std::nullopt});
      if (op.kind == MetaOp::Kind::put) out.value = std::move(op.value);
    }
    sync |= put->sync;
    written.push_back(put);
  }
  if (ops.empty()) return;
  const auto wrote = context_.kv->write(ops, sync);
  if (wrote && !sync) unsynced_ = true;
  if (wrote) return;
  for (Put* put : written) put->result = wrote;
}

Task<Result<std::vector<MetaEntry>>> MetaTable::scan(std::string scope, std::string prefix, std::string after,
                                                     std::size_t limit) {
  auto work = [this, base = keys::scope(keys::kScopes, scope), prefix, after,
               limit]() -> Result<std::vector<MetaEntry>> {
    std::vector<MetaEntry> entries;
    if (limit == 0) return entries;
    const std::string from = base + (after.empty() ? prefix : std::max(prefix, after + '\0'));
    auto scanned = context_.kv->scan(from, base + prefix, [&](std::string_view key, std::string_view value) {
      entries.push_back({std::string(key.substr(base.size())), std::string(value)});
      return entries.size() < limit;
    });
    if (!scanned) return fail(std::move(scanned.error()));
    return entries;
  };
  co_return co_await context_.pool.run(Lane::disk_read, std::move(work));
}

Task<Result<std::vector<std::string>>> MetaTable::scopes(std::string prefix, std::string after,
                                                         std::size_t limit) {
  auto work = [this, prefix, after, limit]() -> Result<std::vector<std::string>> {
    std::vector<std::string> found;
    const std::string within = std::string(keys::kScopes) + keys::escaped(prefix);
    // Behind every key of a scope: its terminator is 00 01.
    const auto behind = [](const std::string& scope) {
      return std::string(keys::kScopes) + keys::escaped(scope) + std::string("\0\x02", 2);
    };
    std::string from = after.empty() ? within : behind(after);
    while (found.size() < limit) {
      std::optional<std::string> next;
      auto scanned = context_.kv->scan(from, within, [&](std::string_view key, std::string_view) {
        std::string_view rest;
        next = keys::unescape_scope(key, rest);
        return false;
      });
      if (!scanned) return fail(std::move(scanned.error()));
      if (!next) break;
      from = behind(*next);
      found.push_back(std::move(*next));
    }
    return found;
  };
  co_return co_await context_.pool.run(Lane::disk_read, std::move(work));
}

}  // namespace tidegate::storage::embedded
