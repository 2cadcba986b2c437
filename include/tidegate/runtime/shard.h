// One Shard per core: an io_context, its thread, and everything pinned to it (connections, partitions,
// groups). State on a shard is touched from that shard only; another shard reaches it with
// submit_to(). Values, SharedBuffers and ids cross; references to mutable state never do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/task.h"
#include "tidegate/runtime/timers.h"

namespace tidegate {

class Shard {
 public:
  Shard(unsigned index, const Clock& clock);
  ~Shard();
  Shard(const Shard&) = delete;

  unsigned index() const { return index_; }
  boost::asio::io_context& context() { return context_; }
  Executor executor() { return context_.get_executor(); }
  // Deadlines of this shard. Call from the shard only.
  Timers& timers() { return *timers_; }
  const Clock& clock() const { return clock_; }

  // The shard that runs the calling thread; nullptr outside of one.
  static Shard* current();
  bool is_current() const { return current() == this; }

  // Runs `work` on this shard, later. Thread-safe. FIFO per posting thread.
  void post(std::move_only_function<void()> work);
  // Starts a coroutine on this shard that the shard owns: stop() waits for it. An exception that
  // escapes it is logged with `what` and ends the process: no exception crosses a module.
  void spawn(Task<void> task, std::string_view what);
  // Coroutines that spawn() started and that have not ended.
  std::size_t live_tasks() const { return live_tasks_.load(std::memory_order_relaxed); }

 private:
  friend class ShardPool;
  void run();

  unsigned index_;
  const Clock& clock_;
  boost::asio::io_context context_;
  std::unique_ptr<Timers> timers_;
  std::atomic<std::size_t> live_tasks_{0};
  std::thread thread_;
};

struct ShardPoolOptions {
  unsigned shards = 1;
  // Calls from one shard to another that may be under way at once; more wait in FIFO order.
  std::size_t max_submits_in_flight = 1024;
  // A handler that holds a shard longer than this is logged with what it was doing.
  Duration stall_warning = std::chrono::milliseconds(50);
};

class ShardPool {
 public:
  ShardPool(ShardPoolOptions options, const Clock& clock, MetricRegistry& metrics);
  ~ShardPool();  // stop()

  void start();
  // Waits up to `grace` for spawned tasks, then stops the contexts and joins the threads.
  void stop(Duration grace = std::chrono::seconds(5));

  unsigned size() const { return static_cast<unsigned>(shards_.size()); }
  Shard& at(unsigned index) { return *shards_[index]; }
  const ShardPoolOptions& options() const { return options_; }

 private:
  ShardPoolOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;
  struct StallDetector;
  std::unique_ptr<StallDetector> stall_detector_;
};

namespace detail {
template <class T>
struct TaskValue {
  using type = T;
  static constexpr bool is_task = false;
};
template <class T>
struct TaskValue<Task<T>> {
  using type = T;
  static constexpr bool is_task = true;
};
}  // namespace detail

// Runs `fn` on `target` and resumes the caller on its own shard with the result. `fn` returns a value
// or a Task; it is moved to the target and destroyed there. FIFO per (caller's shard, target) pair.
// On the caller's own shard it runs at once, without a trip through the queue.
// The caller must be on a shard. A caller that is destroyed meanwhile does not stop `fn`: dispatched
// work runs to its end and its reply is dropped. Defined in submit.h.
template <class F>
auto submit_to(Shard& target, F fn) -> Task<typename detail::TaskValue<std::invoke_result_t<F&>>::type>;

}  // namespace tidegate
