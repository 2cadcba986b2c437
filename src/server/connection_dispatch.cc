// Lanes. Ordered requests begin one after the other, each when the one before has its place in every
// order it touches (dispatched()); parallel and waiting ones begin at once.
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "connection.h"

namespace tidegate::server {
namespace {

// What a request that waits still holds besides what was decoded: coroutine frames and the like.
constexpr std::size_t kWaitingBytes = 4 * 1024;

}  // namespace

void Request::set_reply(api::Reply value) {
  reply = std::move(value);
  if (!reply.send) reply.chunks.clear();
  std::size_t bytes = 0;
  for (const auto& chunk : reply.chunks) bytes += chunk.size();
  for (unsigned i = 0; i < 4; ++i) prefix[i] = static_cast<std::uint8_t>(bytes >> (24 - 8 * i));
  wire_bytes = reply.send ? prefix.size() + bytes : 0;
  ready = true;
}

void Connection::dispatch(Incoming frame) {
  const api::ApiRow& row = *frame.row;
  auto request = std::make_shared<Request>();
  request->serving = server_->shared().serving;
  request->broker = server_->shared().broker;
  request->row = &row;
  request->version = frame.prefix.api_version;
  request->correlation_id = frame.prefix.correlation_id;
  request->session = session_;
  request->received = last_activity_;
  request->connection = shared_from_this();
  if (row.begin) row.begin(*request);
  const WorkScope work(request->work);
  request->memory = std::move(frame.memory);
  const SharedBuffer bytes = std::move(frame.bytes).freeze();
  request->size_bytes = bytes.size();
  if (row.accepts(request->version)) {
    auto parsed =
        protocol::parse_request(bytes, protocol::request_header_version(row.is_flexible(request->version)));
    if (!parsed) {
      fail_reading(CloseReason::malformed, parsed.error().message);
      return;
    }
    request->client_id = std::move(parsed->header.client_id);
    request->body = std::move(parsed->body);
  } else {
    // Too new an ApiVersions: nothing behind the first eight bytes has a known form.
    request->body = bytes.slice(protocol::kRequestPrefixBytes, bytes.size() - protocol::kRequestPrefixBytes);
  }
  request->body_bytes = request->body.size();
  server_->metrics().in_flight.add(1);
  server_->api_metrics().count_request(row, request->version);
  slots_.push_back(request);
  if (row.lane == api::RequestLane::ordered) {
    ordered_.push_back(std::move(request));
    pump_ordered();
  } else {
    start_request(std::move(request));
  }
}

// A loop rather than a chain of calls: handlers that end at once would otherwise nest.
void Connection::pump_ordered() {
  if (std::exchange(pumping_, true)) return;
  while (!ordered_busy_ && !ordered_.empty()) {
    RequestPtr request = std::move(ordered_.front());
    ordered_.pop_front();
    ordered_busy_ = true;
    request->on_dispatched = [at = request.get()] { at->connection->request_dispatched(); };
    start_request(std::move(request));
  }
  pumping_ = false;
}

void Connection::request_dispatched() {
  ordered_busy_ = false;
  pump_ordered();
}

void Connection::start_request(RequestPtr request) {
  const RunningLabel label(request->row->name.data());
  const WorkScope work(request->work);
  server_->shard().start(handle(request), request->row->name);
  if (request->ready) return;
  // It waits: decoding is over, and the fixed part of the estimate was for that.
  const auto decoded =
      static_cast<std::size_t>(request->row->memory_factor * static_cast<double>(request->body_bytes)) +
      kWaitingBytes;
  request->memory.shrink_to(decoded);
}

Task<void> Connection::handle(RequestPtr request) {
  api::Reply reply;
  try {
    const auto invoke = request->serving ? request->row->invoke : request->row->invoke_waiting;
    if (invoke) {
      reply = co_await invoke(request, std::move(request->body));
    } else {
      reply = {.send = false, .close = true, .close_reason = "storage is not there yet"};
    }
  } catch (const std::exception& problem) {
    reply = {.send = false, .close = true, .close_reason = std::string("exception: ") + problem.what()};
    request->failed = true;
  }
  const auto connection = request->connection;
  connection->finish(request, std::move(reply));
}

void Connection::finish(const RequestPtr& request, api::Reply reply) {
  request->set_reply(std::move(reply));
  request->handled = server_->now();
  if (closed_) {
    release(*request);
    request->dispatched();  // what was received before the end is still carried out
    return;
  }
  request->queued = true;
  queued_bytes_ += request->wire_bytes;
  server_->metrics().queued_response_bytes.add(static_cast<std::int64_t>(request->wire_bytes));
  charge(*request);
  request->dispatched();
  if (!closed_) answer_ready();
}

}  // namespace tidegate::server
