// The balancing core under uniform and cooperative-sticky: members and topics are plain numbers here, so
// that both the id-keyed and the name-keyed assignor use it. Equal subscriptions are solved exactly in
// linear time (equal.cc), others by moving along chains (unequal.cc).
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace tidegate::groups::sticky {

struct Partition {
  std::uint32_t topic = 0;
  std::int32_t index = 0;

  auto operator<=>(const Partition&) const = default;
};

struct Member {
  std::vector<std::uint32_t> topics;  // ascending, none twice, all below Problem::counts.size()
  std::vector<Partition> owned;       // ascending; subscribed, existing, owned by nobody else
};

struct Problem {
  std::vector<std::int32_t> counts;  // partitions of each topic
  std::vector<Member> members;       // earlier ones win ties
};

// Partitions of each member, ascending. Topics that nobody subscribes to are left out.
using Solution = std::vector<std::vector<Partition>>;

Solution solve(const Problem& problem);

// The parts, for tests that compare them.
Solution solve_equal(const Problem& problem);
Solution solve_unequal(const Problem& problem);

// Takes out of every `owned` what the member may not keep (not subscribed, not there, owned by an earlier
// member too) and sorts it.
void clean_owned(Problem& problem);

}  // namespace tidegate::groups::sticky
