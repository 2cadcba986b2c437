// The admin HTTP endpoint: /metrics, /healthz, /livez, /readyz, /version, /schemas, /log-level; POST
// /config/reload, and what the page asks for. Runs on one shard; app/ makes it. Only this module knows Boost.Beast and prometheus-cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/schema_overview.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {
class Broker;
}

namespace tidegate::admin {

struct AdminOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9644;
  // Connections beyond this are closed at once.
  std::size_t max_connections = 64;
  // Of a request's head, and of its body; larger ones are answered with 431 and 413.
  std::size_t max_request_bytes = 16U << 10;
  std::size_t max_body_bytes = 64U << 10;
  // admin.allowed.hosts: names of the Host header beside `host`, localhost and loopback addresses.
  std::vector<std::string> allowed_hosts = {};
  bool allow_changes = false;  // admin.allow.changes
  // Of the last hour's charts.
  Duration sample_every = std::chrono::seconds(10);
  // For a whole request, and for its response.
  Duration timeout = std::chrono::seconds(10);
};

struct AdminSources {
  MetricRegistry& metrics;
  // Asked for every /readyz, on the shard.
  std::function<storage::Health()> readiness;
  std::string version;
  // Asked for every /schemas, on the shard.
  std::function<broker::SchemaOverview()> schemas;
  // Asked for every POST /config/reload, on the shard: whether it was done, and the JSON to answer.
  struct Reloaded {
    bool done = false;
    std::string page;
  };
  std::function<Task<Reloaded>()> reload;
  // nullptr while there is none to ask: at the start, and once the daemon drains. On the shard.
  std::function<broker::Broker*()> broker = {};
  // Connected Kafka clients, at most a few thousand; asked for every /api/v1/clients, on the shard.
  struct Client {
    std::string address;
    std::string listener;
    std::string software_name;
    std::string software_version;
  };
  std::function<Task<std::vector<Client>>()> clients = {};
  // Levels of the log by module, and how they are set; "*" is every other. On the shard.
  std::function<std::map<std::string, std::string>()> log_levels = {};
  std::function<Result<void>(const std::map<std::string, std::string>&)> set_log_levels = {};
};

class AdminServer {
 public:
  AdminServer(AdminOptions options, AdminSources sources, Shard& shard);
  ~AdminServer();

  // Binds and begins to accept. On the shard. invalid_config with a one-line reason when the address
  // is bad or taken.
  Result<void> start();
  // "127.0.0.1:9644" with the real port; valid after start().
  std::string endpoint() const;
  // Closes the listener and every connection, and waits for them to end. On the shard.
  Task<void> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tidegate::admin
