#include "fence.h"

#include <charconv>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "format/names.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Others may take it in between; whoever fights for a fence longer than this has lost it.
constexpr int kAttempts = 4;

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

Fence::Fence(Backend backend, Shard& home, unsigned index, std::string instance)
    : backend_(backend), home_(home), name_(paths::fence_name(index)), instance_(std::move(instance)) {}

LeaderEpoch Fence::epoch() const {
  const std::lock_guard lock(mutex_);
  return mark_.epoch;
}

std::string Fence::fence_path() const { return paths::join(paths::fences_dir(), name_); }

std::string Fence::etag() const {
  const std::lock_guard lock(mutex_);
  return mark_.etag();
}

bool Fence::holds() const { return state() == State::held; }

Fence::State Fence::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Fence::set(State state, FenceMark mark) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  mark_ = mark;
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

Task<Result<bool>> Fence::write(std::optional<std::string> expected, FenceMark next) {
  FencedChange change;
  change.fence_path = fence_path();
  change.fence_etag = expected.value_or("");
  change.directory = paths::fences_dir();
  change.entry.name = name_;
  change.entry.extended[kEtagAttribute] = next.etag();
  change.entry.content = instance_;
  auto written = co_await backend_.filer.transact(std::move(change));
  if (written && *written == Outcome::done) co_return true;
  // Refused, or of unknown fate: the entry tells.
  auto now = co_await backend_.filer.lookup(paths::fences_dir(), name_);
  if (!now) co_return fail(std::move(now.error()));
  if (!*now) co_return false;
  const auto etag = (*now)->extended.find(kEtagAttribute);
  const bool ours =
      etag != (*now)->extended.end() && etag->second == next.etag() && (*now)->content == instance_;
  // Not there yet, but it may be under way: only another mark settles it.
  if (!ours && !written && etag != (*now)->extended.end() && etag->second == expected) {
    co_return fail(std::move(written.error()));
  }
  co_return ours;
}

Task<Result<void>> Fence::acquire() {
  const auto self = shared_from_this();
  if (state() == State::held) co_return Result<void>{};
  auto at_home = [self] { return self->acquire_at_home(); };
  co_return co_await submit_to(home_, std::move(at_home));
}

Task<Result<void>> Fence::acquire_at_home() {
  const auto self = shared_from_this();
  co_await lock();
  Result<void> result = fail(lost_error());
  for (int attempt = 0; attempt < kAttempts && state() == State::fresh; ++attempt) {
    auto found = co_await backend_.filer.lookup(paths::fences_dir(), name_);
    if (!found) {
      result = fail(std::move(found.error()));
      break;
    }
    FenceMark next;
    std::optional<std::string> expected;
    if (*found) {
      expected = (*found)->extended[kEtagAttribute];
      const auto before = FenceMark::parse(*expected);
      if (!before) {
        result = fail(ErrorCode::kafka_storage_error,
                      fmt::format("{} is no fence: its ETag is \"{}\"", fence_path(), *expected));
        break;
      }
      next.epoch = before->epoch + 1;
    }
    auto written = co_await write(expected, next);
    if (!written) {
      result = fail(std::move(written.error()));
      break;
    }
    if (*written) set(State::held, next);
  }
  if (state() == State::held) result = {};
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
  const auto before = FenceMark::parse(this->etag());
  if (!holds()) {
    result = fail(lost_error());
  } else if (before->etag() == etag) {
    const FenceMark next{.epoch = before->epoch, .count = before->count + 1};
    auto written = co_await write(before->etag(), next);
    if (!written) {
      result = fail(std::move(written.error()));
    } else if (*written) {
      set(State::held, next);
    } else {
      set(State::lost, *before);
      spdlog::warn("event=fence_lost fence={} epoch={}", name_, before->epoch);
      result = fail(lost_error());
    }
  }
  unlock();
  co_return result;
}

FenceTable::FenceTable(Backend backend, ShardPool& shards, const std::string& instance)
    : filer_(backend.filer) {
  for (unsigned i = 0; i < kFences; ++i) {
    fences_[i] = std::make_shared<Fence>(backend, shards.at(i % shards.size()), i, instance);
  }
}

Task<Result<std::shared_ptr<Ownership>>> FenceTable::acquire(PartitionId id) {
  const auto fence = fences_[owner_shard(id, kFences)];
  auto taken = co_await fence->acquire();
  if (!taken) co_return fail(std::move(taken.error()));
  co_return fence;
}

Task<Result<void>> FenceTable::look() {
  auto all = co_await filer_.list(paths::fences_dir(), "", "", kFences);
  if (!all) co_return fail(std::move(all.error()));
  for (const Entry& entry : *all) {
    unsigned index = 0;
    const auto etag = entry.extended.find(kEtagAttribute);
    if (etag == entry.extended.end() || !parse_whole(entry.name, index) || index >= kFences) continue;
    if (const auto mark = FenceMark::parse(etag->second)) fences_[index]->expect(mark->epoch + 1);
  }
  co_return Result<void>{};
}

const Fence& FenceTable::of(const PartitionId& id) const { return *fences_[owner_shard(id, kFences)]; }

}  // namespace tidegate::storage::seaweedmq
