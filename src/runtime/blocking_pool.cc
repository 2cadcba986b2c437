// One queue and up to `threads` threads per lane. Threads start when there is work for them, so that a
// daemon that never uses a lane does not pay for it.
#include "tidegate/runtime/blocking_pool.h"

#include <pthread.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "tidegate/base/assert.h"

namespace tidegate {
namespace {

constexpr std::array<const char*, kLanes> kLaneNames = {"log_write", "log_sync", "disk_read",
                                                        "metadata",  "http",     "cpu"};

struct LaneState {
  const char* name = "";
  unsigned max_threads = 1;
  Gauge* depth = nullptr;

  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::move_only_function<void()>> queue;
  std::vector<std::thread> threads;
  std::size_t idle = 0;
  bool stopping = false;

  bool push(std::move_only_function<void()>& work, std::size_t limit) {
    std::lock_guard lock(mutex);
    TIDEGATE_ASSERT(!stopping);
    if (queue.size() >= limit) return false;
    queue.push_back(std::move(work));
    depth->set(static_cast<std::int64_t>(queue.size()));
    if (idle >= queue.size()) {
      wake.notify_one();
    } else if (threads.size() < max_threads) {
      threads.emplace_back([this] { work_loop(); });
    }
    return true;
  }

  void work_loop() {
    const std::string thread_name = "tg-" + std::string(name);
    pthread_setname_np(pthread_self(), thread_name.c_str());
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      --idle;
      if (queue.empty()) return;
      auto work = std::move(queue.front());
      queue.pop_front();
      depth->set(static_cast<std::int64_t>(queue.size()));
      lock.unlock();
      work();
      work = nullptr;  // its captures end before the lane looks idle
      lock.lock();
    }
  }

  void finish() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (auto& thread : threads) thread.join();
  }
};

}  // namespace

struct BlockingPool::State {
  std::size_t queue_limit = 0;
  std::array<LaneState, kLanes> lanes;
};

BlockingPool::BlockingPool(BlockingPoolOptions options, MetricRegistry& metrics)
    : state_(std::make_unique<State>()) {
  state_->queue_limit = options.queue_limit;
  for (std::size_t i = 0; i < kLanes; ++i) {
    TIDEGATE_ASSERT(options.threads[i] > 0);
    auto& lane = state_->lanes[i];
    lane.name = kLaneNames[i];
    lane.max_threads = options.threads[i];
    lane.depth =
        &metrics.gauge("tidegate_runtime_blocking_queue_jobs",
                       "Blocking work that waits for a thread of its lane.", {{"lane", kLaneNames[i]}});
  }
}

BlockingPool::~BlockingPool() {
  for (auto& lane : state_->lanes) lane.finish();
}

bool BlockingPool::try_post(Lane lane, std::move_only_function<void()> work) {
  return state_->lanes[static_cast<std::size_t>(lane)].push(work, state_->queue_limit);
}

void BlockingPool::post(Lane lane, std::move_only_function<void()> work) {
  state_->lanes[static_cast<std::size_t>(lane)].push(work, SIZE_MAX);
}

std::size_t BlockingPool::queued(Lane lane) const {
  const auto& state = state_->lanes[static_cast<std::size_t>(lane)];
  std::lock_guard lock(state.mutex);
  return state.queue.size();
}

}  // namespace tidegate
