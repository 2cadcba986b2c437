// Each waiter is shared by the event's list and by its timer; whoever takes it first decides the
// outcome, the other finds it taken. The waiting coroutine only points to it: it is resumed while one
// of the two holds it.
#include "tidegate/runtime/event.h"

#include <list>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "tidegate/runtime/suspend.h"

namespace tidegate {
namespace {

struct Waiter {
  Resume resume;
  Timers* timers = nullptr;
  TimerId timer = kNoTimer;
  bool done = false;
  bool notified = false;
};

}  // namespace

struct Event::State {
  std::list<std::shared_ptr<Waiter>> waiting;
  std::optional<Executor> executor;  // of the shard; known when somebody waits
};

Event::Event() : state_(std::make_shared<State>()) {}
Event::~Event() = default;

void Event::notify_all() {
  if (state_->waiting.empty()) return;
  std::vector<std::shared_ptr<Waiter>> woken(state_->waiting.begin(), state_->waiting.end());
  state_->waiting.clear();
  for (const auto& waiter : woken) {
    waiter->done = true;
    waiter->notified = true;
  }
  boost::asio::post(*state_->executor, [woken = std::move(woken)] {
    for (const auto& waiter : woken) {
      if (waiter->timers) waiter->timers->cancel(waiter->timer);
      Resume resume = std::move(waiter->resume);
      resume();
    }
  });
}

Task<void> Event::wait() {
  state_->executor = co_await boost::asio::this_coro::executor;
  auto start = [this](Resume resume) {
    auto waiter = std::make_shared<Waiter>();
    waiter->resume = std::move(resume);
    state_->waiting.push_back(std::move(waiter));
  };
  co_await suspend(start);
}

Task<bool> Event::wait_until(Timers& timers, MonoTime deadline) {
  if (deadline == MonoTime::max()) {
    co_await wait();
    co_return true;
  }
  state_->executor = co_await boost::asio::this_coro::executor;
  Waiter* own = nullptr;
  auto start = [this, deadline, &timers, &own](Resume resume) {
    auto waiter = std::make_shared<Waiter>();
    own = waiter.get();
    waiter->resume = std::move(resume);
    waiter->timers = &timers;
    const auto place = state_->waiting.insert(state_->waiting.end(), waiter);
    const TimerId timer = timers.arm(deadline, [state = state_, place, waiter] {
      if (waiter->done) return;  // notified in the same turn, about to be resumed
      waiter->done = true;
      state->waiting.erase(place);
      Resume late = std::move(waiter->resume);
      late();
    });
    own->timer = timer;
  };
  co_await suspend(start);
  co_return own->notified;
}

std::size_t Event::waiters() const { return state_->waiting.size(); }

}  // namespace tidegate
