// Threads for work that blocks: fsync, disk reads, RocksDB, HTTP, big compression. Each lane has its
// own threads and its own bounded queue, so that a hung lane never delays another.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>

#include "tidegate/base/metrics.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"

namespace tidegate {

enum class Lane { log_write, log_sync, disk_read, metadata, http, cpu };
inline constexpr std::size_t kLanes = 6;

struct BlockingPoolOptions {
  unsigned threads[kLanes] = {2, 8, 4, 1, 2, 2};
  // Work that may wait per lane; past it run() waits for room without blocking the shard.
  std::size_t queue_limit = 4096;
};

class BlockingPool {
 public:
  BlockingPool(BlockingPoolOptions options, MetricRegistry& metrics);
  ~BlockingPool();  // finishes what is queued, joins

  // Fire and forget from any thread. Returns false (and drops `work`) when the queue is full.
  bool try_post(Lane lane, std::move_only_function<void()> work);
  // As try_post, but past the limit too: for work that must not be lost and is bounded elsewhere.
  void post(Lane lane, std::move_only_function<void()> work);
  // Runs `fn` on the lane and resumes the caller on its shard with the value. `fn` must not throw.
  // Defined in submit.h.
  template <class F>
  auto run(Lane lane, F fn) -> Task<std::invoke_result_t<F&>>;
  std::size_t queued(Lane lane) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate
