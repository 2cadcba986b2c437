// Leave to write a partition, as a value that is handed to its log: which fence covers it, and what the fence
// has to say for a change to be applied. Everything here may be called on any shard.
#pragma once

#include <string>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

class Ownership {
 public:
  virtual ~Ownership() = default;

  // The leader epoch of what is written under it.
  virtual LeaderEpoch epoch() const = 0;
  // Goes into every change: it is refused as soon as the fence's entry has another ETag.
  virtual std::string fence_path() const = 0;
  virtual std::string etag() const = 0;
  // Whether it is ours and the lease holds, so that nobody else can have taken it. Asked before anything is
  // written or given to a reader. A lease that has run out may hold again.
  virtual bool holds() const = 0;
  // Whether somebody else has taken it. For good.
  virtual bool lost() const = 0;

  // A change that was sent with `etag` has met an unknown fate, or was refused. Gives the fence a new ETag,
  // unless it has had one since: from then on that change either was applied or never will be. Success says
  // that it was ours then, whether the lease holds or not. Another owner's fence is not_leader_or_follower,
  // and lost() from then on; any other error says nothing.
  virtual Task<Result<void>> settle(std::string etag) = 0;
};

}  // namespace tidegate::storage::seaweedmq
