#include "shard_watch.h"

namespace tidegate::app {

ShardWatch::ShardWatch(ShardPool& pool) : pool_(pool) {
  for (unsigned i = 0; i < pool.size(); ++i) moved_.push_back(std::make_shared<std::atomic<bool>>(true));
}

bool ShardWatch::all_moved() {
  bool all = true;
  for (unsigned i = 0; i < pool_.size(); ++i) {
    // One that hangs is not given more to do for each look.
    if (!moved_[i]->exchange(false)) {
      all = false;
      continue;
    }
    pool_.at(i).post([moved = moved_[i]] { moved->store(true); });
  }
  return all;
}

}  // namespace tidegate::app
