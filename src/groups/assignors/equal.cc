// Everybody subscribes to the same topics: quotas say who keeps how many, and the rest is dealt out.
#include <algorithm>

#include "assignors/sticky.h"
#include "tidegate/base/assert.h"

namespace tidegate::groups::sticky {
namespace {

// Of one topic, the partitions in `taken` left out; appended in order.
void append_free(const std::vector<bool>& taken, std::uint32_t topic, std::vector<Partition>& out) {
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (!taken[i]) out.push_back({topic, static_cast<std::int32_t>(i)});
  }
}

}  // namespace

Solution solve_equal(const Problem& problem) {
  const auto& members = problem.members;
  Solution solution(members.size());
  if (members.empty()) return solution;
  std::size_t total = 0;
  std::vector<std::vector<bool>> taken(problem.counts.size());
  for (const auto topic : members.front().topics) {
    const auto count = static_cast<std::size_t>(problem.counts[topic]);
    total += count;
    taken[topic].resize(count);
  }

  // Those who own more than the least share keep one more as long as such places last: that is the most that
  // any balanced assignment can leave where it is.
  const std::size_t least = total / members.size();
  std::size_t extras = total % members.size();
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto& owned = members[m].owned;
    auto keep = std::min(owned.size(), least);
    if (owned.size() > least && extras > 0) {
      ++keep;
      --extras;
    }
    solution[m].assign(owned.begin(), owned.begin() + static_cast<std::ptrdiff_t>(keep));
    for (const auto& partition : solution[m])
      taken[partition.topic][static_cast<std::size_t>(partition.index)] = true;
  }

  std::vector<Partition> free;
  for (const auto topic : members.front().topics) append_free(taken[topic], topic, free);

  // Round by round, so that one topic's partitions are spread over members instead of piling up on one.
  std::vector<std::size_t> open;
  for (std::size_t m = 0; m < members.size(); ++m) {
    if (solution[m].size() <= least) open.push_back(m);
  }
  auto next = free.begin();
  while (next != free.end()) {
    TIDEGATE_ASSERT(!open.empty());
    std::erase_if(open, [&](std::size_t m) {
      if (next == free.end()) return true;
      const bool below = solution[m].size() < least;
      if (!below && (solution[m].size() > least || extras == 0)) return true;
      // Least shares and extras add up to the number of partitions, so neither can run short.
      if (!below) --extras;
      solution[m].push_back(*next++);
      return false;
    });
  }
  for (auto& partitions : solution) std::ranges::sort(partitions);
  return solution;
}

}  // namespace tidegate::groups::sticky
