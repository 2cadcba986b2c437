#include "seaweed_cluster.h"

#include <algorithm>
#include <utility>

namespace tidegate::storage::seaweedmq {

SeaweedCluster::SeaweedCluster(EpochOf epoch_of) : epoch_of_(std::move(epoch_of)) {
  for (auto& owner : owners_) owner = kNobody;
}

unsigned SeaweedCluster::shard_of_group(std::string_view group) {
  return protocol::crc32c(as_bytes(group)) % kShards;
}

std::vector<Member> SeaweedCluster::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

Cluster::Owner SeaweedCluster::owner_of_shard(unsigned shard) const {
  return {.node = owners_[shard].load(), .epoch = epoch_of_(shard)};
}

Cluster::Owner SeaweedCluster::owner_of(const PartitionId& partition) const {
  return owner_of_shard(shard_of(partition));
}

Cluster::Owner SeaweedCluster::owner_of_group(std::string_view group) const {
  // What is ours by right may still be another's, whose memory of its groups counts until it lets go.
  const unsigned shard = shard_of_group(group);
  Owner owner = owner_of_shard(shard);
  if (owner.node == self_ && owner.epoch == 0) owner.node = kNobody;
  return owner;
}

void SeaweedCluster::update(std::vector<Member> members) {
  std::ranges::sort(members, {}, &Member::node);
  std::vector<NodeId> nodes;
  for (const Member& member : members) nodes.push_back(member.node);
  const auto leaders = share_out(nodes, kShards);
  for (unsigned shard = 0; shard < kShards; ++shard) owners_[shard] = leaders[shard];
  const std::lock_guard lock(mutex_);
  members_ = std::move(members);
}

void SeaweedCluster::on_lost(std::function<void(const PartitionId&)> listener) {
  const std::lock_guard lock(mutex_);
  lost_ = std::move(listener);
}

void SeaweedCluster::tell_lost(const PartitionId& partition) const {
  std::function<void(const PartitionId&)> lost;
  {
    const std::lock_guard lock(mutex_);
    lost = lost_;
  }
  if (lost) lost(partition);
}

}  // namespace tidegate::storage::seaweedmq
