// The templates of submit_to() and BlockingPool::run(). Both send one heap object, the call, on a trip:
// it holds the function, then its value, and the parked caller. Whatever holds the call at the moment
// owns it; dropped on the way (a shard that has stopped), it takes the caller's coroutine with it.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/runtime/work_time.h"

namespace tidegate {
namespace detail {

// Stands for the value of a function that returns nothing.
struct Nothing {};

template <class T>
struct ValueOf {
  using type = T;
};
template <>
struct ValueOf<void> {
  using type = Nothing;
};

template <class F>
struct Call {
  using Returned = std::invoke_result_t<F&>;
  using Value = typename TaskValue<Returned>::type;
  static constexpr bool is_task = TaskValue<Returned>::is_task;

  explicit Call(F function) : fn(std::move(function)) {}

  std::optional<F> fn;
  std::optional<typename ValueOf<Value>::type> value;
  Resume resume;
  std::shared_ptr<WorkTime> work = WorkScope::current_work();
  Shard* from = nullptr;
  SubmitChannel* channel = nullptr;
};

// Hands the call back to its caller's shard, where the caller takes the value while it is resumed.
template <class F>
void reply(std::unique_ptr<Call<F>> call) {
  call->fn.reset();
  Shard* from = call->from;
  from->post([call = std::move(call)]() mutable {
    const auto keep = std::move(call);
    Resume resume = std::move(keep->resume);
    resume();
  });
}

template <class F>
void run_plain(Call<F>& call) {
  if constexpr (std::is_void_v<typename Call<F>::Value>) {
    (*call.fn)();
    call.value.emplace();
  } else {
    call.value.emplace((*call.fn)());
  }
}

template <class F>
Task<void> run_task(std::unique_ptr<Call<F>> call) {
  if constexpr (std::is_void_v<typename Call<F>::Value>) {
    co_await (*call->fn)();
    call->value.emplace();
  } else {
    call->value.emplace(co_await (*call->fn)());
  }
  reply(std::move(call));
}

template <class F>
void run_on_target(Shard& target, std::unique_ptr<Call<F>> call) {
  call->channel->arrived();
  const WorkScope scope(call->work);
  if constexpr (Call<F>::is_task) {
    target.start(run_task(std::move(call)), "submit_to");
  } else {
    run_plain(*call);
    reply(std::move(call));
  }
}

}  // namespace detail

template <class F>
auto submit_to(Shard& target, F fn) -> Task<typename detail::TaskValue<std::invoke_result_t<F&>>::type> {
  using Call = detail::Call<F>;
  if (target.is_current()) {
    if constexpr (Call::is_task) {
      co_return co_await fn();
    } else {
      co_return fn();
    }
  }
  Shard* from = Shard::current();
  TIDEGATE_ASSERT(from != nullptr);
  auto call = std::make_unique<Call>(std::move(fn));
  Call* at = call.get();
  auto start = [&call, &target, from](Resume resume) {
    call->resume = std::move(resume);
    call->from = from;
    auto& channel = from->channel_to(target);
    call->channel = &channel;
    channel.send(
        [&target, call = std::move(call)]() mutable { detail::run_on_target(target, std::move(call)); });
  };
  co_await suspend(start);
  if constexpr (!std::is_void_v<typename Call::Value>) co_return std::move(*at->value);
}

template <class F>
auto BlockingPool::run(Lane lane, F fn) -> Task<std::invoke_result_t<F&>> {
  using Call = detail::Call<F>;
  static_assert(!Call::is_task, "a lane runs plain functions");
  Shard* from = Shard::current();
  TIDEGATE_ASSERT(from != nullptr);
  auto call = std::make_unique<Call>(std::move(fn));
  Call* at = call.get();
  auto start = [this, lane, &call, from](Resume resume) {
    call->resume = std::move(resume);
    call->from = from;
    post(lane, [call = std::move(call)]() mutable {
      detail::run_plain(*call);
      detail::reply(std::move(call));
    });
  };
  co_await suspend(start);
  if constexpr (!std::is_void_v<typename Call::Value>) co_return std::move(*at->value);
}

}  // namespace tidegate
