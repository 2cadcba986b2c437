// A server over a table of made-up APIs whose handlers the test steers, real sockets, and a clock that
// the test turns. All state of the APIs is touched on the shards only; tests with several shards use
// Echo alone.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/run_task.h"
#include "support/socket_client.h"
#include "tidegate/runtime/event.h"
#include "tidegate/server/server.h"

namespace tidegate::server {

inline constexpr std::int16_t kEcho = 1;       // parallel; answers its body
inline constexpr std::int16_t kHeld = 2;       // parallel; answers its body when released
inline constexpr std::int16_t kOrdered = 3;    // ordered; held, dispatched() by the test or at the end
inline constexpr std::int16_t kWaiting = 4;    // waiting; held, ends early when the session ends
inline constexpr std::int16_t kSilent = 5;     // no answer; body "close" ends the connection
inline constexpr std::int16_t kThrottled = 6;  // answers with throttle_ms 1000
inline constexpr std::int16_t kLarge = 7;      // answers with as many KiB as its body has bytes
inline constexpr std::int16_t kThrows = 8;
inline constexpr std::int16_t kFailing = 9;   // answers with error 3
inline constexpr std::int16_t kCharged = 10;  // as kLarge, and has charged the memory itself
inline constexpr std::int16_t kApiVersions = 18;

struct FakeApis {
  std::vector<std::string> log;  // "begin 7", "end 7" by correlation id
  std::map<std::int32_t, api::RequestContextPtr> open;
  std::set<std::int32_t> released;
  bool all_released = false;
  Event released_event;

  static FakeApis& at(FakeApis* set = nullptr) {
    static FakeApis* current = nullptr;
    if (set) current = set;
    return *current;
  }
};

inline api::Reply reply_with(const api::RequestContext& context, SharedBuffer body) {
  const auto id = static_cast<std::uint32_t>(context.correlation_id);
  const std::uint8_t header[4] = {static_cast<std::uint8_t>(id >> 24), static_cast<std::uint8_t>(id >> 16),
                                  static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
  api::Reply reply;
  reply.chunks = {SharedBuffer::copy_of(header), std::move(body)};
  return reply;
}
inline Task<api::Reply> echo(api::RequestContextPtr context, SharedBuffer body) {
  co_return reply_with(*context, std::move(body));
}
inline Task<api::Reply> held(api::RequestContextPtr context, SharedBuffer body) {
  auto& apis = FakeApis::at();
  const std::int32_t id = context->correlation_id;
  apis.log.push_back("begin " + std::to_string(id));
  apis.open[id] = context;
  std::uint64_t watch = 0;
  bool ended_early = false;
  if (context->row->lane == api::RequestLane::waiting) {
    watch = context->session->watch_close([&] {
      ended_early = true;
      apis.released_event.notify_all();
    });
  }
  while (!apis.all_released && !apis.released.contains(id) && !ended_early)
    co_await apis.released_event.wait();
  context->session->unwatch_close(watch);
  apis.open.erase(id);
  apis.log.push_back("end " + std::to_string(id));
  co_return reply_with(*context, std::move(body));
}
inline Task<api::Reply> silent(api::RequestContextPtr context, SharedBuffer body) {
  FakeApis::at().log.push_back("silent " + std::to_string(context->correlation_id));
  api::Reply reply;
  reply.send = false;
  reply.close = as_text(body) == "close";
  reply.close_reason = "asked to";
  co_return reply;
}
inline Task<api::Reply> throttled(api::RequestContextPtr context, SharedBuffer body) {
  auto reply = reply_with(*context, std::move(body));
  reply.throttle_ms = 1000;
  co_return reply;
}
inline Task<api::Reply> large(api::RequestContextPtr context, SharedBuffer body) {
  const std::vector<std::uint8_t> bytes(body.size() * 1024, 0x5a);
  co_return reply_with(*context, SharedBuffer::copy_of(bytes));
}
inline Task<api::Reply> charged(api::RequestContextPtr context, SharedBuffer body) {
  const std::vector<std::uint8_t> bytes(body.size() * 1024, 0x5a);
  auto reply = reply_with(*context, SharedBuffer::copy_of(bytes));
  reply.charge = std::make_shared<int>();
  co_return reply;
}
inline Task<api::Reply> throws(api::RequestContextPtr, SharedBuffer) {
  throw std::runtime_error("a bug in a handler");
  co_return api::Reply{};
}
inline Task<api::Reply> failing(api::RequestContextPtr context, SharedBuffer body) {
  auto reply = reply_with(*context, std::move(body));
  reply.error_code = 3;
  co_return reply;
}
inline Task<api::Reply> api_versions(api::RequestContextPtr context, SharedBuffer) {
  const std::string text = "asked " + std::to_string(context->version);
  co_return reply_with(*context, SharedBuffer::copy_of(as_bytes(text)));
}

inline std::span<const api::ApiRow> fake_rows() {
  using enum api::RequestLane;
  static const std::vector<api::ApiRow> rows = {
      {.key = kEcho,
       .name = "Echo",
       .max_version = 2,
       .flexible_from = 2,
       .memory_factor = 2,
       .invoke = echo},
      {.key = kHeld, .name = "Held", .memory_factor = 2, .invoke = held},
      {.key = kOrdered, .name = "Ordered", .lane = ordered, .memory_factor = 2, .invoke = held},
      {.key = kWaiting,
       .name = "Waiting",
       .lane = waiting,
       .waits = true,
       .memory_factor = 2,
       .invoke = held},
      {.key = kSilent, .name = "Silent", .lane = ordered, .memory_factor = 2, .invoke = silent},
      {.key = kThrottled, .name = "Throttled", .memory_factor = 2, .invoke = throttled},
      {.key = kLarge, .name = "Large", .memory_factor = 2, .invoke = large},
      {.key = kThrows, .name = "Throws", .memory_factor = 2, .invoke = throws},
      {.key = kFailing, .name = "Failing", .memory_factor = 2, .invoke = failing},
      {.key = kCharged, .name = "Charged", .memory_factor = 2, .invoke = charged},
      {.key = kApiVersions,
       .name = "ApiVersions",
       .max_version = 4,
       .flexible_from = 3,
       .memory_factor = 2,
       .invoke = api_versions,
       .invoke_waiting = api_versions},
  };
  return rows;
}

inline void put_int(std::vector<std::uint8_t>& out, std::uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
// A whole frame with its length, header version 1.
inline std::vector<std::uint8_t> frame(std::int16_t key, std::int32_t correlation, std::string_view body = {},
                                       std::int16_t version = 0) {
  std::vector<std::uint8_t> out;
  put_int(out, static_cast<std::uint32_t>(8 + 2 + 4 + body.size()), 4);
  put_int(out, static_cast<std::uint16_t>(key), 2);
  put_int(out, static_cast<std::uint16_t>(version), 2);
  put_int(out, static_cast<std::uint32_t>(correlation), 4);
  put_int(out, 4, 2);
  for (const char c : std::string_view("test")) out.push_back(static_cast<std::uint8_t>(c));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

struct Answer {
  std::int32_t correlation = -1;
  std::string body;
  bool operator==(const Answer&) const = default;
};

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(unsigned shards = 1) : harness(shards) { FakeApis::at(&apis); }
  ServerTest(unsigned shards, test::RealClock clock) : harness(shards, clock) { FakeApis::at(&apis); }

  void start(ServerOptions options = {}) {
    if (options.listeners.empty()) options.listeners = {{.name = "TEST", .port = 0}};
    server = std::make_unique<Server>(std::move(options), fake_rows(), nullptr, harness.pool(),
                                      harness.clock(), harness.metrics());
    const auto started = harness.run([this] { return server->start(); });
    ASSERT_TRUE(started) << started.error().message;
    port = server->endpoints().front().port;
  }
  void TearDown() override {
    if (!server) return;
    server->stop_now();
    release_all();
    EXPECT_TRUE(eventually([this] { return server->connections() == 0; }));
    harness.stop();
    EXPECT_EQ(gauge("tidegate_server_requests_in_flight"), 0);
    EXPECT_EQ(gauge("tidegate_server_queued_response_bytes"), 0);
    EXPECT_EQ(gauge("tidegate_server_response_memory_bytes"), 0);
    EXPECT_EQ(gauge("tidegate_server_request_memory_bytes"), 0);
    EXPECT_EQ(gauge("tidegate_server_connections"), 0);
    server.reset();
  }

  test::SocketClient connect() {
    auto client = test::SocketClient::connect(port);
    EXPECT_TRUE(client.connected());
    return client;
  }
  static std::optional<Answer> receive(test::SocketClient& client) {
    const auto bytes = client.receive_frame();
    if (!bytes || bytes->size() < 4) return std::nullopt;
    Answer answer;
    const auto& b = *bytes;
    answer.correlation = b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    answer.body.assign(b.begin() + 4, b.end());
    return answer;
  }
  // Nothing more comes, not even the end, within a short time.
  static bool quiet(const test::SocketClient& client) { return !client.readable_within(50); }
  bool echoes(test::SocketClient& client, std::int32_t correlation = 77) {
    return client.send(frame(kEcho, correlation, "still here")) &&
           receive(client) == Answer{correlation, "still here"};
  }

  void release(std::int32_t correlation) {
    harness.call([=, this] {
      apis.released.insert(correlation);
      apis.released_event.notify_all();
    });
  }
  void release_all() {
    harness.call([this] {
      apis.all_released = true;
      apis.released_event.notify_all();
    });
  }
  void dispatched(std::int32_t correlation) {
    harness.call([=, this] { apis.open.at(correlation)->dispatched(); });
  }
  std::vector<std::string> log() {
    return harness.call([this] { return apis.log; });
  }
  // Waits for something that happens by itself, with a limit that only a hang reaches.
  bool eventually(const std::function<bool()>& holds) {
    const SystemClock clock;
    const MonoTime give_up = clock.now() + std::chrono::seconds(20);
    while (!holds()) {
      if (clock.now() > give_up) return false;
      harness.settle(1);
      std::this_thread::yield();
    }
    return true;
  }
  bool logged(const std::string& line) {
    return eventually([&] {
      const auto lines = log();
      return std::find(lines.begin(), lines.end(), line) != lines.end();
    });
  }
  double metric(const std::string& name, const MetricLabels& labels) {
    for (const auto& family : harness.metrics().collect()) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        if (sample.labels == labels) {
          return family.kind == MetricKind::histogram ? static_cast<double>(sample.histogram.count)
                                                      : sample.value;
        }
      }
    }
    return -1;
  }
  // Some are counted after the client has its answer.
  bool counted(const std::string& name, const MetricLabels& labels, double value = 1) {
    return eventually([&] { return metric(name, labels) == value; });
  }
  double gauge(const std::string& name) { return metric(name, {}); }
  bool closed_for(const std::string& reason, double times = 1) {
    return counted("tidegate_server_connections_closed_total", {{"reason", reason}}, times);
  }

  FakeApis apis;
  test::ShardHarness harness;
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
};

}  // namespace tidegate::server
