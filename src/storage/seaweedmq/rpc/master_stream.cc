#include "rpc/master_stream.h"

#include <atomic>
#include <deque>
#include <utility>

namespace tidegate::storage::seaweedmq {
namespace {
constexpr std::size_t kUnreadLimit = 4096;
}

// What the reading coroutine sees; touched on its shard only, but for the count.
struct MasterStream::State {
  Event changed;
  std::deque<master_pb::KeepConnectedResponse> messages;
  bool ended = false;
  grpc::Status status;
  std::atomic<std::size_t> unread{0};
};

struct MasterStream::Reactor
    : CallBase,
      grpc::ClientBidiReactor<master_pb::KeepConnectedRequest, master_pb::KeepConnectedResponse> {
  master_pb::KeepConnectedRequest hello;
  master_pb::KeepConnectedResponse incoming;
  std::shared_ptr<State> state;
  Shard* shard = nullptr;
  CallRegistry* registry = nullptr;
  std::shared_ptr<Reactor> self;  // until OnDone

  void OnReadDone(bool ok) override {
    if (!ok) return;  // OnDone follows
    if (state->unread.fetch_add(1) >= kUnreadLimit) context.TryCancel();
    shard->post([to = state, message = std::move(incoming)]() mutable {
      to->messages.push_back(std::move(message));
      to->changed.notify_all();
    });
    incoming.Clear();
    StartRead(&incoming);
  }
  void OnDone(const grpc::Status& end) override {
    CallRegistry& known_in = *registry;
    shard->post([to = state, end, keep = std::move(self)] {
      to->ended = true;
      to->status = end;
      to->changed.notify_all();
    });
    known_in.leave(this);  // by its address alone: it may be gone already
  }
};

std::unique_ptr<MasterStream> MasterStream::open(CallRegistry& registry, std::shared_ptr<Connection> via,
                                                 master_pb::KeepConnectedRequest hello) {
  auto reactor = std::make_shared<Reactor>();
  reactor->via = std::move(via);
  if (!registry.enter(reactor)) return nullptr;
  std::unique_ptr<MasterStream> stream(new MasterStream);
  stream->state_ = std::make_shared<State>();
  stream->reactor_ = reactor;
  reactor->hello = std::move(hello);
  reactor->state = stream->state_;
  reactor->shard = Shard::current();
  reactor->registry = &registry;
  reactor->self = reactor;
  reactor->via->master_stub->async()->KeepConnected(&reactor->context, reactor.get());
  // Never half-closed: a master ends the stream of a client that has.
  reactor->StartWrite(&reactor->hello);
  reactor->StartRead(&reactor->incoming);
  reactor->StartCall();
  return stream;
}

MasterStream::~MasterStream() { cancel(); }

Task<MasterStream::Next> MasterStream::next(MonoTime deadline, master_pb::KeepConnectedResponse& message) {
  Timers& timers = Shard::current()->timers();
  const auto state = state_;
  while (true) {
    if (!state->messages.empty()) {
      message = std::move(state->messages.front());
      state->messages.pop_front();
      state->unread.fetch_sub(1);
      co_return Next::message;
    }
    if (state->ended) co_return Next::ended;
    const bool notified = co_await state->changed.wait_until(timers, deadline);
    if (!notified) co_return Next::timeout;
  }
}

void MasterStream::cancel() { reactor_->context.TryCancel(); }

std::string MasterStream::why() const { return describe(state_->status); }

}  // namespace tidegate::storage::seaweedmq
