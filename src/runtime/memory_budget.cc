// Waiters are granted strictly in order: the bytes are taken for them in give_back(), and they are
// resumed by way of the executor. Whoever is to resume a waiter owns it; its coroutine only points to
// it, or the two would keep each other alive when the wait is given up.
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

void MemoryLease::release() {
  if (MemoryBudget* budget = std::exchange(budget_, nullptr)) budget->give_back(std::exchange(bytes_, 0));
}

struct MemoryBudget::State {
  struct Waiter {
    std::size_t bytes = 0;
    Resume resume;
    MemoryLease lease;
  };
  explicit State(std::size_t bytes) : limit(bytes) {}

  const std::size_t limit;
  std::size_t used = 0;
  std::deque<std::unique_ptr<Waiter>> waiting;
  std::optional<Executor> executor;

  bool fits(std::size_t bytes) const { return used == 0 || (bytes <= limit && used <= limit - bytes); }
};

MemoryBudget::MemoryBudget(std::size_t limit_bytes) : state_(std::make_unique<State>(limit_bytes)) {}
MemoryBudget::~MemoryBudget() = default;

bool MemoryBudget::try_acquire(std::size_t bytes, MemoryLease& out) {
  if (!state_->waiting.empty() || !state_->fits(bytes)) return false;
  state_->used += bytes;
  out = MemoryLease(this, bytes);
  return true;
}

Task<MemoryLease> MemoryBudget::acquire(std::size_t bytes) {
  MemoryLease lease;
  if (try_acquire(bytes, lease)) co_return lease;
  state_->executor = co_await boost::asio::this_coro::executor;
  State::Waiter* waiter = nullptr;
  auto start = [this, bytes, &waiter](Resume resume) {
    waiter = state_->waiting.emplace_back(std::make_unique<State::Waiter>()).get();
    waiter->bytes = bytes;
    waiter->resume = std::move(resume);
  };
  co_await suspend(start);
  co_return std::move(waiter->lease);
}

void MemoryBudget::give_back(std::size_t bytes) {
  State& state = *state_;
  TIDEGATE_ASSERT(bytes <= state.used);
  state.used -= bytes;
  while (!state.waiting.empty() && state.fits(state.waiting.front()->bytes)) {
    auto waiter = std::move(state.waiting.front());
    state.waiting.pop_front();
    state.used += waiter->bytes;
    waiter->lease = MemoryLease(this, waiter->bytes);
    boost::asio::post(*state.executor, [waiter = std::move(waiter)] {
      Resume resume = std::move(waiter->resume);
      resume();
    });
  }
}

std::size_t MemoryBudget::used() const { return state_->used; }
std::size_t MemoryBudget::limit() const { return state_->limit; }
std::size_t MemoryBudget::waiters() const { return state_->waiting.size(); }

}  // namespace tidegate
