// Answers leave in the order in which their requests arrived, never by correlation id, gathered into as
// few writes as possible. When the socket is full, a coroutine waits for room and is watched for a stall.
#include <array>
#include <boost/asio/post.hpp>
#include <utility>

#include "connection.h"
#include "tidegate/base/error_code.h"
#include "tidegate/base/module_log.h"

namespace tidegate::server {
namespace {

constexpr std::size_t kViewsPerWrite = 128;
constexpr std::size_t kLoggedClientBytes = 100;

}  // namespace

void Connection::answer_ready() {
  if (batching_ || flush_posted_ || write_blocked_) return;
  if (slots_.empty() || !slots_.front()->ready) return;
  if (slots_.size() == 1) {  // nothing that could go along
    flush();
    return;
  }
  // Others may become ready in the same turn of the shard.
  flush_posted_ = true;
  boost::asio::post(server_->shard().context(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Connection::flush() {
  while (!closed_ && !write_blocked_ && write_ready_answers()) {
  }
  if (closed_) return;
  close_when_drained();
  open_read_gate();
}

// One write. False when there is nothing (more) to write for now.
bool Connection::write_ready_answers() {
  std::array<ByteView, kViewsPerWrite> views;
  std::size_t count = 0;
  std::size_t wanted = 0;
  std::size_t skip = front_written_;
  const auto add = [&](ByteView view) {
    if (skip >= view.size()) {
      skip -= view.size();
      return;
    }
    views[count++] = view.subspan(skip);
    wanted += view.size() - skip;
    skip = 0;
  };
  bool any = false;
  for (const auto& request : slots_) {
    if (!request->ready) break;
    any = true;
    if (request->reply.send && count < views.size()) add(request->prefix);
    for (const auto& chunk : request->reply.chunks) {
      if (count == views.size()) break;
      add(chunk.bytes());
    }
    if (request->reply.close || count == views.size()) break;
  }
  if (!any) return false;
  // All are of one client.
  const WorkScope work(slots_.front()->work);
  std::size_t written = 0;
  if (count > 0) {
    const auto put = stream_->try_write(std::span(views).first(count));
    if (!put) {
      close(CloseReason::network_error, put.error().message);
      return false;
    }
    written = *put;
  }
  advance(written);
  if (closed_ || written == wanted) return !closed_;
  write_blocked_ = true;
  server_->shard().start(wait_writable(shared_from_this()), "connection write");
  return false;
}

void Connection::advance(std::size_t written) {
  server_->metrics().sent_bytes.add(written);
  sent_ += written;
  front_written_ += written;
  while (!closed_ && !slots_.empty() && slots_.front()->ready &&
         front_written_ >= slots_.front()->wire_bytes) {
    front_written_ -= slots_.front()->wire_bytes;
    complete_front();
  }
}

void Connection::complete_front() {
  const RequestPtr request = std::move(slots_.front());
  slots_.pop_front();
  const MonoTime now = server_->now();
  last_activity_ = now;
  server_->api_metrics().count_reply(*request->row, request->version, request->reply.error_code,
                                     static_cast<std::uint64_t>((now - request->received).count()));
  note_slow(*request, now);
  const bool ends = request->reply.close;
  if (request->reply.throttle_ms > 0) pause_reading(std::chrono::milliseconds(request->reply.throttle_ms));
  const std::string reason = std::move(request->reply.close_reason);
  release(*request);
  if (ends) close(request->failed ? CloseReason::handler_failed : CloseReason::handler_closed, reason);
}

void Connection::note_slow(const Request& request, MonoTime now) {
  const Duration limit = server_->options().slow_request;
  std::uint64_t suppressed = 0;
  if (limit <= Duration::zero() || now - request.received < limit || request.row->waits ||
      !server_->may_log_slow(suppressed)) {
    return;
  }
  const auto ms = [](Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  };
  const std::string_view client = request.client_id ? std::string_view(*request.client_id) : "";
  module_log().warn(
      "event=slow_request api={} version={} milliseconds={} handling_ms={} writing_ms={} request_bytes={} "
      "response_bytes={} error={} client={:?} connection={} peer={} suppressed={}",
      request.row->name, request.version, ms(now - request.received), ms(request.handled - request.received),
      ms(now - request.handled), request.size_bytes, request.wire_bytes,
      error_name(static_cast<ErrorCode>(request.reply.error_code)), client.substr(0, kLoggedClientBytes),
      session_->connection_id, stream_->peer(), suppressed);
}

// What the handler has charged elsewhere, as Fetch does for records, is not charged again.
void Connection::charge(Request& request) {
  if (request.reply.charge || request.wire_bytes == 0) return;
  if (charged_bytes_ == 0) charged_since_ = server_->now();
  request.charged = request.wire_bytes;
  charged_bytes_ += request.charged;
  server_->responses().add(request.charged);
}

// The end of a request whose handler has ended: written, or never to be.
void Connection::release(Request& request) {
  if (request.row->end) request.row->end(request);
  auto& metrics = server_->metrics();
  if (std::exchange(request.queued, false)) {
    queued_bytes_ -= request.wire_bytes;
    metrics.queued_response_bytes.add(-static_cast<std::int64_t>(request.wire_bytes));
  }
  metrics.in_flight.add(-1);
  request.memory.release();
  request.reply = {};
  if (const std::size_t bytes = std::exchange(request.charged, 0); bytes > 0) {
    charged_bytes_ -= bytes;
    server_->responses().remove(bytes);
  }
}

Task<void> Connection::wait_writable(std::shared_ptr<Connection> self) {
  Connection& c = *self;
  c.watch_write_stall();
  const auto ready = co_await c.stream_->wait_writable();
  c.server_->shard().timers().cancel(std::exchange(c.stall_timer_, kNoTimer));
  c.write_blocked_ = false;
  if (!ready) {
    c.close(CloseReason::network_error, ready.error().message);
    co_return;
  }
  c.flush();
}

void Connection::watch_write_stall() {
  const Duration limit = server_->options().write_stall_timeout;
  stall_timer_ = server_->shard().timers().arm(server_->now() + limit, [this] {
    stall_timer_ = kNoTimer;
    close(CloseReason::write_stall, "the client does not read its answers");
  });
}

}  // namespace tidegate::server
