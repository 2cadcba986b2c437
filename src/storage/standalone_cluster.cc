#include "tidegate/storage/standalone_cluster.h"

#include <utility>

namespace tidegate::storage {

StandaloneCluster::StandaloneCluster(std::string cluster_id, Member self)
    : cluster_id_(std::move(cluster_id)), self_(std::move(self)) {}

Cluster::Owner StandaloneCluster::owner_of(const PartitionId&) const {
  return {.node = self_.node, .epoch = 0};
}

Cluster::Owner StandaloneCluster::owner_of_group(std::string_view) const {
  return {.node = self_.node, .epoch = 0};
}

void StandaloneCluster::on_lost(std::function<void(const PartitionId&)>) {}

}  // namespace tidegate::storage
