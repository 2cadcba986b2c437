// The one table of Kafka APIs. ApiVersions' answer, dispatch, memory admission, metric labels, log
// names, docs/compatibility.md and the fuzz list come from its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/runtime/task.h"
#include "tidegate/runtime/work_time.h"

namespace tidegate::broker {
class Broker;
}

namespace tidegate::api {

// How requests of one connection may overlap.
enum class RequestLane {
  ordered,   // effects in arrival order: the next request starts when this one called dispatched()
  parallel,  // reads: may run beside anything
  waiting,   // may park for long (Fetch): never holds up a request behind it
};

struct ApiRow;

// What a connection knows about its client. Lives on the connection's shard.
struct ClientSession {
  std::uint64_t connection_id = 0;
  std::string peer_address;  // without port
  std::string listener;      // name of the listener it came in on
  std::string principal = "User:ANONYMOUS";
  std::string software_name = "unknown";  // KIP-511
  std::string software_version = "unknown";
  // The endpoint that this listener advertises, for Metadata and FindCoordinator.
  std::string advertised_host;
  std::uint16_t advertised_port = 0;
  NodeId node = 0;  // of this server; what others know of it while storage is not there yet

  // The socket is gone: waits may end early. A waiting request registers a call and takes it back when
  // it ends; several may wait at once, because Fetch never holds up the requests behind it.
  bool closed = false;
  std::uint64_t watch_close(std::function<void()> call) {
    on_close_.emplace(++last_watch_, std::move(call));
    return last_watch_;
  }
  void unwatch_close(std::uint64_t watch) { on_close_.erase(watch); }
  // The server calls this once, when the socket is gone.
  void mark_closed() {
    closed = true;
    end_waits();
  }
  // The server calls this when it drains: who waits answers now with what it has.
  void end_waits() {
    for (auto& [watch, call] : std::exchange(on_close_, {})) call();
  }

 private:
  std::map<std::uint64_t, std::function<void()>> on_close_;
  std::uint64_t last_watch_ = 0;
};

struct RequestContext {
  RequestContext() = default;
  RequestContext(const RequestContext&) = delete;
  virtual ~RequestContext() = default;
  // For work that outlives the answer and still refers to the request's bytes: whoever calls this holds the
  // memory that the request was admitted for, on this shard, in place of the request. Null: none is counted.
  virtual std::shared_ptr<void> hold_memory() { return nullptr; }

  broker::Broker* broker = nullptr;
  const ApiRow* row = nullptr;
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
  std::shared_ptr<ClientSession> session;
  MonoTime received;
  std::shared_ptr<WorkTime> work;  // spent on the request; nullptr: nobody counts
  bool work_counted = false;       // it has had its say in throttle_ms
  std::size_t size_bytes = 0;      // of the request, with its header
  std::int32_t throttle_ms = 0;    // how long its client has to be quiet, by what it has used so far

  // Ordered lane: this request's place in every order it touches is fixed; the next may start.
  // Called at most once by the handler; the server calls it itself when the handler has ended.
  std::function<void()> on_dispatched;
  void dispatched() {
    if (on_dispatched) {
      auto call = std::exchange(on_dispatched, nullptr);
      call();
    }
  }
};
using RequestContextPtr = std::shared_ptr<RequestContext>;

struct Reply {
  // Response header and body, without the length prefix. Record bytes are slices of engine memory.
  std::vector<SharedBuffer> chunks;
  // Memory that was charged for `chunks`: the server drops it, on this shard, after the write.
  std::shared_ptr<void> charge;
  bool send = true;    // false: acks=0 has no answer
  bool close = false;  // malformed request, or acks=0 that failed: end the connection after what is queued
  std::int32_t throttle_ms = 0;  // stop reading this connection for so long
  std::int16_t error_code = 0;   // the first error in the response, for metrics
  std::string close_reason;      // for the log, when close is set
};

struct ApiRow {
  std::int16_t key = 0;
  std::string_view name;
  std::int16_t min_version = 0;  // accepted
  std::int16_t max_version = 0;
  std::int16_t flexible_from = -1;  // -1: never
  RequestLane lane = RequestLane::parallel;
  bool waits = false;  // for data or for other clients, as the request wants it: not slow because of that
  // No request makes the decoder allocate more than factor x its bytes + 64 KiB; admitted before the
  // body is read.
  double memory_factor = 8;
  // Decodes `body` (behind the request header), handles, encodes. Runs on the connection's shard.
  // The server calls it for accepted versions only, but for ApiVersions (key 18) with any version:
  // above its range it answers unsupported_version in the body of version 0 and does not parse `body`.
  Task<Reply> (*invoke)(RequestContextPtr context, SharedBuffer body) = nullptr;
  // The same while storage is not there yet and `context->broker` is null: answers that clients repeat.
  // Without it the connection is closed.
  Task<Reply> (*invoke_waiting)(RequestContextPtr context, SharedBuffer body) = nullptr;
  // Told of every request before anything is done for it, and when it is over, on the connection's shard:
  // how the time that shards work for it is counted. May be null.
  void (*begin)(RequestContext& context) = nullptr;
  void (*end)(RequestContext& context) = nullptr;
  // ApiVersions answers this; differs from min_version for Produce alone (0: old librdkafka).
  std::int16_t advertised_min = 0;

  bool accepts(std::int16_t version) const { return version >= min_version && version <= max_version; }
  bool is_flexible(std::int16_t version) const { return flexible_from >= 0 && version >= flexible_from; }
};

// Every API that is fully implemented, by key.
std::span<const ApiRow> api_table();
// nullptr when this server does not know the key.
const ApiRow* find_api(std::int16_t key);
// docs/compatibility.md, from the table.
std::string compatibility_markdown();

}  // namespace tidegate::api
