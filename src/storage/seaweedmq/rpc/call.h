// One gRPC call as a coroutine: started from a shard through grpc++'s callback API, which runs on the
// library's own threads; the end is posted to that shard, where the caller goes on. Every call has a
// deadline. A CallRegistry knows the calls in flight, so that a client that closes can end them all.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/status.h>

#include "rpc/connection.h"
#include "tidegate/base/assert.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/runtime/task.h"

namespace tidegate::storage::seaweedmq {

struct CallBase {
  virtual ~CallBase() = default;
  void set_deadline(Duration timeout) {
    context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(timeout.count(), GPR_TIMESPAN)));
  }
  grpc::ClientContext context;
  std::shared_ptr<Connection> via;
};

class CallRegistry {
 public:
  CallRegistry() = default;
  CallRegistry(const CallRegistry&) = delete;
  ~CallRegistry() { close(); }

  // False when closed: the call must not begin. Else leave() must follow, as the last use of this.
  bool enter(const std::shared_ptr<CallBase>& call);
  void leave(const CallBase* call);
  // Cancels what is in flight, waits until all of it has ended, takes no more. The shards that made the
  // calls must still exist. Blocks for as long as the library takes to cancel: milliseconds.
  void close();
  std::size_t in_flight() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  bool closed_ = false;
  // Not owned: the library's thread must never be the last to let go of a call.
  std::map<const CallBase*, std::weak_ptr<CallBase>> calls_;
};

template <class Response>
struct Answer {
  grpc::Status status;
  Response response;
};

template <class Service, class Request, class Response>
using AsyncMethod = void (Service::StubInterface::async_interface::*)(grpc::ClientContext*, const Request*,
                                                                      Response*,
                                                                      std::function<void(grpc::Status)>);

namespace detail {

inline grpc::Status closing() { return {grpc::StatusCode::CANCELLED, "the client is closing"}; }

template <class Request, class Response>
struct UnaryCall : CallBase {
  Request request;
  Response response;
  grpc::Status status;
  Resume resume;
};

// Wakes the caller of `call` on its shard, where the call also ends its life: its context holds the channel,
// and a channel that is destroyed on the library's own thread makes that thread wait for itself.
template <class Call>
void finish(Shard& shard, CallRegistry& registry, std::shared_ptr<Call> call) {
  const CallBase* const known_as = call.get();
  shard.post([call = std::move(call)] {
    Resume resume = std::move(call->resume);
    resume();
  });
  registry.leave(known_as);
}

template <class Response>
struct CollectCall : CallBase, grpc::ClientReadReactor<Response> {
  Response current;
  std::vector<Response> responses;
  std::size_t limit = 0;
  bool enough = false;
  grpc::Status status;
  Resume resume;
  Shard* shard = nullptr;
  CallRegistry* registry = nullptr;
  std::shared_ptr<CollectCall> self;  // until OnDone

  void OnReadDone(bool ok) override {
    if (!ok) return;
    responses.push_back(std::move(current));
    current.Clear();
    if (responses.size() >= limit) {
      enough = true;
      this->context.TryCancel();
    }
    this->StartRead(&current);
  }
  void OnDone(const grpc::Status& end) override {
    status = enough ? grpc::Status::OK : end;
    auto keep = std::move(self);
    finish(*shard, *registry, std::move(keep));
  }
};

}  // namespace detail

template <class Service, class Request, class Response>
Task<Answer<Response>> unary_call(CallRegistry& registry, std::shared_ptr<Connection> via,
                                  AsyncMethod<Service, Request, Response> method, Request request,
                                  Duration timeout) {
  auto call = std::make_shared<detail::UnaryCall<Request, Response>>();
  call->request = std::move(request);
  call->via = std::move(via);
  call->set_deadline(timeout);
  if (!registry.enter(call)) co_return Answer<Response>{detail::closing(), {}};
  Shard* shard = Shard::current();
  TIDEGATE_ASSERT(shard != nullptr);
  auto start = [&call, &registry, shard, method](Resume resume) {
    call->resume = std::move(resume);
    auto done = [mine = call, shard, &registry](grpc::Status status) mutable {
      mine->status = std::move(status);
      detail::finish(*shard, registry, std::move(mine));
    };
    auto* async = call->via->stub(static_cast<Service*>(nullptr)).async();
    (async->*method)(&call->context, &call->request, &call->response, std::move(done));
  };
  co_await suspend(start);
  co_return Answer<Response>{std::move(call->status), std::move(call->response)};
}

// All responses of a server stream, at most `limit`; the stream is cut there.
template <class Request, class Response, class Start>
Task<Answer<std::vector<Response>>> collect_call(CallRegistry& registry, std::shared_ptr<Connection> via,
                                                 Start begin, Request request, std::size_t limit,
                                                 Duration timeout) {
  using Call = detail::CollectCall<Response>;
  auto call = std::make_shared<Call>();
  call->via = std::move(via);
  call->limit = limit;
  call->set_deadline(timeout);
  if (!registry.enter(call)) co_return Answer<std::vector<Response>>{detail::closing(), {}};
  call->shard = Shard::current();
  call->registry = &registry;
  auto start = [&call, &request, &begin](Resume resume) {
    call->resume = std::move(resume);
    call->self = call;
    begin(*call->via, call->context, request, *call);
    call->StartRead(&call->current);
    call->StartCall();
  };
  co_await suspend(start);
  co_return Answer<std::vector<Response>>{std::move(call->status), std::move(call->responses)};
}

// The call got an answer, good or bad: the server is there.
inline bool reached(const grpc::Status& status) {
  return status.error_code() != grpc::StatusCode::UNAVAILABLE &&
         status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED;
}
// "unavailable: connection refused", cut to a line.
std::string describe(const grpc::Status& status);

}  // namespace tidegate::storage::seaweedmq
