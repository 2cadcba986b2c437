#include "session.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "fence.h"
#include "format/names.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr int kRenewalsPerLease = 5;
constexpr std::size_t kMaxSessions = 1000;
// Others may claim the node id in between.
constexpr int kClaims = 4;
// Filers that keep stores of their own are behind each other by some milliseconds.
constexpr Duration kStoresAgree = std::chrono::seconds(1);
}  // namespace

Session::Session(Backend backend, VersionedEntries& entries, ShardPool& shards, const Clock& clock,
                 std::string instance, Duration lease, HasEnded process_has_ended)
    : backend_(backend),
      entries_(entries),
      shards_(shards),
      clock_(clock),
      instance_(std::move(instance)),
      lease_(lease),
      process_has_ended_(std::move(process_has_ended)),
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

void Session::introduce(Member self, std::string process) {
  self_.member = std::move(self);
  self_.process = std::move(process);
}

void Session::begin_another() {
  valid_until_ns_ = 0;
  const std::lock_guard lock(mutex_);
  name_ = fmt::format("{}.{}", instance_, ++generation_);
  etag_.clear();
  certain_ = true;
  begun_ = false;
  self_.serving = false;
}

Task<Result<void>> Session::put_entry() {
  certain_ = false;
  auto put = co_await entries_.put(paths::sessions_dir(), name_, etag_, encode_gateway(self_));
  if (!put) co_return fail(std::move(put.error()));
  if (!*put) co_return fail(ErrorCode::kafka_storage_error, "the session's entry has changed");
  etag_ = std::move(**put);
  certain_ = true;
  begun_ = true;
  co_return Result<void>{};
}

Task<Result<void>> Session::claim_node() {
  const std::string directory = paths::nodes_dir();
  const std::string id = std::to_string(self_.member.node);
  for (int attempt = 0; attempt < kClaims; ++attempt) {
    auto found = co_await entries_.get(directory, id);
    if (!found) co_return fail(std::move(found.error()));
    if (!found->etag.empty() && found->content == name_) co_return Result<void>{};
    if (!found->etag.empty()) {
      auto ended = co_await has_ended_at_home(found->content);
      if (!ended) co_return fail(std::move(ended.error()));
      if (!*ended) {
        co_return fail(ErrorCode::kafka_storage_error,
                       fmt::format("another gateway has node.id {} (session {})", id, found->content));
      }
    }
    auto put = co_await entries_.put(directory, id, found->etag, name_);
    if (!put) co_return fail(std::move(put.error()));
    if (*put) co_return Result<void>{};
  }
  co_return fail(ErrorCode::kafka_storage_error, fmt::format("other gateways claim node.id {}", id));
}

// The lease counts from before the call: whoever sees the entry sees it later.
Task<Result<void>> Session::renew() {
  const MonoTime sent = clock_.now();
  const std::string directory = paths::sessions_dir();
  if (!certain_) {
    auto found = co_await entries_.get(directory, name_);
    if (!found) co_return fail(std::move(found.error()));
    if (found->etag.empty() && begun_) {
      module_log().warn(
          "event=session_lost session={} reason=\"not renewed in time, another gateway has ended it\"",
          name_);
      begin_another();
    } else {
      etag_ = found->etag;
      certain_ = true;
    }
  }
  if (auto put = co_await put_entry(); !put) co_return put;
  // Until then nobody is to be told of a gateway that may have the id of another.
  if (!self_.serving) {
    if (auto claimed = co_await claim_node(); !claimed) co_return claimed;
    self_.serving = true;
    if (auto put = co_await put_entry(); !put) co_return put;
  }
  if (!ending_ && !anew_) valid_until_ns_ = (sent + lease_).since_start.count();
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

void Session::start_anew() {
  if (!running_ || ending_) return;
  valid_until_ns_ = 0;
  anew_ = true;
  changed_.notify_all();
}

Task<void> Session::leave() {
  anew_ = false;
  const MonoTime until = clock_.now() + kStoresAgree;
  while (!ending_ && clock_.now() < until) co_await changed_.wait_until(Shard::current()->timers(), until);
  if (ending_) co_return;
  // An entry that stays is erased by others, or by us, after a lease.
  if (!etag_.empty()) static_cast<void>(co_await entries_.erase(paths::sessions_dir(), name_, etag_));
  begin_another();
}

Task<void> Session::run() {
  bool told = false;
  while (!ending_) {
    co_await changed_.wait_until(Shard::current()->timers(), clock_.now() + lease_ / kRenewalsPerLease);
    while (anew_ && !ending_) co_await leave();
    if (ending_) break;
    auto renewed = co_await renew();
    // Refused: one look tells whether it was ended, and then the next one begins without delay.
    if (!renewed && !ending_) renewed = co_await renew();
    if (!renewed && lapsed() && !std::exchange(told, true)) {
      module_log().warn("event=lease_lapsed session={} error=\"{}\"", name_, renewed.error().message);
    }
    if (renewed && std::exchange(told, false)) module_log().info("event=lease_renewed session={}", name_);
    if (renewed && !ending_) co_await clear_others();
    if (renewed && !ending_) co_await each_time_();
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

// Whether the entry is that of a gateway whose process was on this machine and is gone.
bool Session::ended_here(const std::string& content) const {
  const auto record = parse_gateway(content);
  return record && !record->process.empty() && process_has_ended_(record->process);
}

Task<Result<bool>> Session::clear_if_ended(std::string name, Versioned entry) {
  const bool gone = ended_here(entry.content);
  if (!gone && !watch_.stands_still(name, entry.etag, clock_.now())) co_return false;
  auto erased = co_await entries_.erase(paths::sessions_dir(), name, entry.etag);
  if (!erased) co_return fail(std::move(erased.error()));
  if (*erased) {
    watch_.forget(name);
    module_log().warn("event=session_ended session={} reason=\"{}\"", name,
                      gone ? "its process on this machine has ended" : "its gateway has not renewed it");
  }
  co_return *erased;
}

std::vector<Member> Session::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

void Session::note_members(const std::vector<Entry>& sessions) {
  std::vector<Member> members;
  if (self_.serving) members.push_back(self_.member);
  for (const Entry& entry : sessions) {
    if (entry.name == name_) continue;
    auto record = parse_gateway(entry.content);
    // An entry of before its node id was another's: the claim, not the order of the listing, counts.
    if (!record || !record->serving || record->member.node == self_.member.node) continue;
    const auto same = [&](const Member& member) { return member.node == record->member.node; };
    if (std::ranges::none_of(members, same)) members.push_back(std::move(record->member));
  }
  const std::lock_guard lock(mutex_);
  members_ = std::move(members);
}

Task<void> Session::clear_others() {
  auto listed = co_await backend_.filer.list(paths::sessions_dir(), "", "", kMaxSessions);
  if (!listed) co_return;
  note_members(*listed);
  std::set<std::string> there;
  for (const Entry& entry : *listed) there.insert(entry.name);
  watch_.keep_only([&](const std::string& name) { return there.contains(name); });
  for (const Entry& entry : *listed) {
    const auto etag = entry.extended.find(kEtagAttribute);
    if (ending_) co_return;
    if (entry.name == name_ || etag == entry.extended.end()) continue;
    co_await clear_if_ended(entry.name, {.etag = etag->second, .content = entry.content});
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
  co_return co_await clear_if_ended(name, std::move(*found));
}

}  // namespace tidegate::storage::seaweedmq
