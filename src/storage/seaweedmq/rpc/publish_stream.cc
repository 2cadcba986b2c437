#include "rpc/publish_stream.h"

#include <deque>
#include <mutex>
#include <utility>

namespace tidegate::storage::seaweedmq {

// What the reading coroutine sees; touched on its shard only.
struct PublishStream::State {
  Event changed;
  bool ready = false;
  bool told_ready = false;
  std::vector<Offset> acks;
  std::string error;  // the broker's own
  int error_code = 0;
  bool ended = false;
  grpc::Status status;
};

struct PublishStream::Reactor
    : CallBase,
      grpc::ClientBidiReactor<messaging_pb::PublishMessageRequest, messaging_pb::PublishMessageResponse> {
  using Request = messaging_pb::PublishMessageRequest;
  messaging_pb::PublishMessageResponse incoming;
  std::shared_ptr<State> state;
  Shard* shard = nullptr;
  CallRegistry* registry = nullptr;
  std::shared_ptr<Reactor> self;  // until OnDone

  std::mutex mutex;  // of everything below
  std::deque<Request> to_write;
  Request writing;
  bool busy = false;
  bool finishing = false;
  bool broken = false;
  std::vector<Offset> acks;  // on their way to the shard
  bool posted = false;

  void push(Request request) {
    const std::lock_guard lock(mutex);
    if (broken) return;
    to_write.push_back(std::move(request));
    write_next();
  }
  void half_close() {
    const std::lock_guard lock(mutex);
    if (broken || finishing) return;
    finishing = true;
    write_next();
  }
  // Under the mutex. The library calls OnWriteDone on a thread of its own, never in here.
  void write_next() {
    if (busy || broken) return;
    if (!to_write.empty()) {
      busy = true;
      writing = std::move(to_write.front());
      to_write.pop_front();
      StartWrite(&writing);
    } else if (finishing) {
      busy = true;
      StartWritesDone();
    }
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex);
    busy = false;
    broken = broken || !ok;
    write_next();
  }
  void OnWritesDoneDone(bool) override {}

  void OnReadDone(bool ok) override {
    if (!ok) {
      // No write begins from now on; OnDone follows once nothing is held back.
      {
        const std::lock_guard lock(mutex);
        broken = true;
      }
      RemoveHold();
      return;
    }
    const bool first = std::exchange(first_, false);
    if (first || incoming.error_code() != 0 || !incoming.error().empty()) {
      tell(incoming.error(), incoming.error_code());
    } else {
      const std::lock_guard lock(mutex);
      acks.push_back(incoming.assigned_offset());
      if (!std::exchange(posted, true)) shard->post([me = self] { me->deliver(); });
    }
    incoming.Clear();
    StartRead(&incoming);
  }
  // On the shard.
  void deliver() {
    std::vector<Offset> now;
    {
      const std::lock_guard lock(mutex);
      now = std::exchange(acks, {});
      posted = false;
    }
    state->acks.insert(state->acks.end(), now.begin(), now.end());
    state->changed.notify_all();
  }
  void tell(const std::string& error, int code) {
    const bool bad = code != 0 || !error.empty();
    if (bad) context.TryCancel();
    shard->post([to = state, error, code, bad] {
      to->ready = to->ready || !bad;
      if (bad && to->error.empty()) {
        to->error = error.empty() ? "error without a word" : error;
        to->error_code = code;
      }
      to->changed.notify_all();
    });
  }
  void OnDone(const grpc::Status& end) override {
    CallRegistry& known_in = *registry;
    shard->post([to = state, end, keep = std::move(self)] {
      keep->deliver();
      to->ended = true;
      to->status = end;
      to->changed.notify_all();
    });
    known_in.leave(this);  // by its address alone: it may be gone already
  }

 private:
  bool first_ = true;
};

std::unique_ptr<PublishStream> PublishStream::open(CallRegistry& registry, std::shared_ptr<Connection> via,
                                                   messaging_pb::PublishMessageRequest::InitMessage hello) {
  auto reactor = std::make_shared<Reactor>();
  reactor->via = std::move(via);
  if (!registry.enter(reactor)) return nullptr;
  std::unique_ptr<PublishStream> stream(new PublishStream);
  stream->state_ = std::make_shared<State>();
  stream->reactor_ = reactor;
  reactor->state = stream->state_;
  reactor->shard = Shard::current();
  reactor->registry = &registry;
  reactor->self = reactor;
  messaging_pb::PublishMessageRequest first;
  *first.mutable_init() = std::move(hello);
  reactor->via->broker_stub->async()->PublishMessage(&reactor->context, reactor.get());
  reactor->AddHold();  // writes begin outside of the library's callbacks
  reactor->push(std::move(first));
  reactor->StartRead(&reactor->incoming);
  reactor->StartCall();
  return stream;
}

PublishStream::~PublishStream() { cancel(); }

void PublishStream::send(std::string key, std::string value) {
  messaging_pb::PublishMessageRequest request;
  auto& data = *request.mutable_data();
  data.set_key(std::move(key));
  data.set_value(std::move(value));
  reactor_->push(std::move(request));
}

Task<PublishStream::Next> PublishStream::next(MonoTime deadline, std::vector<Offset>& assigned) {
  Timers& timers = Shard::current()->timers();
  const auto state = state_;
  while (true) {
    if (state->ready && !std::exchange(state->told_ready, true)) co_return Next::ready;
    if (!state->acks.empty()) {
      assigned = std::exchange(state->acks, {});
      co_return Next::acks;
    }
    if (state->ended) co_return Next::ended;
    const bool notified = co_await state->changed.wait_until(timers, deadline);
    if (!notified && state->acks.empty() && !state->ended) co_return Next::timeout;
  }
}

void PublishStream::cancel() { reactor_->context.TryCancel(); }
void PublishStream::finish() { reactor_->half_close(); }

std::string PublishStream::why() const {
  return state_->error.empty() ? describe(state_->status) : state_->error;
}
int PublishStream::error_code() const { return state_->error_code; }

}  // namespace tidegate::storage::seaweedmq
