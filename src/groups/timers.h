// The deadlines of one group. A Timer lives inside what it times (a member, a pending id, the rebalance)
// and is cancelled with it, so there is none for a dead member. Only the earliest is told to the shell
// (Effects::wake_at). Moving a deadline later, which every heartbeat does, touches no tree: the entry
// stays where it was and is queued anew when its old time comes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "tidegate/base/clock.h"

namespace tidegate::groups {

enum class TimerKind : std::uint8_t {
  classic_session,     // a member was not heard of
  classic_pending_id,  // an id given out by MEMBER_ID_REQUIRED was not used
  classic_join,        // the joining phase ends
  classic_sync,        // members that have not synced are removed
  consumer_session,    // KIP-848: a member was not heard of
  consumer_rebalance,  // KIP-848: a member did not give up its partitions in time
  consumer_join,       // KIP-848: a classic member that was told to rejoin did not
  consumer_sync,       // KIP-848: a classic member did not fetch its assignment
};

class Timer;

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // When the shell should wake the group; may be too early, never too late.
  std::optional<MonoTime> next() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.begin()->first;
  }
  // Takes the earliest timer that is due out of the queue; nullptr when there is none.
  Timer* pop_due(MonoTime now);
  std::size_t size() const { return queue_.size(); }
  // Visits every armed timer: for tests.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [at, timer] : queue_) visit(*timer);
  }

 private:
  friend class Timer;
  std::multimap<MonoTime, Timer*> queue_;
};

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  // Arms, or moves the deadline. `member` is kept as a view: the key of the map that holds the owner.
  void arm(TimerQueue& queue, TimerKind kind, std::string_view member, MonoTime at);
  void cancel();
  bool armed() const { return queue_ != nullptr; }
  MonoTime deadline() const { return deadline_; }
  TimerKind kind() const { return kind_; }
  std::string_view member() const { return member_; }

 private:
  friend class TimerQueue;
  TimerQueue* queue_ = nullptr;
  std::multimap<MonoTime, Timer*>::iterator place_;
  MonoTime deadline_;
  std::string_view member_;
  TimerKind kind_ = TimerKind::classic_session;
};

}  // namespace tidegate::groups
