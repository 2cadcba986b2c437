// Finds the cluster: follows the leading master, keeps the list of filers and the filers' lock ring true,
// and says what is missing. It begins with nothing reachable and never gives up; while no master answers,
// what was known stays in use. Lives on one shard; view() may be called on any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rpc/call.h"
#include "rpc/filer_set.h"
#include "rpc/master_stream.h"
#include "rpc/options.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/event.h"

namespace tidegate::storage::seaweedmq {

struct ClusterView {
  bool connected = false;  // a leading master is being followed
  std::string leader;      // HOST:PORT of it, or of the last one
  std::string trouble;     // not connected: why
  std::vector<ServerAddress> filers;
  std::vector<std::string> brokers;  // HOST:GRPCPORT; only where they are looked for
  std::int64_t ring_version = 0;     // 0: no change of the ring was seen
  std::vector<std::string> ring;
};

class MasterClient {
 public:
  // Called on the shard when filers, brokers or ring have changed.
  using OnChange = std::function<void(const ClusterView&)>;

  MasterClient(Shard& shard, const ClientOptions& options, std::shared_ptr<Connector> connector,
               CallRegistry& calls, RpcMetrics& metrics, std::uint64_t seed, OnChange on_change);

  void start();       // on the shard
  Task<void> stop();  // on the shard; before the registry is closed
  ClusterView view() const;

 private:
  Task<void> run();
  // Follows the master at `address` until it is lost or leads no more; the leader it names, if another.
  Task<std::string> follow(std::string address);
  Task<void> listen(Endpoint& endpoint, std::string http_address);
  Task<Result<std::vector<std::string>>> poll_members(Endpoint& endpoint, const char* type);
  Task<Result<std::vector<ServerAddress>>> poll_filers(Endpoint& endpoint);
  Task<void> poll_brokers(Endpoint& endpoint);
  Task<Result<std::string>> ask_leader(Endpoint& endpoint);
  void apply(const master_pb::KeepConnectedResponse& message);
  void set_filers(std::vector<ServerAddress> filers);
  void lost(const std::string& why);
  Task<void> pause();
  std::shared_ptr<Endpoint> endpoint_of(const ServerAddress& address);
  MonoTime now() const { return shard_.clock().now(); }

  Shard& shard_;
  const ClientOptions options_;
  const std::shared_ptr<Connector> connector_;
  CallRegistry& calls_;
  RpcMetrics& metrics_;
  SeededRng rng_;
  const OnChange on_change_;
  std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;  // masters that were called, by address
  MasterStream* stream_ = nullptr;                              // the open one
  MonoTime warned_at_{};
  bool warned_ = false;
  bool stopping_ = false;
  bool running_ = false;
  Event stop_;
  Event stopped_;
  mutable std::mutex mutex_;
  ClusterView view_;  // written on the shard under the mutex
};

}  // namespace tidegate::storage::seaweedmq
