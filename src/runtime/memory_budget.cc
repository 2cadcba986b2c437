// Waiters are granted strictly in order: the bytes are taken for them in give_back(), and they are
// resumed by way of the executor. Whoever is to resume a waiter owns it; its coroutine and its timer only
// point to it, or they would keep each other alive when the wait is given up.
#include "tidegate/runtime/memory_budget.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/suspend.h"

namespace tidegate {

MemoryLease::MemoryLease(MemoryLease&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

MemoryLease& MemoryLease::operator=(MemoryLease&& other) noexcept {
  if (this != &other) {
    release();
    budget_ = std::exchange(other.budget_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

MemoryLease::~MemoryLease() { release(); }

void MemoryLease::shrink_to(std::size_t bytes) {
  if (bytes >= bytes_) return;
  const std::size_t given = bytes_ - bytes;
  bytes_ = bytes;
  budget_->give_back(given);
}

void MemoryLease::grow_to(std::size_t bytes) {
  if (!budget_ || bytes <= bytes_) return;
  budget_->overdraw(bytes - bytes_);
  bytes_ = bytes;
}

void MemoryLease::release() {
  if (MemoryBudget* budget = std::exchange(budget_, nullptr)) budget->give_back(std::exchange(bytes_, 0));
}

struct MemoryBudget::State {
  struct Waiter {
    std::size_t bytes = 0;
    std::size_t least = 0;
    Resume resume;
    MemoryLease lease;
    Timers* timers = nullptr;
    TimerId timer = kNoTimer;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;
  explicit State(std::size_t bytes) : limit(bytes) {}

  const std::size_t limit;
  std::size_t used = 0;
  std::deque<WaiterPtr> waiting;
  std::optional<Executor> executor;

  bool fits(std::size_t bytes) const { return used == 0 || (bytes <= limit && used <= limit - bytes); }
  std::size_t room() const { return used < limit ? limit - used : 0; }
  MemoryLease take(MemoryBudget& budget, std::size_t bytes) {
    used += bytes;
    return MemoryLease(&budget, bytes);
  }
  // Up to `bytes` of the room that is left; nothing when that is less than `least`.
  MemoryLease take_room(MemoryBudget& budget, std::size_t bytes, std::size_t least) {
    const std::size_t part = std::min(bytes, room());
    return part == 0 || part < least ? MemoryLease() : take(budget, part);
  }
  void resume_later(WaiterPtr waiter) {
    if (waiter->timers) waiter->timers->cancel(waiter->timer);
    boost::asio::post(*executor, [waiter = std::move(waiter)] {
      Resume resume = std::move(waiter->resume);
      resume();
    });
  }
  void grant(MemoryBudget& budget) {
    while (!waiting.empty() && fits(waiting.front()->bytes)) {
      auto waiter = std::move(waiting.front());
      waiting.pop_front();
      waiter->lease = take(budget, waiter->bytes);
      resume_later(std::move(waiter));
    }
  }
  // Ends a wait that has not been granted; `part`: with what room there is.
  void end_wait(MemoryBudget& budget, const std::weak_ptr<Waiter>& which, bool part) {
    const WaiterPtr waiter = which.lock();
    if (!waiter || std::erase(waiting, waiter) == 0) return;
    if (part) waiter->lease = take_room(budget, waiter->bytes, waiter->least);
    resume_later(waiter);
    grant(budget);  // it may have been the one that did not fit
  }
};

void MemoryWait::give_up() {
  if (auto end = std::exchange(end_, nullptr)) end();
}

MemoryBudget::MemoryBudget(std::size_t limit_bytes) : state_(std::make_unique<State>(limit_bytes)) {}
MemoryBudget::~MemoryBudget() = default;

bool MemoryBudget::try_acquire(std::size_t bytes, MemoryLease& out) {
  if (!state_->waiting.empty() || !state_->fits(bytes)) return false;
  out = state_->take(*this, bytes);
  return true;
}

Task<MemoryLease> MemoryBudget::acquire(std::size_t bytes) {
  MemoryLease lease;
  if (try_acquire(bytes, lease)) co_return lease;
  state_->executor = co_await boost::asio::this_coro::executor;
  State::Waiter* waiter = nullptr;
  auto start = [this, bytes, &waiter](Resume resume) {
    waiter = state_->waiting.emplace_back(std::make_shared<State::Waiter>()).get();
    waiter->bytes = bytes;
    waiter->resume = std::move(resume);
  };
  co_await suspend(start);
  co_return std::move(waiter->lease);
}

Task<MemoryLease> MemoryBudget::acquire_until(std::size_t bytes, std::size_t least, Timers& timers,
                                              MonoTime deadline, MemoryWait& wait) {
  MemoryLease lease;
  if (try_acquire(bytes, lease)) co_return lease;
  if (deadline <= timers.clock().now()) {
    // Who waits is not overtaken.
    if (state_->waiting.empty()) lease = state_->take_room(*this, bytes, least);
    co_return lease;
  }
  state_->executor = co_await boost::asio::this_coro::executor;
  State::Waiter* waiter = nullptr;
  auto start = [&](Resume resume) {
    const auto made = std::make_shared<State::Waiter>();
    waiter = made.get();
    made->bytes = bytes;
    made->least = least;
    made->resume = std::move(resume);
    made->timers = &timers;
    state_->waiting.push_back(made);
    const std::weak_ptr<State::Waiter> weak = made;
    // A weak pointer: one that is gone went with the budget.
    wait.end_ = [this, weak] {
      if (!weak.expired()) state_->end_wait(*this, weak, false);
    };
    made->timer = timers.arm(deadline, [this, weak] {
      if (!weak.expired()) state_->end_wait(*this, weak, true);
    });
  };
  co_await suspend(start);
  wait.end_ = nullptr;
  co_return std::move(waiter->lease);
}

void MemoryBudget::give_back(std::size_t bytes) {
  TIDEGATE_ASSERT(bytes <= state_->used);
  state_->used -= bytes;
  state_->grant(*this);
}

void MemoryBudget::overdraw(std::size_t bytes) { state_->used += bytes; }

std::size_t MemoryBudget::used() const { return state_->used; }
std::size_t MemoryBudget::limit() const { return state_->limit; }
std::size_t MemoryBudget::waiters() const { return state_->waiting.size(); }

}  // namespace tidegate
