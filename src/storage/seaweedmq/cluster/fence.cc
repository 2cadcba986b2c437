#include "fence.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "format/names.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Others may take it in between; whoever fights for a fence longer than this has lost it.
constexpr int kAttempts = 4;
constexpr Duration kFirstLook = std::chrono::milliseconds(2);
constexpr Duration kLongestLook = std::chrono::milliseconds(200);

template <class Int>
bool parse_whole(std::string_view text, Int& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && value >= 0;
}
}  // namespace

std::string FenceMark::etag() const { return fmt::format("{}.{}", epoch, count); }

std::optional<FenceMark> FenceMark::parse(const std::string& etag) {
  FenceMark mark;
  const std::size_t dot = etag.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::string_view text = etag;
  if (!parse_whole(text.substr(0, dot), mark.epoch) || !parse_whole(text.substr(dot + 1), mark.count))
    return std::nullopt;
  return mark;
}

Fence::Fence(Backend backend, Shard& home, unsigned index, Session& session)
    : backend_(backend), home_(home), name_(paths::fence_name(index)), session_(session) {}

LeaderEpoch Fence::epoch() const {
  const std::lock_guard lock(mutex_);
  return mark_.epoch;
}

std::string Fence::fence_path() const { return paths::join(paths::fences_dir(), name_); }

std::string Fence::etag() const {
  const std::lock_guard lock(mutex_);
  return mark_.etag();
}

bool Fence::holds() const {
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::held) return false;
    generation = generation_;
  }
  return session_.holds(generation);
}

bool Fence::lost() const { return state() == State::lost; }

Fence::State Fence::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Fence::set(State state, FenceMark mark, std::uint64_t generation) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  mark_ = mark;
  generation_ = generation;
}

void Fence::expect(LeaderEpoch epoch) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::fresh) mark_.epoch = epoch;
}

Error Fence::lost_error() const {
  return {ErrorCode::not_leader_or_follower, "another gateway has taken over (" + fence_path() + ")"};
}

Task<void> Fence::lock() {
  while (busy_) co_await idle_.wait();
  busy_ = true;
}

void Fence::unlock() {
  busy_ = false;
  idle_.notify_all();
}

Task<Result<bool>> Fence::write(std::optional<std::string> expected, FenceMark next, std::string session) {
  FencedChange change;
  change.fence_path = fence_path();
  change.fence_etag = expected.value_or("");
  change.directory = paths::fences_dir();
  change.entry.name = name_;
  change.entry.extended[kEtagAttribute] = next.etag();
  change.entry.content = session;
  auto written = co_await backend_.filer.transact(std::move(change));
  if (written && *written == Outcome::done) co_return true;
  // Refused, or of unknown fate: the entry tells.
  auto now = co_await backend_.filer.lookup(paths::fences_dir(), name_);
  if (!now) co_return fail(std::move(now.error()));
  if (!*now) co_return false;
  const auto etag = (*now)->extended.find(kEtagAttribute);
  const bool ours =
      etag != (*now)->extended.end() && etag->second == next.etag() && (*now)->content == session;
  // Not there yet, but it may be under way: only another mark settles it.
  if (!ours && !written && etag != (*now)->extended.end() && etag->second == expected) {
    co_return fail(std::move(written.error()));
  }
  co_return ours;
}

Task<Result<void>> Fence::acquire() {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::held && seen_) co_return Result<void>{};
  }
  auto at_home = [self] { return self->acquire_at_home(); };
  co_return co_await submit_to(home_, std::move(at_home));
}

// Leaves it fresh when somebody else was faster.
Task<Result<void>> Fence::try_to_take() {
  const Session::Standing standing = session_.standing();
  if (!session_.holds(standing.generation)) {
    co_return fail(ErrorCode::not_leader_or_follower, "this gateway's lease has run out");
  }
  auto found = co_await backend_.filer.lookup(paths::fences_dir(), name_);
  if (!found) co_return fail(std::move(found.error()));
  FenceMark next;
  std::optional<std::string> expected;
  if (*found) {
    expected = (*found)->extended[kEtagAttribute];
    const auto before = FenceMark::parse(*expected);
    if (!before) {
      co_return fail(ErrorCode::kafka_storage_error,
                     fmt::format("{} is no fence: its ETag is \"{}\"", fence_path(), *expected));
    }
    auto ended = co_await session_.has_ended((*found)->content);
    if (!ended) co_return fail(std::move(ended.error()));
    if (!*ended) {
      co_return fail(ErrorCode::not_leader_or_follower,
                     fmt::format("{} is held for session {}", fence_path(), (*found)->content));
    }
    next.epoch = before->epoch + 1;
  }
  auto written = co_await write(expected, next, standing.name);
  if (!written) co_return fail(std::move(written.error()));
  if (*written) set(State::held, next, standing.generation);
  co_return Result<void>{};
}

Task<Result<void>> Fence::wait_until_seen() {
  const MonoTime until = home_.clock().now() + kSeenWithin;
  for (Duration pause = kFirstLook;; pause = std::min(pause * 2, kLongestLook)) {
    if (state() != State::held) co_return fail(lost_error());
    auto found = co_await backend_.filer.lookup(paths::fences_dir(), name_);
    if (!found) co_return fail(std::move(found.error()));
    if (*found) {
      const auto now = FenceMark::parse((*found)->extended[kEtagAttribute]);
      // A later epoch than ours is somebody else's, who will refuse what we do.
      if (now && now->epoch >= epoch()) co_return Result<void>{};
    }
    if (home_.clock().now() >= until) {
      co_return fail(
          ErrorCode::kafka_storage_error,
          fmt::format("{} was taken, which the filer that answers does not know yet", fence_path()));
    }
    co_await home_.timers().sleep_until(home_.clock().now() + pause);
  }
}

Task<Result<void>> Fence::acquire_at_home() {
  const auto self = shared_from_this();
  co_await lock();
  Result<void> result = fail(lost_error());
  for (int attempt = 0; attempt < kAttempts && state() == State::fresh; ++attempt) {
    auto tried = co_await try_to_take();
    if (tried) continue;
    result = std::move(tried);
    break;
  }
  if (state() == State::held) {
    result = {};
    if (!seen_) result = co_await wait_until_seen();
    if (result) {
      const std::lock_guard lock(mutex_);
      seen_ = true;
    }
  }
  unlock();
  co_return result;
}

Task<Result<void>> Fence::count_up() {
  const Session::Standing standing = session_.standing();
  const auto before = FenceMark::parse(etag());
  const FenceMark next{.epoch = before->epoch, .count = before->count + 1};
  auto written = co_await write(before->etag(), next, standing.name);
  if (!written) co_return fail(std::move(written.error()));
  if (*written) {
    set(State::held, next, standing.generation);
    co_return Result<void>{};
  }
  set(State::lost, *before, standing.generation);
  module_log().warn("event=fence_lost fence={} epoch={}", name_, before->epoch);
  co_return fail(lost_error());
}

Task<void> Fence::confirm() {
  if (state() != State::held || holds()) co_return;
  const auto self = shared_from_this();
  auto at_home = [self] { return self->confirm_at_home(); };
  co_await submit_to(home_, std::move(at_home));
}

Task<void> Fence::confirm_at_home() {
  const auto self = shared_from_this();
  co_await lock();
  // An error leaves it unconfirmed, which is tried again at the next renewal.
  if (state() == State::held && generation_ != session_.standing().generation) co_await count_up();
  unlock();
}

Task<Result<void>> Fence::release() {
  const auto self = shared_from_this();
  auto at_home = [self] { return self->release_at_home(); };
  co_return co_await submit_to(home_, std::move(at_home));
}

Task<Result<void>> Fence::release_at_home() {
  const auto self = shared_from_this();
  co_await lock();
  Result<void> result;
  if (state() == State::held) {
    const auto before = FenceMark::parse(etag());
    const FenceMark next{.epoch = before->epoch, .count = before->count + 1};
    // A session without a name has ended.
    auto written = co_await write(before->etag(), next, "");
    if (written) {
      set(State::lost, next, 0);
    } else {
      result = fail(std::move(written.error()));
    }
  }
  unlock();
  co_return result;
}

Task<Result<void>> Fence::settle(std::string etag) {
  const auto self = shared_from_this();
  auto at_home = [self, etag] { return self->settle_at_home(etag); };
  co_return co_await submit_to(home_, std::move(at_home));
}

Task<Result<void>> Fence::settle_at_home(std::string etag) {
  const auto self = shared_from_this();
  co_await lock();
  Result<void> result;
  if (state() != State::held) {
    result = fail(lost_error());
  } else if (this->etag() == etag) {
    result = co_await count_up();
  }
  unlock();
  co_return result;
}

FenceTable::FenceTable(Backend backend, ShardPool& shards, Session& session)
    : backend_(backend), shards_(shards), session_(session) {
  for (unsigned i = 0; i < kFences; ++i) {
    fences_[i] = std::make_shared<Fence>(backend, shards.at(i % shards.size()), i, session);
  }
}

Task<Result<std::shared_ptr<Ownership>>> FenceTable::acquire(PartitionId id) {
  const auto fence = at(owner_shard(id, kFences));
  auto taken = co_await fence->acquire();
  if (!taken) co_return fail(std::move(taken.error()));
  co_return fence;
}

Task<Result<void>> FenceTable::look(bool shared) {
  auto all = co_await backend_.filer.list(paths::fences_dir(), "", "", kFences);
  if (!all) co_return fail(std::move(all.error()));
  for (const Entry& entry : *all) {
    unsigned index = 0;
    const auto etag = entry.extended.find(kEtagAttribute);
    if (etag == entry.extended.end() || !parse_whole(entry.name, index) || index >= kFences) continue;
    if (const auto mark = FenceMark::parse(etag->second))
      at(index)->expect(entry.content.empty() || !shared ? mark->epoch + 1 : mark->epoch);
  }
  co_return Result<void>{};
}

Task<void> FenceTable::confirm() {
  for (unsigned i = 0; i < kFences; ++i) co_await at(i)->confirm();
}

LeaderEpoch FenceTable::epoch_of(const PartitionId& id) const {
  return at(owner_shard(id, kFences))->epoch();
}

std::shared_ptr<Fence> FenceTable::at(unsigned index) const {
  const std::lock_guard lock(mutex_);
  return fences_[index];
}

std::shared_ptr<Fence> FenceTable::renew(unsigned index) {
  auto next = std::make_shared<Fence>(backend_, shards_.at(index % shards_.size()), index, session_);
  next->expect(at(index)->epoch() + 1);
  const std::lock_guard lock(mutex_);
  fences_[index] = next;
  return next;
}

}  // namespace tidegate::storage::seaweedmq
