#include "server_options.h"

namespace tidegate::app {

server::ServerOptions make_server_options(const ConfigValues& config,
                                          const std::vector<Listener>& listeners) {
  const auto size = [&](std::string_view key) { return static_cast<std::size_t>(config.integer(key)); };
  const auto ms = [&](std::string_view key) { return std::chrono::milliseconds(config.integer(key)); };
  server::ServerOptions options;
  for (const auto& listener : listeners) {
    options.listeners.push_back({listener.name, listener.bind.host, listener.bind.port,
                                 listener.advertised.host, listener.advertised.port});
  }
  options.listen_backlog = static_cast<int>(config.integer("socket.listen.backlog.size"));
  options.max_request_bytes = size("socket.request.max.bytes");
  options.max_request_bytes_unauthenticated = size("socket.request.max.bytes.unauthenticated");
  options.request_memory_bytes = size("queued.max.request.bytes");
  options.max_connections = size("max.connections");
  options.max_connections_per_address = size("max.connections.per.ip");
  options.idle_timeout = ms("connections.max.idle.ms");
  options.max_in_flight_requests = size("connection.max.in.flight.requests");
  options.max_queued_response_bytes = size("connection.max.queued.response.bytes");
  options.response_memory_bytes = size("response.max.queued.bytes");
  options.write_stall_timeout = ms("connection.write.stall.ms");
  options.slow_request = ms("request.log.slow.ms");
  options.frame_timeout = ms("connection.frame.timeout.ms");
  return options;
}

}  // namespace tidegate::app
