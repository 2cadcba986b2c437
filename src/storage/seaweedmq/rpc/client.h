// A SeaweedFS cluster as the engine sees it: finds masters and filers, speaks to them and to the volume
// servers, says what is missing. start() and stop() on shard 0; filer(), locks() and volumes() may be used on
// any shard, between the two.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "rpc/broker_client.h"
#include "rpc/filer_client.h"
#include "rpc/filer_stores.h"
#include "rpc/master_client.h"
#include "rpc/volume_client.h"
#include "rpc/volume_watch.h"
#include "tidegate/base/metrics.h"
#include "tidegate/runtime/shard.h"

namespace tidegate::storage::seaweedmq {

class Client {
 public:
  // invalid_config for options that can never work.
  static Result<std::unique_ptr<Client>> make(ShardPool& pool, const ClientOptions& options,
                                              MetricRegistry& metrics, std::uint64_t seed);
  // stop() must have returned, or start() never been called.
  ~Client();

  // Returns at once, whatever is reachable.
  Task<void> start();
  // Ends every call in flight; those made later fail.
  Task<void> stop();

  Filer& filer() { return filer_; }
  Locks& locks() { return filer_; }
  FilerClient& filer_client() { return filer_; }
  Volumes& volumes() { return by_shard_; }
  // Knows of brokers where the options say that they are looked for.
  BrokerClient& brokers() { return brokers_; }
  bool finds_brokers() const { return options_.find_brokers; }
  Backend backend() { return {filer_, by_shard_}; }

  ClusterView view() const { return master_->view(); }
  // Empty when everything that is needed answers; else what is missing, for /readyz. Any shard.
  std::string missing() const;
  FilerStores& stores() { return stores_; }
  // Called on shard 0 when other filers than before own the keys of the ring, and nothing says that they keep
  // one store. Set before start().
  void on_ring_change(std::function<void()> listener) { on_ring_change_ = std::move(listener); }
  // Called on shard 0 when filers or their ring have changed. Set before start().
  void on_change(MasterClient::OnChange listener) { listener_ = std::move(listener); }

 private:
  // Volumes for everybody: the volume client of the shard that calls.
  class ByShard final : public Volumes {
   public:
    explicit ByShard(Client& client) : client_(client) {}
    Task<Result<Assigned>> assign(std::string path) override;
    Task<Result<void>> upload(Assigned to, std::vector<SharedBuffer> pieces) override;
    Task<Result<std::optional<SharedBuffer>>> download(std::string file_id, std::uint64_t offset,
                                                       std::uint64_t size_bytes) override;
    Task<void> discard(std::vector<std::string> file_ids) override;

   private:
    VolumeClient& here();
    Client& client_;
  };

  Client(ShardPool& pool, const ClientOptions& options, std::shared_ptr<Connector> connector,
         MetricRegistry& metrics, std::uint64_t seed);
  void changed(const ClusterView& view);
  void note_members(std::vector<std::string>& known, std::vector<std::string> members);
  Task<Result<void>> probe_volumes();

  ShardPool& pool_;
  const ClientOptions options_;
  const std::shared_ptr<Connector> connector_;
  const Clock& clock_;
  RpcMetrics metrics_;
  SeededRng seeds_;
  FilerSet filers_;
  CallRegistry calls_;
  FilerClient filer_;
  BrokerClient brokers_;
  FilerStores stores_;
  MasterClient::OnChange listener_;
  std::function<void()> on_ring_change_;
  std::vector<std::string> known_filers_;  // HOST:GRPCPORT, sorted
  std::vector<std::string> known_ring_;
  std::unique_ptr<MasterClient> master_;
  std::vector<std::unique_ptr<VolumeClient>> volumes_;  // by shard, each touched on its own
  ByShard by_shard_{*this};
  VolumeWatch watch_;
};

}  // namespace tidegate::storage::seaweedmq
