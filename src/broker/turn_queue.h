// One at a time, in order of arrival, for coroutines of one shard: what is read before a co_await is
// still true behind it. How many may wait is bounded by the requests that may be in flight.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "tidegate/runtime/event.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

class TurnQueue {
 public:
  // Held while the caller works; the next in line goes on when it is destroyed.
  class Turn {
   public:
    explicit Turn(TurnQueue* queue) : queue_(queue) {}
    Turn(Turn&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (queue_) queue_->leave();
    }

   private:
    TurnQueue* queue_;
  };

  Task<Turn> take() {
    if (taken_) {
      auto turn = std::make_shared<Event>();
      waiting_.push_back(turn);
      co_await turn->wait();
    }
    taken_ = true;
    co_return Turn(this);
  }

 private:
  // The queue stays taken when it is handed on, so that nobody slips in before the one who waited.
  void leave() {
    if (waiting_.empty()) {
      taken_ = false;
      return;
    }
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next->notify_all();
  }

  bool taken_ = false;
  std::deque<std::shared_ptr<Event>> waiting_;
};

}  // namespace tidegate::broker
