// Fetch sessions: see the header. The rules of epochs, of what an incremental reply carries and of
// eviction are KIP-227's.
#include "fetch_session.h"

#include <limits>
#include <utility>

namespace tidegate::broker {
namespace {

// 1, 2, ..., 2147483647, 1: neither 0 (open) nor -1 (close) is ever expected.
std::int32_t epoch_after(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}

}  // namespace

bool FetchSessionSlots::take(std::int32_t id, std::size_t partitions, MonoTime now,
                             std::optional<std::int32_t>& evicted) {
  const std::lock_guard lock(mutex_);
  if (slots_.size() >= limit_) {
    auto idle = slots_.end();
    auto small = slots_.end();
    for (auto at = slots_.begin(); at != slots_.end(); ++at) {
      if (idle == slots_.end() || at->second.last_used < idle->second.last_used) idle = at;
      const bool old = now - at->second.created > evict_after_;
      if (old && at->second.partitions < partitions &&
          (small == slots_.end() || at->second.partitions < small->second.partitions)) {
        small = at;
      }
    }
    auto victim = small;
    if (idle != slots_.end() && now - idle->second.last_used > evict_after_) victim = idle;
    if (victim == slots_.end()) return false;
    evicted = victim->first;
    slots_.erase(victim);
  }
  slots_[id] = {now, now, partitions};
  return true;
}

void FetchSessionSlots::touch(std::int32_t id, std::size_t partitions, MonoTime now) {
  const std::lock_guard lock(mutex_);
  const auto at = slots_.find(id);
  if (at == slots_.end()) return;
  at->second.last_used = now;
  at->second.partitions = partitions;
}

void FetchSessionSlots::release(std::int32_t id) {
  const std::lock_guard lock(mutex_);
  slots_.erase(id);
}

std::size_t FetchSessionSlots::used() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

std::size_t FetchSessions::KeyHash::operator()(const FetchKey& key) const noexcept {
  return std::hash<std::string>{}(key.name) ^ std::hash<Uuid>{}(key.id) ^
         (static_cast<std::size_t>(key.partition) * 0x9e3779b97f4a7c15ULL);
}

FetchSessions::~FetchSessions() {
  for (const auto& [id, session] : sessions_) slots_.release(id);
}

std::int32_t FetchSessions::fresh_id() {
  for (;;) {
    const auto range = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()) / shards_;
    const auto id = static_cast<std::int32_t>(rng_.below(range) * shards_ + shard_);
    if (id > 0 && !sessions_.contains(id)) return id;
  }
}

FetchSessions::Incremental FetchSessions::advance(std::int32_t session_id, std::int32_t epoch, bool by_id,
                                                  std::vector<FetchWant> changes,
                                                  const std::vector<FetchKey>& forgotten, MonoTime now) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return {.error = ErrorCode::fetch_session_id_not_found};
  Session& session = found->second;
  if (epoch != session.next_epoch) return {.error = ErrorCode::invalid_fetch_session_epoch};
  if (by_id != session.by_id) return {.error = ErrorCode::fetch_session_topic_id_error};

  for (FetchWant& change : changes) {
    const auto known = session.by_key.find(change.key);
    if (known != session.by_key.end()) {
      known->second->want = std::move(change);
      continue;
    }
    session.order.push_back({.want = std::move(change)});
    const auto last = std::prev(session.order.end());
    session.by_key.emplace(last->want.key, last);
  }
  for (const FetchKey& key : forgotten) {
    const auto known = session.by_key.find(key);
    if (known == session.by_key.end()) continue;
    session.order.erase(known->second);
    session.by_key.erase(known);
  }
  if (session.order.empty()) {
    close(session_id);
    return {};
  }
  session.next_epoch = epoch_after(session.next_epoch);
  slots_.touch(session_id, session.order.size(), now);

  Incremental out{.session_id = session_id};
  out.wants.reserve(session.order.size());
  for (const Remembered& partition : session.order) out.wants.push_back(partition.want);
  return out;
}

std::int32_t FetchSessions::create(bool by_id, const std::vector<FetchWant>& wants,
                                   const std::vector<FetchSeen>& seen, MonoTime now,
                                   std::optional<std::int32_t>& evicted) {
  // A session without partitions would be closed by the first incremental request anyway.
  if (wants.empty()) return kNoSession;
  const std::int32_t id = fresh_id();
  if (!slots_.take(id, wants.size(), now, evicted)) return kNoSession;
  Session& session = sessions_[id];
  session.by_id = by_id;
  for (const FetchWant& want : wants) {
    if (session.by_key.contains(want.key)) continue;
    session.order.push_back({.want = want});
    session.by_key.emplace(want.key, std::prev(session.order.end()));
  }
  record_reply(id, seen);
  return id;
}

std::vector<bool> FetchSessions::record_reply(std::int32_t session_id, const std::vector<FetchSeen>& seen) {
  std::vector<bool> carry(seen.size(), true);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return carry;  // closed or evicted meanwhile: tell everything
  Session& session = found->second;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const FetchSeen& now = seen[i];
    const auto known = session.by_key.find(now.key);
    if (known == session.by_key.end()) continue;
    Remembered& partition = *known->second;
    const bool trouble = now.error != ErrorCode::none || now.diverging;
    carry[i] = now.has_records || trouble || now.high_watermark != partition.high_watermark ||
               now.log_start != partition.log_start;
    // -1 makes the next good reply carry the partition again: the client has to learn that it is well.
    partition.high_watermark = trouble ? -1 : now.high_watermark;
    partition.log_start = now.log_start;
    if (now.has_records) session.order.splice(session.order.end(), session.order, known->second);
  }
  return carry;
}

std::shared_ptr<TurnQueue> FetchSessions::turns(std::int32_t session_id) const {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : found->second.turns;
}

void FetchSessions::close(std::int32_t session_id) {
  if (sessions_.erase(session_id) > 0) slots_.release(session_id);
}

}  // namespace tidegate::broker
