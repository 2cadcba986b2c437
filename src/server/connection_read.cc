// From bytes to frames. Connections of a shard share one scratch buffer: whole small frames are copied
// out of it, a large frame's rest is read straight into its own buffer. A connection that waits holds no
// buffer. Nothing is allocated for a frame before its size, its API and the memory for it are checked.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "connection.h"

namespace tidegate::server {
namespace {

constexpr std::size_t kLengthBytes = 4;
// A frame from here on counts as large; reads before one are short.
constexpr std::size_t kLargeFrameBytes = 32 * 1024;
constexpr std::size_t kShortReadBytes = 4 * 1024;
// Reads without a wait after which other connections get their turn.
constexpr unsigned kRoundsPerTurn = 16;
constexpr std::size_t kFixedEstimateBytes = 64 * 1024;

std::int32_t read_int32(ByteView bytes) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(bytes[0]) << 24 |
                                   static_cast<std::uint32_t>(bytes[1]) << 16 |
                                   static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3]);
}

// What people point at a Kafka port by mistake.
const char* looks_like(ByteView start) {
  if (start[0] == 0x16 && start[1] == 0x03)
    return " (looks like a TLS handshake; this listener is plaintext)";
  for (const std::string_view method : {"GET ", "POST", "HEAD", "PUT ", "OPTI"}) {
    if (as_text(start.first(4)) == method) return " (looks like HTTP)";
  }
  return "";
}

}  // namespace

Task<void> Connection::read_loop(std::shared_ptr<Connection> self) {
  Connection& c = *self;
  while (!c.closed_) {
    if (!c.may_read()) {
      c.stop_watching_frame();
      co_await c.wait_for_room();
      continue;
    }
    switch (c.consume()) {
      case Next::end:
        co_return;
      case Next::room:
        break;
      case Next::yield: {
        auto turn = boost::asio::post(c.server_->shard().context(), boost::asio::deferred);
        co_await std::move(turn);
        break;
      }
      case Next::readable: {
        if (c.kept_.empty()) {
          c.stop_watching_frame();
        } else {
          c.watch_frame();
        }
        c.rounds_ = 0;
        const auto ready = co_await c.stream_->wait_readable();
        if (!ready) c.close(CloseReason::network_error, ready.error().message);
        c.maybe_more_ = true;
        break;
      }
      case Next::memory: {
        c.stop_watching_frame();
        auto& waiting = c.server_->metrics().waiting_for_memory;
        waiting.add(1);
        auto lease = co_await c.server_->budget().acquire(c.wanted_memory_);
        waiting.add(-1);
        if (!c.closed_) c.admitted_ = {std::move(lease), c.server_->metrics().request_memory_bytes};
        break;
      }
      case Next::body:
        co_await finish_body(self);
        break;
    }
  }
}

// Reads the rest of a frame into its own buffer.
Task<void> Connection::finish_body(std::shared_ptr<Connection> self) {
  Connection& c = *self;
  while (!c.closed_ && c.incoming_.filled < c.incoming_.bytes.size()) {
    std::size_t got = 0;
    bool ended = false;
    if (!c.read_more(c.incoming_.bytes.bytes().subspan(c.incoming_.filled), got, ended)) co_return;
    c.incoming_.filled += got;
    if (got > 0) continue;
    c.watch_frame();
    const auto ready = co_await c.stream_->wait_readable();
    if (!ready) c.close(CloseReason::network_error, ready.error().message);
  }
  if (c.closed_) co_return;
  c.stop_watching_frame();
  c.maybe_more_ = true;
  c.batching_ = true;
  c.dispatch(std::exchange(c.incoming_, {}));
  c.batching_ = false;
  c.flush();
}

// Parks the read loop until open_read_gate().
Task<void> Connection::wait_for_room() {
  auto park = [this](Resume resume) { read_gate_ = std::move(resume); };
  co_await suspend(park);
}

bool Connection::may_read() const {
  return !closed_ && !draining_ && slots_.size() < server_->options().max_in_flight_requests &&
         queued_bytes_ <= server_->options().max_queued_response_bytes && !server_->responses().full() &&
         paused_until_ <= server_->now();
}

void Connection::open_read_gate() {
  if (!read_gate_ || (!closed_ && !may_read())) return;
  boost::asio::post(server_->shard().context(), std::exchange(read_gate_, nullptr));
}

// One read, if one is needed, and everything that can be done with what is there.
Connection::Next Connection::consume() {
  if (std::exchange(kept_whole_, false)) {
    const auto whole = std::exchange(kept_, {});
    return consume_frames(whole);
  }
  if (!maybe_more_) return Next::readable;
  if (++rounds_ > kRoundsPerTurn) {
    rounds_ = 0;
    return Next::yield;
  }
  const std::size_t kept = kept_.size();  // less than a frame's first 12 bytes
  auto scratch = server_->scratch().first(large_frames_ ? kShortReadBytes : kScratchBytes);
  std::size_t got = 0;
  bool ended = false;
  if (!read_more(scratch.subspan(kept), got, ended)) return Next::end;
  maybe_more_ = kept + got == scratch.size();
  if (got == 0) return Next::readable;
  if (kept > 0) std::memcpy(scratch.data(), kept_.data(), kept);
  kept_ = {};
  return consume_frames(scratch.first(kept + got));
}

// False when the connection has closed. got == 0 means that nothing is there yet.
bool Connection::read_more(MutableByteView into, std::size_t& got, bool& ended) {
  const auto read = stream_->try_read(into);
  if (!read) {
    close(CloseReason::network_error, read.error().message);
    return false;
  }
  if (!*read) return true;
  got = **read;
  ended = got == 0;
  if (ended) {
    close(CloseReason::client_closed);
    return false;
  }
  received_ += got;
  server_->metrics().received_bytes.add(got);
  last_activity_ = server_->now();
  return true;
}

Connection::Next Connection::consume_frames(ByteView input) {
  batching_ = true;
  Next next = Next::readable;
  for (;;) {
    if (!may_read()) {
      keep(input);
      kept_whole_ = !input.empty();
      next = Next::room;
      break;
    }
    if (input.size() >= kLengthBytes && !check_size(read_int32(input), input)) continue;
    if (input.size() < kLengthBytes + protocol::kRequestPrefixBytes) {
      keep(input);
      break;
    }
    next = begin_frame(input, static_cast<std::size_t>(read_int32(input)));
    if (next != Next::readable) break;
  }
  batching_ = false;
  flush();
  return closed_ ? Next::end : next;
}

// Admits the frame at the start of `input`, takes it off and dispatches it. Next::readable means that it
// is done, or that it is not acceptable and fail_reading() was called.
Connection::Next Connection::begin_frame(ByteView& input, std::size_t size) {
  const auto prefix = protocol::parse_request_prefix(input.subspan(kLengthBytes));
  const api::ApiRow* row = prefix ? find_row(*prefix) : nullptr;
  if (!row) return Next::readable;
  Incoming frame;
  frame.row = row;
  frame.prefix = *prefix;
  if (admitted_.size() > 0) {
    frame.memory = std::move(admitted_);
  } else {
    const std::size_t bytes = estimate(*row, size);
    MemoryLease lease;
    if (!server_->budget().try_acquire(bytes, lease)) {
      wanted_memory_ = bytes;
      keep(input);
      kept_whole_ = true;
      return Next::memory;
    }
    frame.memory = {std::move(lease), server_->metrics().request_memory_bytes};
  }
  frame.bytes = MutableBuffer(size);
  const auto here = input.subspan(kLengthBytes, std::min(size, input.size() - kLengthBytes));
  std::memcpy(frame.bytes.data(), here.data(), here.size());
  frame.filled = here.size();
  large_frames_ = size >= kLargeFrameBytes;
  input = input.subspan(kLengthBytes + here.size());
  if (frame.filled < size) {
    incoming_ = std::move(frame);
    return Next::body;
  }
  dispatch(std::move(frame));
  return Next::readable;
}

bool Connection::check_size(std::int32_t size, ByteView start) {
  const auto& options = server_->options();
  const std::size_t limit =
      gate_.frame_limit(options.max_request_bytes, options.max_request_bytes_unauthenticated);
  if (size >= static_cast<std::int32_t>(protocol::kRequestPrefixBytes) &&
      static_cast<std::size_t>(size) <= limit) {
    return true;
  }
  fail_reading(CloseReason::bad_frame_size,
               fmt::format("frame of {} bytes, limit {}{}", size, limit, looks_like(start)));
  return false;
}

// nullptr after fail_reading(): no format is known in which to tell the client. ApiVersions is the
// exception: its row answers versions that are too new (KIP-511).
const api::ApiRow* Connection::find_row(const protocol::RequestPrefix& prefix) {
  const api::ApiRow* row = server_->shared().apis.find(prefix.api_key);
  const bool known = row && (row->accepts(prefix.api_version) || row->key == protocol::kApiVersionsKey);
  if (!known) {
    fail_reading(CloseReason::unknown_api,
                 fmt::format("key {} version {}", prefix.api_key, prefix.api_version));
    return nullptr;
  }
  if (!gate_.allows(prefix.api_key)) {
    fail_reading(CloseReason::not_allowed, fmt::format("{} before authentication", row->name));
    return nullptr;
  }
  return row;
}

// A request that could need more than the whole budget is admitted when it is alone.
std::size_t Connection::estimate(const api::ApiRow& row, std::size_t size) const {
  const double bytes =
      row.memory_factor * static_cast<double>(size) + static_cast<double>(kFixedEstimateBytes);
  return std::min(static_cast<std::size_t>(std::max(bytes, static_cast<double>(size))),
                  server_->budget().limit());
}

void Connection::keep(ByteView rest) { kept_.assign(rest.begin(), rest.end()); }

}  // namespace tidegate::server
