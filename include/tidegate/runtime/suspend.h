// How a coroutine of a shard is parked and woken by our own code (timers, events, replies from another
// thread). Asio's completion handler of the parked coroutine becomes a Resume.
#pragma once

#include <functional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include "tidegate/runtime/task.h"
#include "tidegate/runtime/work_time.h"

namespace tidegate {

// Wakes one parked coroutine, inline, when called: on the coroutine's own shard, at most once, and
// never from inside the function given to suspend(). Move it to a local before calling it: the
// coroutine may park again in the place it came from. Destroying it uncalled destroys the coroutine
// (Asio posts the unwinding to the coroutine's io_context, which must still exist).
using Resume = std::move_only_function<void()>;

// `co_await suspend(start)` parks the calling coroutine, then calls `start(Resume)`, which must not
// throw. The awaited object lives in the caller's frame, so `start` may refer to the caller's locals.
template <class Start>
auto suspend(Start start) {
  auto initiation = [](auto handler, Start inner) {
    if (auto work = WorkScope::current_work()) {
      inner(Resume(detail::CountedResume{std::move(handler), std::move(work)}));
    } else {
      inner(Resume(std::move(handler)));
    }
  };
  return boost::asio::async_initiate<const boost::asio::deferred_t, void()>(
      std::move(initiation), boost::asio::deferred, std::move(start));
}

}  // namespace tidegate
