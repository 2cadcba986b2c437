// Random groups for assignors, and what any answer must fulfil. Used by the tests and the comparison with
// Kafka's own assignors.
#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/groups/assignors.h"

namespace tidegate::groups::testing {

inline TopicId topic_id(std::uint32_t number) {
  TopicId id;
  for (int i = 0; i < 4; ++i)
    id.bytes[static_cast<std::size_t>(12 + i)] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  id.bytes[0] = 1;
  return id;
}

template <class Topics>
int load(const Topics& topics) {
  return std::accumulate(topics.begin(), topics.end(), 0, [](int sum, const auto& topic) {
    return sum + static_cast<int>(topic.partitions.size());
  });
}

struct RandomGroup {
  std::vector<AssignorMember> members;
  AssignorTopics topics;
};

inline std::vector<TopicId> random_topics(Rng& rng, const AssignorTopics& topics, bool all) {
  std::vector<TopicId> chosen;
  for (const auto& [id, count] : topics) {
    if (all || rng.below(2) == 0) chosen.push_back(id);
  }
  return chosen;
}

inline RandomGroup random_group(Rng& rng, bool equal) {
  RandomGroup group;
  const auto topics = 1 + rng.below(6);
  for (std::uint32_t t = 0; t < topics; ++t)
    group.topics[topic_id(t)] = static_cast<std::int32_t>(1 + rng.below(9));
  const auto members = 1 + rng.below(9);
  for (std::uint64_t m = 0; m < members; ++m) {
    auto& member = group.members.emplace_back();
    member.member_id = "m" + std::to_string(m);
    if (rng.below(4) == 0)
      member.instance_id = "i" + std::to_string(rng.below(1000)) + "-" + std::to_string(m);
    member.topics = random_topics(rng, group.topics, equal);
  }
  return group;
}

// Members that leave, come, or change what they subscribe to; topics that grow.
inline void churn(Rng& rng, RandomGroup& group, bool equal, int& next_member) {
  for (auto change = 1 + rng.below(3); change > 0; --change) {
    switch (rng.below(4)) {
      case 0:
        if (group.members.size() > 1)
          group.members.erase(group.members.begin() +
                              static_cast<std::ptrdiff_t>(rng.below(group.members.size())));
        break;
      case 1: {
        AssignorMember member;
        member.member_id = "n" + std::to_string(next_member++);
        member.topics = equal ? group.members.front().topics : random_topics(rng, group.topics, false);
        group.members.push_back(std::move(member));
        break;
      }
      case 2: {
        auto topic = group.topics.begin();
        std::advance(topic, static_cast<std::ptrdiff_t>(rng.below(group.topics.size())));
        topic->second += static_cast<std::int32_t>(rng.below(4));
        break;
      }
      default:
        if (!equal) {
          auto& member = group.members[rng.below(group.members.size())];
          member.topics = random_topics(rng, group.topics, false);
        }
    }
  }
}

// Every partition of a subscribed topic exactly once, nothing else, and to subscribers only. Empty when so.
inline std::string flaw_in(const RandomGroup& group, const AssignorResult& result) {
  if (result.size() != group.members.size()) return "wrong number of members";
  std::map<TopicId, std::set<std::int32_t>> given;
  std::set<TopicId> wanted;
  for (std::size_t m = 0; m < result.size(); ++m) {
    wanted.insert(group.members[m].topics.begin(), group.members[m].topics.end());
    for (const auto& topic : result[m]) {
      if (!std::ranges::binary_search(group.members[m].topics, topic.topic)) return "unsubscribed topic";
      if (topic.partitions.empty()) return "topic without partitions";
      if (!std::ranges::is_sorted(topic.partitions)) return "unsorted partitions";
      for (const auto p : topic.partitions) {
        if (!given[topic.topic].insert(p).second) return "partition given twice";
      }
    }
  }
  for (const auto& [id, count] : group.topics) {
    const auto expected = wanted.contains(id) ? static_cast<std::size_t>(count) : 0;
    if (given[id].size() != expected) return "not every partition given";
    if (expected > 0 && (*given[id].begin() != 0 || *given[id].rbegin() != count - 1))
      return "no such partition";
  }
  return {};
}

inline std::map<PartitionId, std::string> all_owned(const RandomGroup& group) {
  std::map<PartitionId, std::string> owners;
  for (const auto& member : group.members) {
    for (const auto& topic : member.owned) {
      for (const auto p : topic.partitions) owners[{topic.topic, p}] = member.member_id;
    }
  }
  return owners;
}

// Partitions that a member owned and another gets.
inline int moved(const RandomGroup& group, const AssignorResult& result) {
  const auto owners = all_owned(group);
  int count = 0;
  for (std::size_t m = 0; m < result.size(); ++m) {
    for (const auto& topic : result[m]) {
      for (const auto p : topic.partitions) {
        const auto owner = owners.find({topic.topic, p});
        if (owner != owners.end() && owner->second != group.members[m].member_id) ++count;
      }
    }
  }
  return count;
}

// The sum of squared loads: the less, the more equal.
template <class Result>
long imbalance(const Result& result) {
  long sum = 0;
  for (const auto& topics : result) sum += static_cast<long>(load(topics)) * load(topics);
  return sum;
}

inline void adopt(RandomGroup& group, const AssignorResult& result) {
  for (std::size_t m = 0; m < result.size(); ++m) group.members[m].owned = result[m];
}

}  // namespace tidegate::groups::testing
