// The loop behind every call of a filer: pick one, call, report to its breaker, repeat where that is safe.
// Included by the .cc files of FilerClient only.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "rpc/filer_client.h"

namespace tidegate::storage::seaweedmq {
namespace detail {

inline constexpr Duration kFirstPause = std::chrono::milliseconds(20);
inline constexpr Duration kLongestPause = std::chrono::milliseconds(500);
inline constexpr Duration kShortestAttempt = std::chrono::milliseconds(250);

inline std::unexpected<Error> storage_error(Method method, const std::string& what) {
  return fail(ErrorCode::kafka_storage_error, std::string(method_name(method)) + ": " + what);
}
inline std::unexpected<Error> storage_error(Method method, const grpc::Status& status) {
  return storage_error(method, describe(status));
}

}  // namespace detail

template <class Response, class Attempt>
Task<Result<Answer<Response>>> FilerClient::with_filer(Method method, Attempt attempt, bool repeatable) {
  const MonoTime deadline = clock_.now() + timeout_;
  Duration pause = detail::kFirstPause;
  std::shared_ptr<Endpoint> filer;
  while (true) {
    filer = filers_.pick(filer.get());
    if (!filer) {
      if (filers_.size() == 0) co_return detail::storage_error(method, "no filer is known yet");
      metrics_.refused_by_breaker(EndpointKind::filer);
      co_return detail::storage_error(method, "no filer answers");
    }
    const MonoTime began = clock_.now();
    // A call that may be repeated leaves time for it.
    const Duration left = deadline - began;
    const Duration timeout =
        repeatable ? std::max<Duration>(left / 2, std::min(left, detail::kShortestAttempt)) : left;
    Answer<Response> answer = co_await attempt(filer->connection(), timeout);
    const bool answered = reached(answer.status);
    filer->report(answered);
    metrics_.called(method, clock_.now() - began, !answered);
    if (!repeatable || answered || clock_.now() + pause + detail::kShortestAttempt > deadline) {
      if (!answered)
        co_return detail::storage_error(method, filer->address() + " " + describe(answer.status));
      co_return std::move(answer);
    }
    metrics_.repeated(method);
    co_await Shard::current()->timers().sleep_until(clock_.now() + jittered(pause));
    pause = std::min(pause * 2, detail::kLongestPause);
  }
}

template <class Request, class Response>
Task<Result<Answer<Response>>> FilerClient::call(
    Method method, AsyncMethod<filer_pb::SeaweedFiler, Request, Response> function, Request request,
    bool repeatable) {
  auto attempt = [this, function, &request, repeatable](std::shared_ptr<Connection> via, Duration timeout) {
    Request sent = repeatable ? request : std::move(request);
    return unary_call<filer_pb::SeaweedFiler, Request, Response>(calls_, std::move(via), function,
                                                                 std::move(sent), timeout);
  };
  co_return co_await with_filer<Response>(method, attempt, repeatable);
}

}  // namespace tidegate::storage::seaweedmq
