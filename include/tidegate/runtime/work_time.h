// How long the threads of shards work for somebody: a request, say. What runs within a WorkScope counts, on
// whichever shard, and what a coroutine does that was parked there by suspend() or sent by submit_to() counts
// again once it goes on. Waiting does not, nor do the threads of BlockingPool. Costs one look at a pointer
// where nobody counts.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "tidegate/base/clock.h"

namespace tidegate {

// Any thread.
class WorkTime {
 public:
  void add(Duration time) { ns_.fetch_add(time.count(), std::memory_order_relaxed); }
  // What has been counted since the last call.
  Duration take() { return Duration(ns_.exchange(0, std::memory_order_relaxed)); }

 private:
  std::atomic<Duration::rep> ns_{0};
};

// On a shard. Scopes nest: the time of an inner one is not the outer one's.
class WorkScope {
 public:
  // nullptr: nothing begins, an outer scope goes on.
  explicit WorkScope(std::shared_ptr<WorkTime> work) : work_(std::move(work)) {
    if (work_) begin();
  }
  ~WorkScope() {
    if (work_) end();
  }
  WorkScope(const WorkScope&) = delete;

  // Whose time counts now; nullptr: nobody's.
  static std::shared_ptr<WorkTime> current_work() { return current_ ? current_->work_ : nullptr; }
  // Adds what the current scope has taken so far.
  static void settle() {
    if (current_) current_->add();
  }

 private:
  void begin();
  void end();
  void add();

  static thread_local constinit inline WorkScope* current_ = nullptr;
  std::shared_ptr<WorkTime> work_;
  WorkScope* outer_ = nullptr;
  MonoTime since_{};
};

namespace detail {
// A Resume that counts what the coroutine does next.
template <class Handler>
struct CountedResume {
  Handler handler;
  std::shared_ptr<WorkTime> work;
  void operator()() {
    // Both may be destroyed by what runs.
    Handler go_on = std::move(handler);
    const WorkScope scope(std::move(work));
    std::move(go_on)();
  }
};
}  // namespace detail

}  // namespace tidegate
