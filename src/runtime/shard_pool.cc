// Starts and stops the shards' threads, and watches that none is held up.
#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "tidegate/base/assert.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/runtime/shard.h"

namespace tidegate {

// Sends each shard a note every `period`; one that has not been taken by the next round has been
// waiting behind a handler that holds the shard.
struct ShardPool::StallDetector {
  struct Probe {
    std::atomic<bool> pending{false};
    bool reported = false;
    MonoTime sent;
  };

  StallDetector(std::vector<std::unique_ptr<Shard>>& watched, Duration every, MetricRegistry& metrics)
      : shards(watched),
        period(every),
        probes(watched.size()),
        stalls(metrics.counter("tidegate_runtime_shard_stalls_total",
                               "Times that one handler held a shard longer than the warning limit.")) {}

  void run() {
    pthread_setname_np(pthread_self(), "tg-stalls");
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, period, [this] { return stopping; })) {
      for (std::size_t i = 0; i < probes.size(); ++i) look_at(*shards[i], probes[i]);
    }
  }

  void look_at(Shard& shard, Probe& probe) {
    const MonoTime now = clock.now();
    if (!probe.pending.load(std::memory_order_acquire)) {
      probe.reported = false;
      probe.sent = now;
      probe.pending.store(true, std::memory_order_release);
      shard.post([&probe] { probe.pending.store(false, std::memory_order_release); });
      return;
    }
    if (std::exchange(probe.reported, true)) return;
    stalls.add();
    // A machine that is short of cores holds shards up all the time: the counter tells how often, the
    // lines only what it looks like.
    std::uint64_t suppressed = 0;
    if (!lines.allow(suppressed)) return;
    const char* label = shard.label();
    spdlog::warn("shard is held up shard={} for_ms={} running=\"{}\" suppressed={}", shard.index(),
                 std::chrono::duration_cast<std::chrono::milliseconds>(now - probe.sent).count(),
                 label ? label : "unknown", suppressed);
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    if (thread.joinable()) thread.join();
  }

  std::vector<std::unique_ptr<Shard>>& shards;
  const Duration period;
  std::vector<Probe> probes;
  Counter& stalls;
  SystemClock clock;  // real time whatever the shards' clock is: it is a real thread that is held up
  LogRateLimit lines{clock, 0.1, 5};
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;
};

ShardPool::ShardPool(ShardPoolOptions options, const Clock& clock, MetricRegistry& metrics)
    : options_(options) {
  TIDEGATE_ASSERT(options.shards > 0 && options.max_submits_in_flight > 0);
  for (unsigned i = 0; i < options.shards; ++i) {
    shards_.push_back(std::make_unique<Shard>(i, clock, options.max_submits_in_flight));
  }
  stall_detector_ = std::make_unique<StallDetector>(shards_, options.stall_warning, metrics);
}

ShardPool::~ShardPool() {
  stop();
  for (auto& shard : shards_) shard->close_queues();
  // A caller that waits for another shard goes when the callee's coroutine has gone: one round for each
  // link of the longest chain of nested calls.
  constexpr int kRounds = 64;
  for (int round = 0; round < kRounds; ++round) {
    for (auto& shard : shards_) shard->abandon_waiting();
  }
  for (auto& shard : shards_) shard->destroy_context();
}

void ShardPool::start() {
  TIDEGATE_ASSERT(!running_);
  running_ = true;
  for (auto& shard : shards_) {
    shard->thread_ = std::thread([at = shard.get()] {
      const std::string name = "tg-shard-" + std::to_string(at->index());
      pthread_setname_np(pthread_self(), name.c_str());
      set_metric_slot(at->index());
      at->run();
    });
  }
  if (options_.stall_warning > Duration::zero()) {
    stall_detector_->thread = std::thread([detector = stall_detector_.get()] { detector->run(); });
  }
}

// Ends are read before starts, and neither ever goes down. At the moment between the two loops there were
// at least as many ends as were read and at most as many starts: when both sums are the same, no task was
// alive then, however tasks hop from shard to shard while we look.
std::size_t ShardPool::live_tasks() const {
  std::uint64_t ended = 0;
  std::uint64_t started = 0;
  for (const auto& shard : shards_) ended += shard->tasks_ended();
  for (const auto& shard : shards_) started += shard->tasks_started();
  return static_cast<std::size_t>(started - ended);
}

void ShardPool::stop(Duration grace) {
  if (!std::exchange(running_, false)) return;
  TIDEGATE_ASSERT(Shard::current() == nullptr);
  const SystemClock clock;
  const MonoTime deadline = clock.now() + grace;
  while (live_tasks() > 0 && clock.now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (const auto left = live_tasks(); left > 0)
    spdlog::warn("stopping the shards with tasks under way tasks={}", left);
  stall_detector_->stop();
  for (auto& shard : shards_) shard->context().stop();
  for (auto& shard : shards_) shard->thread_.join();
}

}  // namespace tidegate
