#include "shard_server.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "connection.h"

namespace tidegate::server {

ShardServer::ShardServer(Shard& shard, std::shared_ptr<ServerShared> shared, std::size_t memory_bytes,
                         std::function<void(const std::string&)> connection_gone)
    : shard_(shard),
      shared_(std::move(shared)),
      api_metrics_(shared_->metrics, shared_->apis.rows()),
      budget_(memory_bytes),
      scratch_(std::make_unique_for_overwrite<std::uint8_t[]>(kScratchBytes)),
      log_limit_(shared_->clock, 5, 20),
      connection_gone_(std::move(connection_gone)),
      // Ids tell connections apart in logs, across shards.
      next_id_(static_cast<std::uint64_t>(shard.index()) << 48) {}

ShardServer::~ShardServer() = default;

void ShardServer::add(AcceptedSocket accepted, std::size_t endpoint) {
  const std::string address = accepted.peer_address;
  if (draining_) {
    metrics().refused[static_cast<std::size_t>(RefuseReason::draining)]->add();
    connection_gone_(address);
    return;
  }
  auto stream = make_tcp_stream(shard_, std::move(accepted));
  if (!stream) {
    metrics().refused[static_cast<std::size_t>(RefuseReason::no_resources)]->add();
    std::uint64_t suppressed = 0;
    if (may_log(suppressed)) {
      spdlog::warn("cannot serve a connection error=\"{}\" suppressed={}", stream.error().message,
                   suppressed);
    }
    connection_gone_(address);
    return;
  }
  metrics().connections.add(1);
  const std::uint64_t id = ++next_id_;
  auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(*stream), id, shared_->endpoints[endpoint]);
  connections_.emplace(id, connection);
  connection->start();
}

void ShardServer::begin_drain() {
  draining_ = true;
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->begin_drain();
}

void ShardServer::close_all(CloseReason reason) {
  draining_ = true;
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->close(reason);
}

void ShardServer::abandon() {
  auto all = std::exchange(connections_, {});
  for (const auto& [id, connection] : all) connection->abandon();
}

void ShardServer::forget(std::uint64_t id, const std::string& address) {
  if (connections_.erase(id) == 0) return;
  metrics().connections.add(-1);
  connection_gone_(address);
}

}  // namespace tidegate::server
