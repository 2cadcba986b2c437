#include "session.h"

#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "fence.h"
#include "format/names.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr int kRenewalsPerLease = 5;
constexpr std::size_t kMaxSessions = 1000;
}  // namespace

Session::Session(Backend backend, VersionedEntries& entries, ShardPool& shards, const Clock& clock,
                 std::string instance, Duration lease)
    : backend_(backend),
      entries_(entries),
      shards_(shards),
      clock_(clock),
      instance_(std::move(instance)),
      lease_(lease),
      name_(fmt::format("{}.{}", instance_, 1)),
      watch_(lease) {}

bool Session::holds(std::uint64_t generation) const {
  if (lease_ == Duration::zero()) return true;
  return !lapsed() && generation_.load() == generation;
}

Session::Standing Session::standing() const {
  const std::lock_guard lock(mutex_);
  return {.name = name_, .generation = generation_.load()};
}

void Session::begin_another() {
  valid_until_ns_ = 0;
  const std::lock_guard lock(mutex_);
  name_ = fmt::format("{}.{}", instance_, ++generation_);
  etag_.clear();
  certain_ = true;
  begun_ = false;
}

// The lease counts from before the call: whoever sees the entry sees it later.
Task<Result<void>> Session::renew() {
  const MonoTime sent = clock_.now();
  const std::string directory = paths::sessions_dir();
  if (!certain_) {
    auto found = co_await entries_.get(directory, name_);
    if (!found) co_return fail(std::move(found.error()));
    if (found->etag.empty() && begun_) {
      spdlog::warn(
          "event=session_lost session={} reason=\"not renewed in time, another gateway has ended it\"",
          name_);
      begin_another();
    } else {
      etag_ = found->etag;
      certain_ = true;
    }
  }
  certain_ = false;
  auto put = co_await entries_.put(directory, name_, etag_, name_);
  if (!put) co_return fail(std::move(put.error()));
  if (!*put) co_return fail(ErrorCode::kafka_storage_error, "the session's entry has changed");
  etag_ = std::move(**put);
  certain_ = true;
  begun_ = true;
  if (!ending_) valid_until_ns_ = (sent + lease_).since_start.count();
  co_return Result<void>{};
}

Task<Result<void>> Session::open() {
  if (lease_ == Duration::zero()) co_return Result<void>{};
  ending_ = false;
  auto begun = co_await renew();
  if (begun) co_await clear_others();
  co_return begun;
}

void Session::keep(std::function<Task<void>()> each_time) {
  if (lease_ == Duration::zero()) return;
  each_time_ = std::move(each_time);
  running_ = true;
  shards_.at(0).spawn(run(), "seaweedmq session");
}

Task<void> Session::run() {
  bool told = false;
  while (!ending_) {
    co_await changed_.wait_until(Shard::current()->timers(), clock_.now() + lease_ / kRenewalsPerLease);
    if (ending_) break;
    auto renewed = co_await renew();
    // Refused: one look tells whether it was ended, and then the next one begins without delay.
    if (!renewed && !ending_) renewed = co_await renew();
    if (!renewed && lapsed() && !std::exchange(told, true)) {
      spdlog::warn("event=lease_lapsed session={} error=\"{}\"", name_, renewed.error().message);
    }
    if (renewed && std::exchange(told, false)) spdlog::info("event=lease_renewed session={}", name_);
    if (renewed && !ending_) co_await each_time_();
    if (renewed && !ending_) co_await clear_others();
  }
  running_ = false;
  changed_.notify_all();
}

Task<void> Session::close() {
  if (lease_ == Duration::zero()) co_return;
  ending_ = true;
  valid_until_ns_ = 0;
  changed_.notify_all();
  while (running_) co_await changed_.wait();
  if (!certain_) {
    auto found = co_await entries_.get(paths::sessions_dir(), name_);
    if (found) etag_ = found->etag;
  }
  // An entry that stays is erased by others, after a lease.
  if (!etag_.empty()) co_await entries_.erase(paths::sessions_dir(), name_, etag_);
  begin_another();
}

Task<Result<bool>> Session::clear_if_still(std::string name, std::string etag) {
  if (!watch_.stands_still(name, etag, clock_.now())) co_return false;
  auto erased = co_await entries_.erase(paths::sessions_dir(), name, etag);
  if (!erased) co_return fail(std::move(erased.error()));
  if (*erased) {
    watch_.forget(name);
    spdlog::warn("event=session_ended session={} reason=\"its gateway has not renewed it\"", name);
  }
  co_return *erased;
}

Task<void> Session::clear_others() {
  auto listed = co_await backend_.filer.list(paths::sessions_dir(), "", "", kMaxSessions);
  if (!listed) co_return;
  std::set<std::string> there;
  for (const Entry& entry : *listed) there.insert(entry.name);
  watch_.keep_only([&](const std::string& name) { return there.contains(name); });
  for (const Entry& entry : *listed) {
    const auto etag = entry.extended.find(kEtagAttribute);
    if (ending_) co_return;
    if (entry.name == name_ || etag == entry.extended.end()) continue;
    co_await clear_if_still(entry.name, etag->second);
  }
}

Task<Result<bool>> Session::has_ended(std::string name) {
  auto at_home = [this, name] { return has_ended_at_home(name); };
  co_return co_await submit_to(shards_.at(0), at_home);
}

Task<Result<bool>> Session::has_ended_at_home(std::string name) {
  if (lease_ == Duration::zero()) co_return true;
  // Ours: a take-over whose answer was lost. None: written before there were sessions.
  if (name == name_ || name.empty()) co_return true;
  auto found = co_await entries_.get(paths::sessions_dir(), name);
  if (!found) co_return fail(std::move(found.error()));
  if (found->etag.empty()) co_return true;
  co_return co_await clear_if_still(name, found->etag);
}

}  // namespace tidegate::storage::seaweedmq
