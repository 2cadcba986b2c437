#include "shard_server.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "connection.h"
#include "tidegate/base/module_log.h"

namespace tidegate::server {
namespace {

// While there is no memory for answers, a client that takes its own slower than this only holds memory.
constexpr std::uint64_t kMinBytesPerSecond = 64 * 1024;
// Looks at them in the write-stall time: one client must not stop a shard for all of it.
constexpr int kLooksPerStallTimeout = 10;

}  // namespace

ShardServer::ShardServer(Shard& shard, std::shared_ptr<ServerShared> shared, std::size_t memory_bytes,
                         std::size_t response_bytes, std::function<void(const std::string&)> connection_gone)
    : shard_(shard),
      shared_(std::move(shared)),
      options_(shared_->options),
      api_metrics_(shared_->metrics, shared_->apis.rows()),
      budget_(memory_bytes),
      responses_(response_bytes, shared_->metrics.response_memory_bytes,
                 [this](bool full) { responses_changed(full); }),
      scratch_(std::make_unique_for_overwrite<std::uint8_t[]>(kScratchBytes)),
      log_limit_(shared_->clock, 5, 20),
      slow_log_limit_(shared_->clock, 1, 10),
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
      module_log().warn("cannot serve a connection error=\"{}\" suppressed={}", stream.error().message,
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

// Connections look at full() themselves before they read; those that have stopped must be woken.
void ShardServer::responses_changed(bool full) {
  if (full) {
    // Later: what the sockets take of the newest answer at once is not progress of its reader.
    boost::asio::post(shard_.context(), [self = shared_from_this()] {
      if (self->responses_.full() && self->holders_timer_ == kNoTimer) self->watch_holders();
    });
    return;
  }
  shard_.timers().cancel(std::exchange(holders_timer_, kNoTimer));
  for (const auto& [id, connection] : connections_) connection->open_read_gate();
}

void ShardServer::watch_holders() {
  for (const auto& [id, connection] : connections_) connection->mark_sent();
  const MonoTime since = now();
  const Duration period = options().write_stall_timeout / kLooksPerStallTimeout;
  holders_timer_ = shard_.timers().arm(since + period, [this, since] {
    holders_timer_ = kNoTimer;
    const auto self = shared_from_this();
    close_holders(since);
    if (responses_.full()) watch_holders();
  });
}

// The largest first, and no more than it takes.
void ShardServer::close_holders(MonoTime since) {
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now() - since).count();
  const std::uint64_t least =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(waited) * kMinBytesPerSecond / 1000);
  std::vector<std::shared_ptr<Connection>> holders;
  for (const auto& [id, connection] : connections_) {
    if (connection->holds_back(since, least)) holders.push_back(connection);
  }
  std::ranges::sort(holders, std::ranges::greater{},
                    [](const auto& holder) { return holder->charged_bytes(); });
  for (const auto& holder : holders) {
    if (!responses_.full()) return;
    holder->close(CloseReason::write_stall, "the client takes its answers slowly and others wait for memory");
  }
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

std::vector<ConnectedClient> ShardServer::clients(std::size_t limit) const {
  std::vector<ConnectedClient> out;
  for (const auto& [id, connection] : connections_) {
    if (out.size() == limit) break;
    const auto& session = connection->session();
    out.push_back({.address = session.peer_address,
                   .listener = session.listener,
                   .software_name = session.software_name,
                   .software_version = session.software_version});
  }
  return out;
}

}  // namespace tidegate::server
