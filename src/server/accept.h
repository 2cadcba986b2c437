// Accepts connections for every listener, on shard 0, within the limits on their number, and spreads
// them over the shards.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "shard_server.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/tcp.h"

namespace tidegate::server {

class Acceptors : public std::enable_shared_from_this<Acceptors> {
 public:
  Acceptors(ShardPool& pool, std::shared_ptr<ServerShared> shared);

  // The parts on the shards; before open().
  void set_shards(std::vector<std::shared_ptr<ShardServer>> shards);
  // Opens every listener, or none. On shard 0, as all that follows.
  Result<std::vector<Endpoint>> open();
  void start();
  void set_options(const ServerOptions& options) { options_ = options; }
  void close();
  // Why a listener takes no connections any more although nobody closed it; empty when all is well.
  const std::string& trouble() const { return trouble_; }
  // A connection, or one on its way to `shard`, has ended.
  void gone(unsigned shard, const std::string& address);
  // Resumes whenever a connection has ended.
  Event& someone_left() { return someone_left_; }
  // From any thread.
  std::size_t connections() const { return connections_.load(std::memory_order_relaxed); }

 private:
  static Task<void> accept_loop(std::shared_ptr<Acceptors> self, std::size_t listener);
  void take(AcceptedSocket accepted, std::size_t listener);
  bool refuse(const AcceptedSocket& accepted);
  void log_refusal(RefuseReason reason, const std::string& peer, const std::string& detail);
  unsigned least_loaded();

  ShardPool& pool_;
  std::shared_ptr<ServerShared> shared_;
  ServerOptions options_;  // with the limits as they are now
  std::vector<std::shared_ptr<ShardServer>> shards_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;
  std::vector<std::size_t> per_shard_;
  std::unordered_map<std::string, std::size_t> per_address_;
  std::atomic<std::size_t> connections_{0};
  unsigned next_shard_ = 0;
  bool closed_ = false;
  std::string trouble_;
  Event someone_left_;
  LogRateLimit log_limit_;
};

}  // namespace tidegate::server
