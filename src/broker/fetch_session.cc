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

// Of one partition in a session: a list node, a hash node and their keys. The name is there twice.
constexpr std::size_t kBytesAPartition = 256;

std::size_t bytes_of(const FetchKey& key) { return kBytesAPartition + 2 * key.name.size(); }

}  // namespace

bool FetchSessionSlots::take(std::int32_t id, FetchSessionSize size, MonoTime now,
                             std::optional<std::int32_t>& evicted) {
  const std::lock_guard lock(mutex_);
  if (limit_ == 0 || size.bytes > max_bytes_) return false;
  if (slots_.size() >= limit_ || !has_room(size.bytes)) {
    auto idle = slots_.end();
    auto small = slots_.end();
    for (auto at = slots_.begin(); at != slots_.end(); ++at) {
      if (idle == slots_.end() || at->second.last_used < idle->second.last_used) idle = at;
      const bool old = now - at->second.created > evict_after_;
      if (old && at->second.size.partitions < size.partitions &&
          (small == slots_.end() || at->second.size.partitions < small->second.size.partitions)) {
        small = at;
      }
    }
    auto victim = small;
    if (idle != slots_.end() && now - idle->second.last_used > evict_after_) victim = idle;
    if (victim == slots_.end()) return false;
    evicted = victim->first;
    erase(victim);
    if (!has_room(size.bytes)) return false;  // the next one to come evicts the next
  }
  slots_[id] = {now, now, size};
  bytes_ += size.bytes;
  return true;
}

bool FetchSessionSlots::touch(std::int32_t id, FetchSessionSize size, MonoTime now) {
  const std::lock_guard lock(mutex_);
  const auto at = slots_.find(id);
  if (at == slots_.end()) return true;  // evicted; its shard hears of it
  bytes_ += size.bytes - at->second.size.bytes;
  at->second.last_used = now;
  at->second.size = size;
  return bytes_ <= max_bytes_;
}

void FetchSessionSlots::release(std::int32_t id) {
  const std::lock_guard lock(mutex_);
  if (const auto at = slots_.find(id); at != slots_.end()) erase(at);
}

void FetchSessionSlots::erase(std::unordered_map<std::int32_t, Slot>::iterator at) {
  bytes_ -= at->second.size.bytes;
  slots_.erase(at);
}

std::size_t FetchSessionSlots::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
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
    remember(session, std::move(change));
  }
  for (const FetchKey& key : forgotten) forget(session, key);
  if (session.order.empty()) {
    close(session_id);
    return {};
  }
  if (!slots_.touch(session_id, {session.order.size(), session.bytes}, now)) {
    // The client goes on with full requests.
    close(session_id);
    return {.error = ErrorCode::fetch_session_id_not_found};
  }
  session.next_epoch = epoch_after(session.next_epoch);

  Incremental out{.session_id = session_id};
  out.wants.reserve(session.order.size());
  for (const Remembered& partition : session.order) out.wants.push_back(partition.want);
  return out;
}

void FetchSessions::remember(Session& session, FetchWant want) {
  session.order.push_back({.want = std::move(want)});
  const auto last = std::prev(session.order.end());
  session.by_key.emplace(last->want.key, last);
  session.bytes += bytes_of(last->want.key);
}

void FetchSessions::forget(Session& session, const FetchKey& key) {
  const auto known = session.by_key.find(key);
  if (known == session.by_key.end()) return;
  session.bytes -= bytes_of(key);
  session.order.erase(known->second);
  session.by_key.erase(known);
}

std::int32_t FetchSessions::create(bool by_id, const std::vector<FetchWant>& wants,
                                   const std::vector<FetchSeen>& seen, MonoTime now,
                                   std::optional<std::int32_t>& evicted) {
  // A session without partitions would be closed by the first incremental request anyway.
  if (wants.empty()) return kNoSession;
  const std::int32_t id = fresh_id();
  std::size_t bytes = 0;
  for (const FetchWant& want : wants) bytes += bytes_of(want.key);
  if (!slots_.take(id, {wants.size(), bytes}, now, evicted)) return kNoSession;
  Session& session = sessions_[id];
  session.by_id = by_id;
  for (const FetchWant& want : wants) {
    if (session.by_key.contains(want.key)) continue;
    remember(session, want);
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
