// Group epoch and target assignment: what the group should look like, computed whenever the epoch rose.
#include <algorithm>
#include <set>

#include "consumer/consumer_rules.h"
#include "tidegate/groups/assignors.h"

namespace tidegate::groups::consumer {
namespace {

// FNV-1a: the same on every machine and in every release, since it is stored.
class Hash {
 public:
  void add(ByteView bytes) {
    for (const auto byte : bytes) {
      value_ ^= byte;
      value_ *= 0x100000001b3ULL;
    }
  }
  void add(std::int32_t number) {
    std::uint8_t bytes[4];
    const auto bits = static_cast<std::uint32_t>(number);
    for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
    add(ByteView(bytes));
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

// Topics that the group is subscribed to by name or by expression, and that exist.
AssignorTopics subscribed_topics(const Machine& group) {
  AssignorTopics topics;
  const auto add = [&](std::string_view name) {
    if (const auto* info = group.topics.find(name)) topics.emplace(info->id, info->partitions);
  };
  for (const auto& [name, count] : group.consumer.subscribed_names()) add(name);
  for (const auto& [regex, resolved] : group.consumer.regexes()) {
    for (const auto& name : resolved.topics) add(name);
  }
  return topics;
}

std::uint64_t hash_of(const AssignorTopics& topics) {
  Hash hash;
  for (const auto& [id, partitions] : topics) {
    hash.add(id.bytes);
    hash.add(partitions);
  }
  return hash.value();
}

std::vector<TopicId> topics_of(const Machine& group, const ConsumerMemberData& member) {
  std::set<TopicId> ids;
  const auto add = [&](std::string_view name) {
    if (const auto* info = group.topics.find(name)) ids.insert(info->id);
  };
  for (const auto& name : member.subscribed_topics) add(name);
  if (member.subscribed_regex) {
    const auto resolved = group.consumer.regexes().find(*member.subscribed_regex);
    if (resolved != group.consumer.regexes().end()) {
      for (const auto& name : resolved->second.topics) add(name);
    }
  }
  return {ids.begin(), ids.end()};
}

}  // namespace

std::string preferred_assignor(const Machine& group) {
  const auto& configured = group.limits.consumer_assignors;
  std::string_view best = configured.empty() ? "uniform" : std::string_view(configured.front());
  std::size_t most = 0;
  // Equal votes: the one that comes first in the configuration.
  for (const auto& name : configured) {
    const auto votes = group.consumer.wanted_assignors().find(name);
    if (votes == group.consumer.wanted_assignors().end() || votes->second <= most) continue;
    most = votes->second;
    best = name;
  }
  return std::string(best);
}

bool topics_differ(const Machine& group) {
  return hash_of(subscribed_topics(group)) != group.consumer.head().topics_hash;
}

void raise_epoch(Step& step) {
  auto head = step.group.consumer.head();
  ++head.group_epoch;
  head.topics_hash = hash_of(subscribed_topics(step.group));
  head.empty_since_ms = step.group.consumer.members().empty() ? step.now.wall_ms : -1;
  step.emit(PutConsumerHead{std::move(head)});
}

void update_target(Step& step) {
  const auto& group = step.group.consumer;
  auto head = group.head();
  if (head.group_epoch <= head.target_epoch) return;
  std::vector<AssignorMember> members;
  for (const auto& [id, member] : group.members()) {
    members.push_back({.member_id = id,
                       .instance_id = member.data.instance_id,
                       .topics = topics_of(step.group, member.data),
                       .owned = member.target});
  }
  head.assignor = preferred_assignor(step.group);
  const auto found = find_assignor(head.assignor);
  auto result = (found != nullptr ? found : &assign_uniform)(members, subscribed_topics(step.group));
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (result[i] == members[i].owned) continue;
    step.emit(PutTargetAssignment{members[i].member_id, std::move(result[i])});
  }
  head.target_epoch = head.group_epoch;
  step.emit(PutConsumerHead{std::move(head)});
}

}  // namespace tidegate::groups::consumer
