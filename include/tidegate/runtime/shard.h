// One Shard per core: an io_context, its thread, and everything pinned to it (connections, partitions,
// groups). State on a shard is touched from that shard only; another shard reaches it with
// submit_to(). Values, SharedBuffers and ids cross; references to mutable state never do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/task.h"
#include "tidegate/runtime/timers.h"

namespace tidegate {

class Shard;

namespace detail {
// The way from one shard to another. Calls that were sent and that the target has not begun are
// bounded; more wait here, in order. A call gives its place back when it begins, not when it ends: a
// call that itself waits for a third shard holds nothing that others need, so that no chain of nested
// calls can lock up, and a hung disk on the target does not hold up other calls to it.
class SubmitChannel {
 public:
  using Closure = std::move_only_function<void()>;
  SubmitChannel(Shard& from, Shard& to, std::size_t limit) : from_(from), to_(to), limit_(limit) {}

  void send(Closure closure);  // on `from`
  void arrived();              // on `to`, when a call begins
  std::size_t waiting() const { return waiting_.size(); }
  void clear() { waiting_.clear(); }

 private:
  void pump();
  Shard& from_;
  Shard& to_;
  const std::size_t limit_;
  std::atomic<std::size_t> in_transit_{0};
  std::atomic<bool> has_waiting_{false};
  std::deque<Closure> waiting_;  // touched on `from` only
};
}  // namespace detail

class Shard {
 public:
  Shard(unsigned index, const Clock& clock, std::size_t max_submits_in_flight = 1024);
  ~Shard();
  Shard(const Shard&) = delete;

  unsigned index() const { return index_; }
  boost::asio::io_context& context() { return *context_; }
  Executor executor() { return context_->get_executor(); }
  // Deadlines of this shard. Call from the shard only.
  Timers& timers() { return *timers_; }
  const Clock& clock() const { return clock_; }

  // The shard that runs the calling thread; nullptr outside of one.
  static Shard* current();
  bool is_current() const { return current() == this; }

  // Runs `work` on this shard, later, unless the shard stops first. Thread-safe. FIFO per posting
  // thread.
  void post(std::move_only_function<void()> work);
  // Starts a coroutine on this shard, later, that the shard owns: stop() waits for it. Thread-safe. An
  // exception that escapes it is logged with `what` (a string literal) and ends the process: no
  // exception crosses a module.
  void spawn(Task<void> task, std::string_view what);
  // As spawn, but on the shard itself, and runs to the first suspension before it returns. Cheap: the
  // coroutine stacks that carry tasks are kept and used again.
  void start(Task<void> task, std::string_view what);
  // Coroutines that spawn() or start() took, and those of them that have ended. Whoever sees an end
  // sees every start that came before it.
  std::uint64_t tasks_started() const { return tasks_started_.load(std::memory_order_acquire); }
  std::uint64_t tasks_ended() const { return tasks_ended_.load(std::memory_order_acquire); }
  std::size_t live_tasks() const {
    const std::uint64_t ended = tasks_ended();
    return static_cast<std::size_t>(tasks_started() - ended);
  }

  // What the shard is doing, for the stall warning: a literal, or a name that lives as long as the
  // process; nullptr for nothing in particular. See RunningLabel.
  const char* label() const { return label_.load(std::memory_order_relaxed); }
  void set_label(const char* label) { label_.store(label, std::memory_order_relaxed); }

  // For submit_to. On this shard only.
  detail::SubmitChannel& channel_to(Shard& target);

 private:
  friend class ShardPool;
  struct State;
  void run();
  void start_counted(Task<void> task, std::string_view what);
  // The end of a shard whose thread has stopped, step by step, because a suspended coroutine of one
  // shard may be held by another: drop what is queued and let nothing new in; destroy the coroutines
  // that wait (again, as others let go of theirs); then the context.
  void close_queues();
  void abandon_waiting();
  void destroy_context();

  unsigned index_;
  const Clock& clock_;
  const std::size_t max_submits_in_flight_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<Timers> timers_;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> tasks_started_{0};
  std::atomic<std::uint64_t> tasks_ended_{0};
  std::atomic<const char*> label_{nullptr};
  std::thread thread_;
};

// Names what the current shard is doing until the end of the scope. Does nothing outside of a shard.
class RunningLabel {
 public:
  explicit RunningLabel(const char* label) : shard_(Shard::current()) {
    if (shard_) {
      before_ = shard_->label();
      shard_->set_label(label);
    }
  }
  ~RunningLabel() {
    if (shard_) shard_->set_label(before_);
  }
  RunningLabel(const RunningLabel&) = delete;

 private:
  Shard* shard_;
  const char* before_ = nullptr;
};

struct ShardPoolOptions {
  unsigned shards = 1;
  // Calls from one shard to another that were sent and have not begun there; more wait in FIFO order.
  std::size_t max_submits_in_flight = 1024;
  // A handler that holds a shard longer than this is logged with what it was doing.
  Duration stall_warning = std::chrono::milliseconds(50);
};

class ShardPool {
 public:
  ShardPool(ShardPoolOptions options, const Clock& clock, MetricRegistry& metrics);
  ~ShardPool();  // stop()

  void start();
  // Waits up to `grace` for spawned tasks, then stops the contexts and joins the threads. From a
  // thread that is no shard. What still waits then is destroyed with the pool.
  void stop(Duration grace = std::chrono::seconds(5));

  // Tasks of all shards that have not ended, or more while they start others. 0 is never wrong: then
  // there was a moment during the call when no shard had one. Thread-safe.
  std::size_t live_tasks() const;

  unsigned size() const { return static_cast<unsigned>(shards_.size()); }
  Shard& at(unsigned index) { return *shards_[index]; }
  const ShardPoolOptions& options() const { return options_; }

 private:
  ShardPoolOptions options_;
  bool running_ = false;
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
// or a Task; it is moved to the target, must not throw, and is destroyed there. Begins in FIFO order
// per (caller's shard, target) pair, waiting ones included. On the caller's own shard it runs at once,
// without a trip through the queue.
// The caller must be on a shard. A caller that is destroyed meanwhile does not stop `fn`: dispatched
// work runs to its end and its reply is dropped. Defined in submit.h.
template <class F>
auto submit_to(Shard& target, F fn) -> Task<typename detail::TaskValue<std::invoke_result_t<F&>>::type>;

}  // namespace tidegate
