// Who gets which partitions: the server-side assignors of KIP-848 (range, uniform) and a client-side
// cooperative-sticky one of our own. Pure functions: the same input gives the same answer, wherever it is
// computed. The coordinator calls the first two; tests, simulations and `tidegate groups plan` the third.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/groups/consumer_protocol.h"
#include "tidegate/groups/requests.h"

namespace tidegate::groups {

struct AssignorMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::vector<TopicId> topics;         // ascending, none twice
  std::vector<TopicPartitions> owned;  // its part of the target assignment before this one
};

// Topics that exist, with their partition counts. What a member names beyond them is passed over.
using AssignorTopics = std::map<TopicId, std::int32_t>;

// For each member, in the order of the input: topics and partitions ascending, no topic without partitions.
using AssignorResult = std::vector<std::vector<TopicPartitions>>;

// Topic by topic, contiguous ranges over the subscribed members, static members first (by instance id), then
// by member id. Members that subscribe to the same topics of one size get the same partition numbers of each.
AssignorResult assign_range(std::span<const AssignorMember> members, const AssignorTopics& topics);

// Loads differ by at most one between members of equal subscriptions; otherwise no partition could move from
// one member to another, directly or by a chain, and make their loads more equal. Subject to that, as few
// partitions as possible change hands (exact for equal subscriptions, nearly so for others).
AssignorResult assign_uniform(std::span<const AssignorMember> members, const AssignorTopics& topics);

using AssignorFunction = AssignorResult (*)(std::span<const AssignorMember>, const AssignorTopics&);
// "uniform", "range"; nullptr for a name that nobody knows.
AssignorFunction find_assignor(std::string_view name);

struct CooperativeMember {
  std::string member_id;
  ConsumerProtocolSubscription subscription;
};

// One round of cooperative rebalancing (KIP-429), as the leader of a classic group computes it: balanced and
// sticky as uniform is, less the partitions that somebody else still owns. Those go to nobody until their
// owners have given them up, which they do by joining again; the next round hands them out. Of several claims
// to a partition those of the newest generation count. In the order of the input; topics by name.
std::vector<std::vector<NamedTopicPartitions>> assign_cooperative_sticky(
    std::span<const CooperativeMember> members,
    const std::map<std::string, std::int32_t, std::less<>>& partition_counts);

}  // namespace tidegate::groups
