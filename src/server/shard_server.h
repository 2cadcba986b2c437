// The server's part on one shard: the connections that live there and what they share. Made by Server,
// kept alive by each connection. Used on its shard only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "api_index.h"
#include "response_memory.h"
#include "server_metrics.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/runtime/memory_budget.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/tcp.h"
#include "tidegate/server/server.h"

namespace tidegate::server {

class Connection;

// What is the same on every shard. Immutable once the server has started, but for the broker's arrival.
struct ServerShared {
  ServerShared(ServerOptions server_options, std::span<const api::ApiRow> rows,
               broker::Broker* handlers_broker, const Clock& time, MetricRegistry& registry)
      : options(std::move(server_options)),
        apis(rows),
        broker(handlers_broker),
        serving(!options.waits_for_broker),
        clock(time),
        metrics(registry) {}

  const ServerOptions options;
  const ApiIndex apis;
  std::atomic<broker::Broker*> broker;
  std::atomic<bool> serving;  // set after the broker
  const Clock& clock;
  ServerMetrics metrics;
  std::vector<Endpoint> endpoints;
};

// One read goes into this much memory that all connections of a shard share.
inline constexpr std::size_t kScratchBytes = 64 * 1024;

class ShardServer : public std::enable_shared_from_this<ShardServer> {
 public:
  // `connection_gone` is told the address of each connection that has closed, on this shard.
  // `memory_bytes` and `response_bytes` are this shard's shares.
  ShardServer(Shard& shard, std::shared_ptr<ServerShared> shared, std::size_t memory_bytes,
              std::size_t response_bytes, std::function<void(const std::string&)> connection_gone);
  ~ShardServer();

  // Takes over an accepted socket.
  void add(AcceptedSocket accepted, std::size_t endpoint);
  // No new requests: connections close as soon as they have answered what they have.
  void begin_drain();
  void close_all(CloseReason reason);
  // Lets go of connections that are still there when the shard's thread has stopped.
  void abandon();
  std::size_t size() const { return connections_.size(); }
  std::vector<ConnectedClient> clients(std::size_t limit) const;

  Shard& shard() { return shard_; }
  // The limits as they are now; the rest is what the server started with.
  const ServerOptions& options() const { return options_; }
  void set_options(const ServerOptions& options) { options_ = options; }
  ServerShared& shared() { return *shared_; }
  ServerMetrics& metrics() { return shared_->metrics; }
  ApiMetrics& api_metrics() { return api_metrics_; }
  MemoryBudget& budget() { return budget_; }
  ResponseMemory& responses() { return responses_; }
  MonoTime now() const { return shared_->clock.now(); }
  // The caller must be done with it before it suspends.
  MutableByteView scratch() { return {scratch_.get(), kScratchBytes}; }

  // A log line that a client can bring about. False when it is left out.
  bool may_log(std::uint64_t& suppressed) { return log_limit_.allow(suppressed); }
  bool may_log_slow(std::uint64_t& suppressed) { return slow_log_limit_.allow(suppressed); }
  // For Connection, when it has closed.
  void forget(std::uint64_t id, const std::string& address);

 private:
  void responses_changed(bool full);
  void watch_holders();
  void close_holders(MonoTime since);

  Shard& shard_;
  std::shared_ptr<ServerShared> shared_;
  ServerOptions options_;
  ApiMetrics api_metrics_;
  MemoryBudget budget_;
  ResponseMemory responses_;
  std::unique_ptr<std::uint8_t[]> scratch_;
  LogRateLimit log_limit_;
  LogRateLimit slow_log_limit_;
  std::function<void(const std::string&)> connection_gone_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 0;
  TimerId holders_timer_ = kNoTimer;
  bool draining_ = false;
};

}  // namespace tidegate::server
