// The assignors of KIP-848: range directly, uniform on the sticky core.
#include <algorithm>
#include <numeric>

#include "assignors/sticky.h"
#include "tidegate/groups/assignors.h"

namespace tidegate::groups {
namespace {

// Members by precedence: static ones first, since their names last; then dynamic ones by id.
std::vector<std::size_t> by_precedence(std::span<const AssignorMember> members) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const auto& left = members[a];
    const auto& right = members[b];
    if (left.instance_id && right.instance_id) return *left.instance_id < *right.instance_id;
    if (left.instance_id || right.instance_id) return left.instance_id.has_value();
    return left.member_id < right.member_id;
  });
  return order;
}

std::vector<TopicPartitions> grouped(const std::vector<sticky::Partition>& partitions,
                                     const std::vector<TopicId>& ids) {
  std::vector<TopicPartitions> topics;
  for (const auto& partition : partitions) {
    const auto& id = ids[partition.topic];
    if (topics.empty() || topics.back().topic != id) topics.push_back({.topic = id, .partitions = {}});
    topics.back().partitions.push_back(partition.index);
  }
  return topics;
}

}  // namespace

AssignorResult assign_range(std::span<const AssignorMember> members, const AssignorTopics& topics) {
  AssignorResult result(members.size());
  const auto order = by_precedence(members);
  // Topics ascending, so that every member's list comes out in order.
  for (const auto& [id, count] : topics) {
    std::vector<std::size_t> subscribers;
    for (const auto m : order) {
      if (std::ranges::binary_search(members[m].topics, id)) subscribers.push_back(m);
    }
    if (subscribers.empty()) continue;
    const auto shares = static_cast<std::int32_t>(subscribers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < shares && next < count; ++i) {
      const auto size = count / shares + (i < count % shares ? 1 : 0);
      TopicPartitions range{.topic = id,
                            .partitions = std::vector<std::int32_t>(static_cast<std::size_t>(size))};
      std::iota(range.partitions.begin(), range.partitions.end(), next);
      next += size;
      result[subscribers[static_cast<std::size_t>(i)]].push_back(std::move(range));
    }
  }
  return result;
}

AssignorResult assign_uniform(std::span<const AssignorMember> members, const AssignorTopics& topics) {
  std::vector<TopicId> ids;
  sticky::Problem problem;
  for (const auto& [id, count] : topics) {
    ids.push_back(id);
    problem.counts.push_back(std::max(count, 0));
  }
  const auto number_of = [&](const TopicId& id) -> std::optional<std::uint32_t> {
    const auto found = std::ranges::lower_bound(ids, id);
    if (found == ids.end() || *found != id) return std::nullopt;
    return static_cast<std::uint32_t>(found - ids.begin());
  };
  const auto order = by_precedence(members);
  for (const auto m : order) {
    auto& member = problem.members.emplace_back();
    for (const auto& id : members[m].topics) {
      if (const auto number = number_of(id)) member.topics.push_back(*number);
    }
    for (const auto& topic : members[m].owned) {
      const auto number = number_of(topic.topic);
      if (!number) continue;
      for (const auto partition : topic.partitions) member.owned.push_back({*number, partition});
    }
  }
  sticky::clean_owned(problem);
  const auto solution = sticky::solve(problem);
  AssignorResult result(members.size());
  for (std::size_t i = 0; i < order.size(); ++i) result[order[i]] = grouped(solution[i], ids);
  return result;
}

AssignorFunction find_assignor(std::string_view name) {
  if (name == "uniform") return assign_uniform;
  if (name == "range") return assign_range;
  return nullptr;
}

}  // namespace tidegate::groups
