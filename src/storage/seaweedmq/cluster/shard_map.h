// Which gateway leads which shard of the cluster: rendezvous hashing, so that every gateway that sees the
// same members gives the same answer, and one that comes or goes moves its own part alone. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tidegate/base/ids.h"

namespace tidegate::storage::seaweedmq {

inline constexpr NodeId kNobody = -1;

// The finalizer of splitmix64: part of what gateways have to agree on, as the seeds below.
constexpr std::uint64_t share_weight(NodeId node, unsigned shard) {
  std::uint64_t mixed = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(node)) << 32) | shard;
  mixed += 0x9E3779B97F4A7C15U;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31);
}

// For each shard its gateway; kNobody for all while there is none. The order of `nodes` does not matter.
inline std::vector<NodeId> share_out(std::span<const NodeId> nodes, unsigned shards) {
  std::vector<NodeId> leaders(shards, kNobody);
  for (unsigned shard = 0; shard < shards; ++shard) {
    std::uint64_t heaviest = 0;
    for (const NodeId node : nodes) {
      const std::uint64_t weight = share_weight(node, shard);
      const bool wins =
          leaders[shard] == kNobody || weight > heaviest || (weight == heaviest && node < leaders[shard]);
      if (!wins) continue;
      leaders[shard] = node;
      heaviest = weight;
    }
  }
  return leaders;
}

}  // namespace tidegate::storage::seaweedmq
