// Asks now and then whether a volume server would take a chunk: filers and masters can be well without one,
// and nothing else notices while nobody writes. Lives on shard 0; trouble() may be called on any.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "tidegate/base/clock.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

class VolumeWatch {
 public:
  using Probe = std::function<Task<Result<void>>()>;

  VolumeWatch(Shard& shard, Duration interval, Probe probe)
      : shard_(shard), interval_(interval), probe_(std::move(probe)) {}

  void start();       // on the shard
  Task<void> stop();  // on the shard; what probes must fail soon
  // Of the last probe; empty when it went well, or there was none.
  std::string trouble() const;

  // After one that failed the next follows sooner.
  static constexpr Duration kAgainAfter = std::chrono::seconds(1);

 private:
  Task<void> run();

  Shard& shard_;
  const Duration interval_;
  const Probe probe_;
  bool running_ = false;
  bool stopping_ = false;
  Event stop_;
  Event stopped_;
  mutable std::mutex mutex_;
  std::string trouble_;
};

}  // namespace tidegate::storage::seaweedmq
