// The Kafka listeners and their connections. app/ makes one Server after the broker has started (or before,
// where storage may be long in coming), starts it, and drains it before the broker stops. Connections are
// spread over the shards and stay there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tidegate/api/api_table.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"

namespace tidegate::server {

struct ListenerOptions {
  std::string name = "PLAINTEXT";
  std::string host = "127.0.0.1";     // address, name, "" or "0.0.0.0" or "::"
  std::uint16_t port = 9092;          // 0 picks one
  std::string advertised_host;        // empty: the host above
  std::uint16_t advertised_port = 0;  // 0: the port that was bound
};

// Every limit of a connection and of all together; in brackets the setting that it comes from.
struct ServerOptions {
  std::vector<ListenerOptions> listeners;
  int listen_backlog = 1024;                                      // socket.listen.backlog.size
  std::size_t max_request_bytes = 104'857'600;                    // socket.request.max.bytes
  std::size_t max_request_bytes_unauthenticated = 524'288;        // socket.request.max.bytes.unauthenticated
  std::size_t request_memory_bytes = std::size_t{512} << 20;      // queued.max.request.bytes, all shards
  std::size_t max_connections = 16'384;                           // max.connections
  std::size_t max_connections_per_address = 4'096;                // max.connections.per.ip
  Duration idle_timeout = std::chrono::minutes(10);               // connections.max.idle.ms
  std::size_t max_in_flight_requests = 64;                        // connection.max.in.flight.requests
  std::size_t max_queued_response_bytes = std::size_t{64} << 20;  // connection.max.queued.response.bytes
  std::size_t response_memory_bytes = std::size_t{128} << 20;     // response.max.queued.bytes, all shards
  Duration write_stall_timeout = std::chrono::minutes(1);         // connection.write.stall.ms
  Duration frame_timeout = std::chrono::minutes(1);               // connection.frame.timeout.ms
  Duration slow_request = std::chrono::seconds(1);                // request.log.slow.ms; zero: none is logged
  bool waits_for_broker = false;                                  // clients are put off until serve()
  NodeId node = 0;                                                // node.id, told to clients meanwhile
};

// Where clients connect, with the real ports.
struct Endpoint {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::string advertised_host;
  std::uint16_t advertised_port = 0;
};

// A connection, for people.
struct ConnectedClient {
  std::string address;  // without port
  std::string listener;
  std::string software_name;  // as it says (KIP-511); "unknown"
  std::string software_version;
};

class Server {
 public:
  // `rows`, `broker`, `shards`, `clock` and `metrics` outlive the server. `broker` is only handed on.
  Server(ServerOptions options, std::span<const api::ApiRow> rows, broker::Broker* broker, ShardPool& shards,
         const Clock& clock, MetricRegistry& metrics);
  // After drain() or stop_now() and, if it was started, after the shards have stopped.
  ~Server();
  Server(const Server&) = delete;

  // Opens every listener, or none: invalid_config with a one-line message. On a shard.
  Task<Result<void>> start();
  // With waits_for_broker: from now on requests are served. Any thread; once.
  void serve(broker::Broker* broker);
  // Takes over every limit that is not a share of memory: new connections and what comes on open ones go by
  // it, a timer that runs already by what it was armed with. On shard 0.
  Task<void> set_limits(ServerOptions options);
  // In the order of the options. Valid after start().
  const std::vector<Endpoint>& endpoints() const;

  // Stops accepting and reading, lets requests under way finish and their answers leave, closes. What is
  // not done at `deadline` is cut off. On a shard; once.
  Task<void> drain(MonoTime deadline);
  // Closes everything at once. From any thread, at any time after start().
  void stop_now();

  // Why a listener has stopped by itself, in one line; empty when all accept. On shard 0.
  const std::string& trouble() const;

  // At most `limit` connections of each shard, in no order. On shard 0, after start().
  Task<std::vector<ConnectedClient>> clients(std::size_t limit) const;

  // Open connections, for tests and the admin page. From any thread.
  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tidegate::server
