#include "timers.h"

#include <utility>

namespace tidegate::groups {

Timer* TimerQueue::pop_due(MonoTime now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    auto first = queue_.begin();
    Timer* timer = first->second;
    if (timer->deadline_ > now) {
      auto node = queue_.extract(first);
      node.key() = timer->deadline_;
      timer->place_ = queue_.insert(std::move(node));
      continue;
    }
    queue_.erase(first);
    timer->queue_ = nullptr;
    return timer;
  }
  return nullptr;
}

void Timer::arm(TimerQueue& queue, TimerKind kind, std::string_view member, MonoTime at) {
  kind_ = kind;
  member_ = member;
  deadline_ = at;
  if (queue_ == nullptr) {
    queue_ = &queue;
    place_ = queue.queue_.emplace(at, this);
  } else if (at < place_->first) {
    auto node = queue.queue_.extract(place_);
    node.key() = at;
    place_ = queue.queue_.insert(std::move(node));
  }
}

void Timer::cancel() {
  if (queue_ == nullptr) return;
  queue_->queue_.erase(place_);
  queue_ = nullptr;
}

}  // namespace tidegate::groups
