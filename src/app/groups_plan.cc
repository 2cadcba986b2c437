#include "groups_plan.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tidegate/groups/assignors.h"

namespace tidegate::app {
namespace {

using groups::CooperativeMember;
using groups::NamedTopicPartitions;
using nlohmann::json;
using TopicCounts = std::map<std::string, std::int32_t, std::less<>>;
using Assignment = std::vector<std::vector<NamedTopicPartitions>>;

constexpr std::size_t kMaxMembers = 10'000;
constexpr std::int64_t kMaxPartitions = 1'000'000;  // of all topics
// Two settle everything: one in which partitions are given up, one in which they are handed out.
constexpr std::size_t kMaxRounds = 8;

std::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::invalid_request, std::move(message));
}

Result<void> check_keys(const json& object, const std::string& where,
                        std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return bad(where + " is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) == known.end())
      return bad(where + " has an unknown field '" + key + "'");
  }
  return {};
}

Result<std::int32_t> number(const json& value, const std::string& where, std::int64_t least) {
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max());
  if (!fits || value.get<std::int64_t>() < least ||
      value.get<std::int64_t>() > std::numeric_limits<std::int32_t>::max()) {
    return bad(where + " is not a number from " + std::to_string(least));
  }
  return value.get<std::int32_t>();
}

Result<TopicCounts> read_topics(const json& root) {
  const auto topics = root.find("topics");
  if (topics == root.end() || !topics->is_object())
    return bad("'topics' is not an object of partition counts");
  TopicCounts counts;
  std::int64_t all = 0;
  for (const auto& [name, count] : topics->items()) {
    const auto partitions = number(count, "the partition count of topic '" + name + "'", 1);
    if (!partitions) return std::unexpected(partitions.error());
    all += *partitions;
    if (all > kMaxPartitions) return bad("more than " + std::to_string(kMaxPartitions) + " partitions");
    counts.emplace(name, *partitions);
  }
  return counts;
}

Result<std::vector<std::string>> read_subscription(const json& member, const std::string& where) {
  const auto topics = member.find("topics");
  if (topics == member.end() || !topics->is_array()) return bad(where + ": 'topics' is not a list of names");
  std::set<std::string> names;
  for (const auto& name : *topics) {
    if (!name.is_string()) return bad(where + ": 'topics' is not a list of names");
    names.insert(name.get<std::string>());
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<NamedTopicPartitions>> read_owned(const json& member, const std::string& where) {
  std::vector<NamedTopicPartitions> owned;
  const auto found = member.find("owned");
  if (found == member.end()) return owned;
  if (!found->is_object()) return bad(where + ": 'owned' is not an object of partition lists");
  for (const auto& [name, list] : found->items()) {
    if (!list.is_array()) return bad(where + ": 'owned' of topic '" + name + "' is not a list");
    std::set<std::int32_t> partitions;
    for (const auto& value : list) {
      const auto partition = number(value, where + ": a partition of topic '" + name + "'", 0);
      if (!partition) return std::unexpected(partition.error());
      partitions.insert(*partition);
    }
    owned.push_back({name, {partitions.begin(), partitions.end()}});
  }
  return owned;
}

Result<CooperativeMember> read_member(const json& member, const std::string& where) {
  if (auto done = check_keys(member, where, {"id", "topics", "owned", "generation"}); !done) {
    return std::unexpected(done.error());
  }
  const auto id = member.find("id");
  if (id == member.end() || !id->is_string() || id->get_ref<const std::string&>().empty()) {
    return bad(where + " has no 'id'");
  }
  CooperativeMember read{.member_id = id->get<std::string>(), .subscription = {}};
  auto topics = read_subscription(member, where);
  if (!topics) return std::unexpected(topics.error());
  read.subscription.topics = std::move(*topics);
  auto owned = read_owned(member, where);
  if (!owned) return std::unexpected(owned.error());
  read.subscription.owned_partitions = std::move(*owned);
  if (const auto generation = member.find("generation"); generation != member.end()) {
    const auto value = number(*generation, where + ": 'generation'", -1);
    if (!value) return std::unexpected(value.error());
    read.subscription.generation_id = *value;
  }
  return read;
}

Result<std::vector<CooperativeMember>> read_members(const json& root) {
  const auto list = root.find("members");
  if (list == root.end() || !list->is_array() || list->empty())
    return bad("'members' is not a list with members");
  if (list->size() > kMaxMembers) return bad("more than " + std::to_string(kMaxMembers) + " members");
  std::vector<CooperativeMember> members;
  std::set<std::string> ids;
  for (const auto& one : *list) {
    auto member = read_member(one, "member " + std::to_string(members.size() + 1));
    if (!member) return std::unexpected(member.error());
    if (!ids.insert(member->member_id).second)
      return bad("two members have the id '" + member->member_id + "'");
    members.push_back(std::move(*member));
  }
  return members;
}

json shown(const std::vector<CooperativeMember>& members, const Assignment& assignment) {
  auto round = json::object();
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto& mine = round[members[i].member_id] = json::object();
    for (const auto& topic : assignment[i]) mine[topic.topic] = topic.partitions;
  }
  return round;
}

std::int32_t newest_generation(const std::vector<CooperativeMember>& members) {
  return std::ranges::max_element(members, {}, [](const auto& m) { return m.subscription.generation_id; })
      ->subscription.generation_id;
}

}  // namespace

Result<std::string> plan_groups(std::string_view text) {
  const auto root = json::parse(text, nullptr, false);
  if (root.is_discarded()) return bad("not JSON");
  if (auto done = check_keys(root, "the plan", {"topics", "members"}); !done)
    return std::unexpected(done.error());
  const auto topics = read_topics(root);
  if (!topics) return std::unexpected(topics.error());
  auto members = read_members(root);
  if (!members) return std::unexpected(members.error());

  auto generation = std::max(newest_generation(*members), 0);
  auto rounds = json::array();
  for (Assignment last; rounds.size() < kMaxRounds;) {
    auto next = groups::assign_cooperative_sticky(*members, *topics);
    if (next == last) break;
    rounds.push_back(shown(*members, next));
    // Everybody gives up what it was not given, and joins again with the rest.
    ++generation;
    for (std::size_t i = 0; i < members->size(); ++i) {
      (*members)[i].subscription.owned_partitions = next[i];
      (*members)[i].subscription.generation_id = generation;
    }
    last = std::move(next);
  }
  return json{{"rounds", rounds}, {"assignment", rounds.back()}}.dump(2) + "\n";
}

}  // namespace tidegate::app
