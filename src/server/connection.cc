// A connection's beginning and end, and its limits in time.
#include "connection.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/module_log.h"

namespace tidegate::server {
namespace {

// A client that sends slower than this, once its time for a frame is used up, only holds memory.
constexpr std::size_t kMinBytesPerSecond = 64 * 1024;

// Reasons that are somebody's mistake, or trouble: worth a line. The others are everyday.
bool is_worth_a_line(CloseReason reason) {
  switch (reason) {
    case CloseReason::client_closed:
    case CloseReason::network_error:
    case CloseReason::idle:
    case CloseReason::drained:
    case CloseReason::stopped:
      return false;
    case CloseReason::bad_frame_size:
    case CloseReason::unknown_api:
    case CloseReason::not_allowed:
    case CloseReason::malformed:
    case CloseReason::handler_failed:
    case CloseReason::handler_closed:
    case CloseReason::slow_frame:
    case CloseReason::write_stall:
      return true;
  }
  return true;
}

}  // namespace

Connection::Connection(std::shared_ptr<ShardServer> server, std::unique_ptr<Stream> stream, std::uint64_t id,
                       const Endpoint& endpoint)
    : server_(std::move(server)),
      stream_(std::move(stream)),
      session_(std::make_shared<api::ClientSession>()),
      last_activity_(server_->now()) {
  session_->connection_id = id;
  session_->peer_address = stream_->peer_address();
  session_->listener = endpoint.name;
  session_->advertised_host = endpoint.advertised_host;
  session_->advertised_port = endpoint.advertised_port;
  session_->node = server_->shared().options.node;
}

Connection::~Connection() = default;

void Connection::start() {
  watch_idle(last_activity_ + server_->options().idle_timeout);
  server_->shard().start(read_loop(shared_from_this()), "connection");
}

void Connection::close(CloseReason reason, std::string_view detail) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  server_->metrics().closed[static_cast<std::size_t>(reason)]->add();
  std::uint64_t suppressed = 0;
  if (is_worth_a_line(reason) && server_->may_log(suppressed)) {
    module_log().warn("closed connection={} peer={} listener={} reason={} detail=\"{}\" suppressed={}",
                      session_->connection_id, stream_->peer(), session_->listener, name_of(reason), detail,
                      suppressed);
  }
  auto& timers = server_->shard().timers();
  for (TimerId* timer : {&idle_timer_, &frame_timer_, &pause_timer_, &stall_timer_}) {
    timers.cancel(std::exchange(*timer, kNoTimer));
  }
  stream_->close();
  for (const auto& request : slots_) {
    if (request->ready) release(*request);
  }
  slots_.clear();
  kept_ = {};
  incoming_ = {};
  admitted_.release();
  open_read_gate();
  server_->forget(session_->connection_id, session_->peer_address);
  session_->mark_closed();
}

void Connection::begin_drain() {
  if (closed_) return;
  draining_ = true;
  stop_watching_frame();
  session_->end_waits();
  close_when_drained();
}

// The bytes that come next mean nothing. What was asked before them is still answered.
void Connection::fail_reading(CloseReason reason, std::string detail) {
  draining_ = true;
  drain_reason_ = reason;
  drain_detail_ = std::move(detail);
}

void Connection::close_when_drained() {
  if (draining_ && slots_.empty()) close(drain_reason_, drain_detail_);
}

// One timer looks now and then whether the connection has been idle for long enough; a request only
// notes the time.
void Connection::watch_idle(MonoTime at) {
  idle_timer_ = server_->shard().timers().arm(at, [this] {
    idle_timer_ = kNoTimer;
    const MonoTime now = server_->now();
    if (!slots_.empty()) last_activity_ = now;
    // Nor is one idle that was told to be quiet.
    last_activity_ = std::max(last_activity_, paused_until_);
    const MonoTime due = last_activity_ + server_->options().idle_timeout;
    if (due <= now) {
      close(CloseReason::idle);
    } else {
      watch_idle(due);
    }
  });
}

void Connection::watch_frame() {
  if (frame_timer_ != kNoTimer) return;
  frame_began_ = server_->now();
  check_frame_progress();
}

void Connection::stop_watching_frame() {
  server_->shard().timers().cancel(std::exchange(frame_timer_, kNoTimer));
}

void Connection::check_frame_progress() {
  received_at_check_ = received_;
  const Duration timeout = server_->options().frame_timeout;
  frame_timer_ = server_->shard().timers().arm(server_->now() + timeout, [this, timeout] {
    frame_timer_ = kNoTimer;
    const auto fair_seconds = std::chrono::seconds(incoming_.bytes.size() / kMinBytesPerSecond);
    const bool late = server_->now() - frame_began_ > timeout + fair_seconds;
    if (received_ == received_at_check_ || late) {
      close(CloseReason::slow_frame, "the rest of a request did not come in time");
    } else {
      check_frame_progress();
    }
  });
}

void Connection::pause_reading(Duration pause) {
  const MonoTime until = server_->now() + pause;
  if (until <= paused_until_) return;
  paused_until_ = until;
  auto& timers = server_->shard().timers();
  timers.cancel(pause_timer_);
  pause_timer_ = timers.arm(until, [this] {
    pause_timer_ = kNoTimer;
    open_read_gate();
  });
}

}  // namespace tidegate::server
