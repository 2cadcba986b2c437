// Assignors over random groups that change: what holds for every answer.
#include <gtest/gtest.h>

#include <limits>

#include "assignor_support.h"
#include "assignors/sticky.h"

namespace tidegate::groups {
namespace {

using testing::RandomGroup;

constexpr std::uint64_t kSeeds = 150;
constexpr int kRounds = 8;

// Runs `check(group, result)` over walks of groups; `group.members[].owned` is what they had before.
template <class Check>
void walk(AssignorFunction assign, bool equal, Check check) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SeededRng rng(seed);
    auto group = testing::random_group(rng, equal);
    int next_member = 0;
    for (int round = 0; round < kRounds; ++round) {
      const auto result = assign(group.members, group.topics);
      ASSERT_EQ(testing::flaw_in(group, result), "") << "seed " << seed << " round " << round;
      check(group, result);
      if (::testing::Test::HasFailure()) FAIL() << "seed " << seed << " round " << round;
      testing::adopt(group, result);
      testing::churn(rng, group, equal, next_member);
    }
  }
}

// The least number of moves that any assignment with loads within one can do with.
int least_moves(const RandomGroup& group) {
  int total = 0;
  for (const auto& topic : group.members.front().topics) total += group.topics.at(topic);
  const int share = total / static_cast<int>(group.members.size());
  int extras = total % static_cast<int>(group.members.size());
  int owned = 0;
  int kept = 0;
  for (const auto& member : group.members) {
    const int has = testing::load(member.owned);
    owned += has;
    kept += std::min(has, share);
    if (has > share && extras > 0) {
      ++kept;
      --extras;
    }
  }
  return owned - kept;
}

TEST(AssignorWalk, UniformWithEqualSubscriptions_IsBalancedAndMovesTheLeast) {
  walk(&assign_uniform, true, [](const RandomGroup& group, const AssignorResult& result) {
    auto [least, most] = std::pair{std::numeric_limits<int>::max(), 0};
    for (const auto& topics : result) {
      least = std::min(least, testing::load(topics));
      most = std::max(most, testing::load(topics));
    }
    EXPECT_LE(most - least, 1);
    EXPECT_EQ(testing::moved(group, result), least_moves(group));
  });
}

// Whether some chain leads from `from` to a member with at least two partitions less.
bool could_be_leveled(const RandomGroup& group, const AssignorResult& result, std::size_t from) {
  std::vector<std::size_t> queue{from};
  std::set<std::size_t> seen{from};
  for (std::size_t at = 0; at < queue.size(); ++at) {
    for (const auto& topic : result[queue[at]]) {
      for (std::size_t m = 0; m < group.members.size(); ++m) {
        if (!std::ranges::binary_search(group.members[m].topics, topic.topic)) continue;
        if (testing::load(result[m]) + 2 <= testing::load(result[from])) return true;
        if (seen.insert(m).second) queue.push_back(m);
      }
    }
  }
  return false;
}

TEST(AssignorWalk, UniformWithDifferentSubscriptions_CannotBeMoreEqual) {
  walk(&assign_uniform, false, [](const RandomGroup& group, const AssignorResult& result) {
    for (std::size_t m = 0; m < result.size(); ++m) EXPECT_FALSE(could_be_leveled(group, result, m)) << m;
  });
}

TEST(AssignorWalk, UniformWithNothingChanged_MovesNothing) {
  for (const bool equal : {true, false}) {
    walk(&assign_uniform, equal, [](const RandomGroup& group, const AssignorResult& result) {
      auto settled = group;
      testing::adopt(settled, result);
      EXPECT_EQ(assign_uniform(settled.members, settled.topics), result);
    });
  }
}

TEST(AssignorWalk, UniformWhenOneLeaves_MovesOnlyWhatItHad) {
  walk(&assign_uniform, true, [](const RandomGroup& group, const AssignorResult& result) {
    auto smaller = group;
    testing::adopt(smaller, result);
    smaller.members.pop_back();
    if (smaller.members.empty()) return;
    const auto next = assign_uniform(smaller.members, smaller.topics);
    for (std::size_t m = 0; m < next.size(); ++m) {
      for (const auto& topic : result[m]) {
        const auto still = std::ranges::find(next[m], topic.topic, &TopicPartitions::topic);
        ASSERT_NE(still, next[m].end());
        EXPECT_TRUE(std::ranges::includes(still->partitions, topic.partitions));
      }
    }
  });
}

TEST(AssignorWalk, Range_IsContiguousAndCoPartitioned) {
  for (const bool equal : {true, false}) {
    walk(&assign_range, equal, [equal](const RandomGroup& group, const AssignorResult& result) {
      for (const auto& topics : result) {
        std::map<std::int32_t, std::vector<std::int32_t>> by_count;
        for (const auto& topic : topics) {
          const auto span = topic.partitions.back() - topic.partitions.front() + 1;
          EXPECT_EQ(static_cast<std::size_t>(span), topic.partitions.size());
          if (!equal) continue;
          const auto [same, is_new] = by_count.emplace(group.topics.at(topic.topic), topic.partitions);
          EXPECT_EQ(same->second, topic.partitions) << "topics of one size share partition numbers";
        }
      }
    });
  }
}

// The general solver, given equal subscriptions, must be as good as the exact one.
TEST(AssignorWalk, BothSolvers_AgreeOnEqualSubscriptions) {
  walk(&assign_uniform, true, [](const RandomGroup& group, const AssignorResult&) {
    sticky::Problem problem;
    std::vector<TopicId> ids;
    for (const auto& [id, count] : group.topics) {
      ids.push_back(id);
      problem.counts.push_back(count);
    }
    for (const auto& member : group.members) {
      auto& copy = problem.members.emplace_back();
      for (std::uint32_t t = 0; t < ids.size(); ++t) copy.topics.push_back(t);
      for (const auto& topic : member.owned) {
        const auto number = std::ranges::find(ids, topic.topic) - ids.begin();
        for (const auto p : topic.partitions) copy.owned.push_back({static_cast<std::uint32_t>(number), p});
      }
    }
    const auto score = [&](const sticky::Solution& solution) {
      std::size_t squares = 0;
      std::size_t kept = 0;
      for (std::size_t m = 0; m < solution.size(); ++m) {
        squares += solution[m].size() * solution[m].size();
        for (const auto& p : solution[m])
          kept += std::ranges::binary_search(problem.members[m].owned, p) ? 1U : 0U;
      }
      return std::pair{squares, kept};
    };
    EXPECT_EQ(score(sticky::solve_unequal(problem)), score(sticky::solve_equal(problem)));
  });
}

std::vector<CooperativeMember> as_clients(const RandomGroup& group, std::int32_t generation) {
  std::vector<CooperativeMember> clients;
  for (const auto& member : group.members) {
    auto& client = clients.emplace_back();
    client.member_id = member.member_id;
    client.subscription.generation_id = generation;
    for (const auto& topic : member.topics) client.subscription.topics.push_back(topic.to_string());
    for (const auto& topic : member.owned) {
      client.subscription.owned_partitions.push_back({topic.topic.to_string(), topic.partitions});
    }
  }
  return clients;
}

AssignorResult from_clients(const std::vector<std::vector<NamedTopicPartitions>>& named) {
  AssignorResult result;
  for (const auto& topics : named) {
    auto& member = result.emplace_back();
    for (const auto& topic : topics) member.push_back({*Uuid::parse(topic.topic), topic.partitions});
    std::ranges::sort(member, {}, &TopicPartitions::topic);
  }
  return result;
}

TEST(AssignorWalk, CooperativeSticky_NeverGivesWhatIsOwnedAndConvergesInTwoRounds) {
  for (const bool equal : {true, false}) {
    walk(&assign_uniform, equal, [](const RandomGroup& group, const AssignorResult&) {
      std::map<std::string, std::int32_t, std::less<>> counts;
      for (const auto& [id, count] : group.topics) counts[id.to_string()] = count;
      auto state = group;
      auto first = from_clients(assign_cooperative_sticky(as_clients(state, 1), counts));
      EXPECT_EQ(testing::moved(state, first), 0) << "nothing changes hands while it is owned";
      testing::adopt(state, first);
      const auto second = from_clients(assign_cooperative_sticky(as_clients(state, 2), counts));
      EXPECT_EQ(testing::flaw_in(state, second), "");
      EXPECT_EQ(testing::moved(state, second), 0) << "the second round only hands out what is free";
      EXPECT_EQ(testing::imbalance(second), testing::imbalance(assign_uniform(group.members, group.topics)));
    });
  }
}

}  // namespace
}  // namespace tidegate::groups
