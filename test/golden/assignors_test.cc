// Our assignors beside Apache Kafka's own, on the groups of assignors.jsonl.gz (assignors_tool/README.md).
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "groups/assignor_support.h"
#include "support/paths.h"

namespace tidegate::groups {
namespace {

struct Case {
  std::string line;  // for messages
  std::string kind;
  bool equal = false;
  std::int32_t generation = 0;
  testing::RandomGroup group;
  AssignorResult java;
};

std::vector<TopicPartitions> partitions_of(const nlohmann::json& json) {
  std::vector<TopicPartitions> topics;
  for (const auto& entry : json) {
    topics.push_back(
        {testing::topic_id(entry.at(0).get<std::uint32_t>()), entry.at(1).get<std::vector<std::int32_t>>()});
  }
  return topics;
}

Case parse(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  Case one{.line = line,
           .kind = json.at("kind").get<std::string>(),
           .equal = json.at("equal").get<bool>(),
           .generation = json.at("generation").get<std::int32_t>(),
           .group = {},
           .java = {}};
  std::uint32_t number = 0;
  for (const auto& count : json.at("topics")) {
    one.group.topics[testing::topic_id(number++)] = count.get<std::int32_t>();
  }
  for (const auto& row : json.at("members")) {
    auto& member = one.group.members.emplace_back();
    member.member_id = row.at("id").get<std::string>();
    if (row.contains("instance")) member.instance_id = row["instance"].get<std::string>();
    for (const auto& topic : row.at("topics")) {
      member.topics.push_back(testing::topic_id(topic.get<std::uint32_t>()));
    }
    member.owned = partitions_of(row.at("owned"));
    one.java.push_back(partitions_of(row.at("gets")));
  }
  return one;
}

std::vector<Case> cases_of(const std::string& kind) {
  const auto path = test::source_dir() / "test/golden/assignors.jsonl.gz";
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::string text;
  std::array<char, 1U << 16> part;
  for (int n = 0; file && (n = gzread(file.get(), part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  std::vector<Case> cases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("{\"kind\":\"" + kind + "\"")) cases.push_back(parse(line));
  }
  return cases;
}

constexpr std::size_t kCasesOfAKind = 360;

TEST(GoldenAssignors, Range_IsKafkasExactly) {
  const auto cases = cases_of("range");
  ASSERT_EQ(cases.size(), kCasesOfAKind);
  for (const auto& one : cases) {
    ASSERT_EQ(assign_range(one.group.members, one.group.topics), one.java) << one.line;
  }
}

TEST(GoldenAssignors, Uniform_IsAsEvenAndMovesNoMore) {
  const auto cases = cases_of("uniform");
  ASSERT_EQ(cases.size(), kCasesOfAKind);
  for (const auto& one : cases) {
    const auto ours = assign_uniform(one.group.members, one.group.topics);
    ASSERT_EQ(testing::flaw_in(one.group, ours), "") << one.line;
    ASSERT_EQ(testing::flaw_in(one.group, one.java), "") << one.line;
    const auto our_imbalance = testing::imbalance(ours);
    const auto java_imbalance = testing::imbalance(one.java);
    ASSERT_LE(our_imbalance, java_imbalance) << one.line;
    // A more even spread may cost moves that a less even one does without.
    if (our_imbalance < java_imbalance) {
      ASSERT_FALSE(one.equal) << one.line;
      continue;
    }
    ASSERT_LE(testing::moved(one.group, ours), testing::moved(one.group, one.java)) << one.line;
  }
}

AssignorResult ours_of(const Case& one) {
  std::map<std::string, std::int32_t, std::less<>> counts;
  std::map<TopicId, std::string> names;
  std::map<std::string, TopicId> ids;
  for (const auto& [id, count] : one.group.topics) {
    const auto name = "t" + std::to_string(names.size());
    names[id] = name;
    ids[name] = id;
    counts[name] = count;
  }
  std::vector<CooperativeMember> members;
  for (const auto& member : one.group.members) {
    auto& client = members.emplace_back();
    client.member_id = member.member_id;
    client.subscription.generation_id = member.owned.empty() ? -1 : one.generation;
    for (const auto& topic : member.topics) client.subscription.topics.push_back(names.at(topic));
    for (const auto& topic : member.owned) {
      client.subscription.owned_partitions.push_back({names.at(topic.topic), topic.partitions});
    }
  }
  AssignorResult result;
  for (const auto& topics : assign_cooperative_sticky(members, counts)) {
    auto& mine = result.emplace_back();
    for (const auto& topic : topics) mine.push_back({ids.at(topic.topic), topic.partitions});
  }
  return result;
}

// Partitions that stay with their owner: the more, the fewer are moved.
int kept(const testing::RandomGroup& group, const AssignorResult& result) {
  const auto owners = testing::all_owned(group);
  int count = 0;
  for (std::size_t m = 0; m < result.size(); ++m) {
    for (const auto& topic : result[m]) {
      for (const auto p : topic.partitions) {
        const auto owner = owners.find({topic.topic, p});
        count += owner != owners.end() && owner->second == group.members[m].member_id ? 1 : 0;
      }
    }
  }
  return count;
}

int total(const AssignorResult& result) {
  int sum = 0;
  for (const auto& topics : result) sum += testing::load(topics);
  return sum;
}

TEST(GoldenAssignors, CooperativeSticky_KeepsAsMuchAndHoldsBackNoMore) {
  const auto cases = cases_of("cooperative-sticky");
  ASSERT_EQ(cases.size(), kCasesOfAKind);
  int settled = 0;
  for (const auto& one : cases) {
    const auto ours = ours_of(one);
    ASSERT_EQ(testing::moved(one.group, ours), 0) << "given while it is owned: " << one.line;
    ASSERT_EQ(testing::moved(one.group, one.java), 0) << one.line;
    if (one.equal) {
      ASSERT_GE(kept(one.group, ours), kept(one.group, one.java)) << one.line;
      ASSERT_EQ(total(ours), total(one.java)) << one.line;
    }
    // Loads mean something once nothing is held back.
    if (testing::flaw_in(one.group, ours).empty() && testing::flaw_in(one.group, one.java).empty()) {
      ASSERT_LE(testing::imbalance(ours), testing::imbalance(one.java)) << one.line;
      ++settled;
    }
  }
  EXPECT_GT(settled, 100);
}

}  // namespace
}  // namespace tidegate::groups
