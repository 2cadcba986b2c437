// The gateways that share a SeaweedFS, as each of them sees it: who is there, by the sessions that were
// listed last, and who is to lead what. Views may differ for a moment; the fences decide who does lead. The
// engine brings it up to date on shard 0; it is read on any shard.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "shard_map.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::seaweedmq {

class SeaweedCluster final : public Cluster {
 public:
  static constexpr unsigned kShards = 256;
  // Of a shard: one above the epoch of its fence while this gateway holds it under its lease, else 0.
  using EpochOf = std::function<std::int32_t(unsigned shard)>;

  explicit SeaweedCluster(EpochOf epoch_of);

  const std::string& cluster_id() const override { return cluster_id_; }
  NodeId self() const override { return self_; }
  std::vector<Member> members() const override;
  bool has_peers() const override { return true; }
  Owner owner_of(const PartitionId& partition) const override;
  bool may_tell(const PartitionId& partition) const override { return epoch_of_(shard_of(partition)) != 0; }
  Owner owner_of_group(std::string_view group) const override;
  // Called on the partition's shard.
  void on_lost(std::function<void(const PartitionId&)> listener) override;

  static unsigned shard_of(const PartitionId& partition) { return owner_shard(partition, kShards); }
  static unsigned shard_of_group(std::string_view group);
  bool is_ours(unsigned shard) const { return owners_[shard].load() == self_; }

  // Before anybody reads it.
  void introduce(NodeId self) { self_ = self; }
  void set_cluster_id(std::string id) { cluster_id_ = std::move(id); }
  void update(std::vector<Member> members);
  void tell_lost(const PartitionId& partition) const;

 private:
  Owner owner_of_shard(unsigned shard) const;

  const EpochOf epoch_of_;
  std::string cluster_id_;
  NodeId self_ = kNobody;
  std::array<std::atomic<NodeId>, kShards> owners_;
  mutable std::mutex mutex_;
  std::vector<Member> members_;                   // under mutex_, by node
  std::function<void(const PartitionId&)> lost_;  // under mutex_
};

}  // namespace tidegate::storage::seaweedmq
