// Client-side cooperative-sticky (KIP-429) on the sticky core: settle whose claims count, balance, and hold
// back what changes hands.
#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "assignors/sticky.h"
#include "tidegate/groups/assignors.h"

namespace tidegate::groups {
namespace {

using Counts = std::map<std::string, std::int32_t, std::less<>>;

// The newest generation in which each partition is claimed, and by whom.
struct Claim {
  std::int32_t generation = std::numeric_limits<std::int32_t>::min();
  std::vector<std::uint32_t> members;
};
using Claims = std::map<sticky::Partition, Claim>;

struct Names {
  explicit Names(const Counts& counts) {
    for (const auto& [name, count] : counts) sorted.push_back(name);
  }
  std::optional<std::uint32_t> number_of(std::string_view name) const {
    const auto found = std::ranges::lower_bound(sorted, name);
    if (found == sorted.end() || *found != name) return std::nullopt;
    return static_cast<std::uint32_t>(found - sorted.begin());
  }
  std::vector<std::string> sorted;
};

Claims claims_of(std::span<const CooperativeMember> members, const std::vector<std::size_t>& order,
                 const Names& names) {
  Claims claims;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    const auto& subscription = members[order[i]].subscription;
    for (const auto& topic : subscription.owned_partitions) {
      const auto number = names.number_of(topic.topic);
      if (!number) continue;
      for (const auto partition : topic.partitions) {
        auto& claim = claims[{*number, partition}];
        if (subscription.generation_id > claim.generation) claim = {subscription.generation_id, {}};
        if (subscription.generation_id == claim.generation) claim.members.push_back(i);
      }
    }
  }
  return claims;
}

// True when a claim that counts stands between the member and the partition.
bool held_by_other(const Claims& claims, const sticky::Partition& partition, std::uint32_t member) {
  const auto claim = claims.find(partition);
  if (claim == claims.end()) return false;
  return std::ranges::any_of(claim->second.members, [&](std::uint32_t other) { return other != member; });
}

}  // namespace

std::vector<std::vector<NamedTopicPartitions>> assign_cooperative_sticky(
    std::span<const CooperativeMember> members, const Counts& partition_counts) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t m) -> const std::string& { return members[m].member_id; });

  const Names names(partition_counts);
  sticky::Problem problem;
  for (const auto& [name, count] : partition_counts) problem.counts.push_back(std::max(count, 0));
  for (const auto m : order) {
    std::set<std::uint32_t> topics;
    for (const auto& name : members[m].subscription.topics) {
      if (const auto number = names.number_of(name)) topics.insert(*number);
    }
    problem.members.push_back({.topics = {topics.begin(), topics.end()}, .owned = {}});
  }
  const auto claims = claims_of(members, order, names);
  for (const auto& [partition, claim] : claims) {
    // Two owners in one generation: neither is believed, and nobody gets it before both have let go.
    if (claim.members.size() == 1) problem.members[claim.members.front()].owned.push_back(partition);
  }
  sticky::clean_owned(problem);
  const auto solution = sticky::solve(problem);

  std::vector<std::vector<NamedTopicPartitions>> result(members.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    auto& topics = result[order[i]];
    for (const auto& partition : solution[i]) {
      if (held_by_other(claims, partition, i)) continue;
      const auto& name = names.sorted[partition.topic];
      if (topics.empty() || topics.back().topic != name) topics.push_back({.topic = name, .partitions = {}});
      topics.back().partitions.push_back(partition.index);
    }
  }
  return result;
}

}  // namespace tidegate::groups
