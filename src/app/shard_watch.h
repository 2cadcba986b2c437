// Whether every shard still runs what it is given: what the service manager's watchdog is told. Any one
// thread asks.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "tidegate/runtime/shard.h"

namespace tidegate::app {

class ShardWatch {
 public:
  // `pool` outlives this and what it has posted.
  explicit ShardWatch(ShardPool& pool);

  // True when each shard has run what the call before gave it. Gives each that has something new.
  bool all_moved();

 private:
  ShardPool& pool_;
  std::vector<std::shared_ptr<std::atomic<bool>>> moved_;
};

}  // namespace tidegate::app
