// Which of the fences this gateway takes, gives back and has lost, as gateways come and go. One round at a
// time, beside the session's renewals, which never wait for it.
#include <algorithm>

#include "engine.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

bool SeaweedmqEngine::may_lead(const PartitionId& id) const {
  const unsigned fence = SeaweedCluster::shard_of(id);
  return !closing_[fence].load() && (!shares_ || cluster_.is_ours(fence));
}

Task<void> SeaweedmqEngine::after_renewal() {
  co_await fences_.confirm();
  if (!std::exchange(streams_round_, true)) Shard::current()->spawn(keep_streams(), "seaweedmq streams");
  if (!shares_) co_return;
  cluster_.update(session_.members());
  if (std::exchange(share_round_, true)) co_return;
  Shard::current()->spawn(keep_shares(), "seaweedmq shares");
}

Task<void> SeaweedmqEngine::keep_shares() {
  for (unsigned index = 0; index < FenceTable::kFences && ready_.load(); ++index) {
    auto fence = fences_.at(index);
    if (fence->lost()) fence = co_await replace_lost(index);
    const bool ours = cluster_.is_ours(index);
    if (fence->is_held() && !ours) {
      co_await hand_over(index);
    } else if (ours && !fence->is_held() && ready_.load()) {
      // Refused while the session of its last owner stands: the next round tries again.
      static_cast<void>(co_await fence->acquire());
    }
  }
  if (ready_.load()) static_cast<void>(co_await fences_.look(true));
  share_round_ = false;
  share_round_ended_.notify_all();
}

Task<std::shared_ptr<Fence>> SeaweedmqEngine::replace_lost(unsigned index) {
  closing_[index] = true;
  co_await let_go_of_logs(index);
  auto fresh = fences_.renew(index);
  closing_[index] = false;
  co_return fresh;
}

Task<void> SeaweedmqEngine::hand_over(unsigned index) {
  closing_[index] = true;
  co_await give_back(index);
  closing_[index] = false;
}

// What is under way ends first, so that nothing of it meets the next owner's fence.
Task<void> SeaweedmqEngine::give_back(unsigned index) {
  co_await let_go_of_logs(index);
  auto released = co_await fences_.at(index)->release();
  if (!released) {
    // Still ours as far as we know; the next round sees what has become of it.
    module_log().warn("event=fence_not_released fence={} error=\"{}\"", index, released.error().message);
    co_return;
  }
  fences_.renew(index);
}

Task<void> SeaweedmqEngine::let_go_of_logs(unsigned index) {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto close = [this, i, index] { return close_logs_of(i, index); };
    co_await submit_to(shards_.at(i), close);
  }
}

Task<void> SeaweedmqEngine::close_logs_of(unsigned shard, unsigned index) {
  OnShard& on = *on_shards_[shard];
  const auto belongs = [index](const PartitionId& id) { return SeaweedCluster::shard_of(id) == index; };
  while (std::ranges::any_of(on.opening, belongs)) co_await on.opened.wait();
  std::vector<std::shared_ptr<EngineLog>> logs;
  std::vector<PartitionId> ids;
  std::erase_if(on.logs, [&](auto& entry) {
    if (!belongs(entry.first)) return false;
    ids.push_back(entry.first);
    logs.push_back(entry.second);
    return true;
  });
  for (const PartitionId& id : ids) cluster_.tell_lost(id);
  for (const auto& log : logs) {
    co_await log->close({ErrorCode::not_leader_or_follower, "the partition has another leader"});
  }
}

}  // namespace tidegate::storage::seaweedmq
