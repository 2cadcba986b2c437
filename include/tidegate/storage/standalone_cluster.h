// The cluster of one process alone: it owns every partition and group, for ever, in epoch 0.
// Made by app/ once the engine has started (which knows the cluster id) and the listeners are bound
// (their ports are the endpoints). Immutable afterwards, so every shard may read it.
#pragma once

#include <string>
#include <vector>

#include "tidegate/storage/engine.h"

namespace tidegate::storage {

class StandaloneCluster final : public Cluster {
 public:
  StandaloneCluster(std::string cluster_id, Member self);

  const std::string& cluster_id() const override { return cluster_id_; }
  NodeId self() const override { return self_.node; }
  std::vector<Member> members() const override { return {self_}; }
  Owner owner_of(const PartitionId& partition) const override;
  Owner owner_of_group(std::string_view group) const override;
  // Never calls: nothing is ever lost to another node.
  void on_lost(std::function<void(const PartitionId&)> listener) override;

 private:
  const std::string cluster_id_;
  const Member self_;
};

}  // namespace tidegate::storage
