#include "assignors/sticky.h"

#include <algorithm>

namespace tidegate::groups::sticky {

Solution solve(const Problem& problem) {
  const auto same = [&](const Member& member) { return member.topics == problem.members.front().topics; };
  return std::ranges::all_of(problem.members, same) ? solve_equal(problem) : solve_unequal(problem);
}

void clean_owned(Problem& problem) {
  std::vector<std::vector<bool>> taken(problem.counts.size());
  for (std::size_t t = 0; t < taken.size(); ++t) taken[t].resize(static_cast<std::size_t>(problem.counts[t]));
  for (auto& member : problem.members) {
    std::erase_if(member.owned, [&](const Partition& partition) {
      if (!std::ranges::binary_search(member.topics, partition.topic)) return true;
      if (partition.index < 0 || partition.index >= problem.counts[partition.topic]) return true;
      auto entry = taken[partition.topic][static_cast<std::size_t>(partition.index)];
      if (entry) return true;
      entry = true;
      return false;
    });
    std::ranges::sort(member.owned);
  }
}

}  // namespace tidegate::groups::sticky
