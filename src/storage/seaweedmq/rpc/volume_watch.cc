#include "rpc/volume_watch.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

void VolumeWatch::start() {
  if (interval_ <= Duration::zero()) return;
  running_ = true;
  shard_.spawn(run(), "seaweedmq volume watch");
}

Task<void> VolumeWatch::stop() {
  stopping_ = true;
  stop_.notify_all();
  while (running_) co_await stopped_.wait();
}

std::string VolumeWatch::trouble() const {
  std::lock_guard lock(mutex_);
  return trouble_;
}

Task<void> VolumeWatch::run() {
  bool well = true;
  while (!stopping_) {
    const auto probed = co_await probe_();
    if (stopping_) break;
    const std::string trouble = probed ? std::string() : probed.error().message;
    {
      std::lock_guard lock(mutex_);
      trouble_ = trouble;
    }
    if (well && !probed) module_log().warn("seaweedmq: no volume server takes chunks reason=\"{}\"", trouble);
    if (!well && probed) module_log().info("seaweedmq: a volume server takes chunks again");
    well = probed.has_value();
    const Duration pause = well ? interval_ : std::min(interval_, kAgainAfter);
    co_await stop_.wait_until(shard_.timers(), shard_.clock().now() + pause);
  }
  running_ = false;
  stopped_.notify_all();
}

}  // namespace tidegate::storage::seaweedmq
