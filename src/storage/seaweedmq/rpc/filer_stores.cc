#include "rpc/filer_stores.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

FilerStores::FilerStores(Shard& shard, Ask ask, MetricRegistry& metrics)
    : shard_(shard),
      ask_(std::move(ask)),
      stores_(metrics.gauge("tidegate_seaweedmq_filer_stores",
                            "Stores that the filers keep, as far as known; more than one protect nothing "
                            "while their ring changes")) {}

void FilerStores::look(std::vector<std::string> filers) {
  if (filers == filers_) return;
  filers_ = std::move(filers);
  judge();
  changed_.notify_all();
  if (filers_.size() < 2 || stopping_ || std::exchange(running_, true)) return;
  shard_.spawn(run(), "seaweedmq filer stores");
}

Task<void> FilerStores::stop() {
  stopping_ = true;
  changed_.notify_all();
  while (running_) co_await changed_.wait();
}

Task<void> FilerStores::ask_all() {
  const std::vector<std::string> filers = filers_;
  for (const std::string& filer : filers) {
    if (stopping_ || signatures_.contains(filer)) continue;
    const auto signature = co_await ask_(filer);
    if (!signature) continue;
    if (signatures_.size() >= kRemembered) signatures_.erase(signatures_.begin());
    signatures_[filer] = *signature;
  }
}

Task<void> FilerStores::run() {
  while (!stopping_) {
    co_await ask_all();
    judge();
    const bool all =
        std::ranges::all_of(filers_, [this](const auto& one) { return signatures_.contains(one); });
    if (all || stopping_) break;
    co_await changed_.wait_until(shard_.timers(), shard_.clock().now() + kAgainAfter);
  }
  running_ = false;
  changed_.notify_all();
}

void FilerStores::judge() {
  std::set<std::int32_t> stores;
  std::size_t known = 0;
  for (const std::string& filer : filers_) {
    const auto found = signatures_.find(filer);
    if (found == signatures_.end()) continue;
    stores.insert(found->second);
    ++known;
  }
  const bool alone = filers_.size() == 1;
  const Kind before = kind_.load();
  if (stores.size() > 1) {
    kind_ = Kind::separate;
  } else {
    kind_ = alone || (!filers_.empty() && known == filers_.size()) ? Kind::one : Kind::unknown;
  }
  stores_.set(alone ? 1 : static_cast<std::int64_t>(stores.size()));
  if (kind_.load() != Kind::separate || before == Kind::separate) return;
  module_log().warn(
      "event=filers_keep_separate_stores filers=\"{}\" stores={} advice=\"when a filer of these comes or "
      "goes, "
      "what another has not heard of yet can be lost: give them one store, or use one filer\"",
      fmt::join(filers_, ","), stores.size());
}

bool FilerStores::is_one_store(const std::vector<std::string>& filers) const {
  std::set<std::int32_t> stores;
  for (const std::string& filer : filers) {
    const auto found = signatures_.find(filer);
    if (found == signatures_.end()) return false;
    stores.insert(found->second);
  }
  return stores.size() <= 1;
}

}  // namespace tidegate::storage::seaweedmq
