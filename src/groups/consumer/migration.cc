// A live group changes its protocol: from classic when the first member of the new protocol joins, back when
// the last one of them is gone (group.consumer.migration.policy).
#include <algorithm>
#include <tuple>

#include "consumer/consumer_rules.h"
#include "rules.h"
#include "tidegate/groups/consumer_protocol.h"

namespace tidegate::groups::consumer {
namespace {

constexpr std::string_view kProtocolType = "consumer";

bool upgrades(MigrationPolicy policy) {
  return policy == MigrationPolicy::upgrade || policy == MigrationPolicy::bidirectional;
}
bool downgrades(MigrationPolicy policy) {
  return policy == MigrationPolicy::downgrade || policy == MigrationPolicy::bidirectional;
}

// The metadata that counts: of the chosen protocol, or of the first when none has been chosen yet.
const Bytes* metadata_of(const ClassicMemberData& member, const std::optional<std::string>& protocol) {
  for (const auto& offered : member.protocols) {
    if (protocol && offered.name == *protocol) return &offered.metadata;
  }
  return member.protocols.empty() ? nullptr : &member.protocols.front().metadata;
}

struct Converted {
  ConsumerMemberData data;
  PartitionSet assigned;
  // What it said to own when it joined, and the generation in which it got that: a cooperative member that
  // has not fetched its new assignment yet, or has and will join again, may own what the leader took from it.
  PartitionSet claimed;
  std::int32_t claimed_in = -1;
};

Result<Converted> converted(const Machine& group, const ClassicMember& member) {
  const auto malformed = [&](const char* what) {
    return fail(ErrorCode::group_id_not_found,
                "Cannot upgrade classic group " + group.id + ": malformed " + what + " of a member.");
  };
  const auto* metadata = metadata_of(member.data, group.classic.head().protocol);
  if (metadata == nullptr) return malformed("protocols");
  auto subscription = decode_subscription(*metadata);
  if (!subscription) return malformed("subscription");
  const auto assignment = decode_assignment(member.assignment);
  if (!assignment) return malformed("assignment");
  auto& topics = subscription->topics;
  std::ranges::sort(topics);
  topics.erase(std::ranges::unique(topics).begin(), topics.end());
  const auto& data = member.data;
  return Converted{.data = {.member_id = data.member_id,
                            .instance_id = data.instance_id,
                            .rack_id = subscription->rack_id,
                            .client_id = data.client_id,
                            .client_host = data.client_host,
                            .rebalance_timeout_ms = data.rebalance_timeout_ms,
                            .subscribed_topics = std::move(topics),
                            .subscribed_regex = {},
                            .assignor = {},
                            .classic = ClassicSideOfMember{data.session_timeout_ms, data.protocols}},
                   .assigned = from_names(assignment->assigned_partitions, group.topics),
                   .claimed = from_names(subscription->owned_partitions, group.topics),
                   .claimed_in = subscription->generation_id};
}

// Each partition to one member. A leader of the classic protocol may have given one twice; nobody else could
// have noticed. What is assigned to nobody counts for who claims it, as long as it has not said otherwise.
void settle_ownership(std::vector<Converted>& members) {
  PartitionSet taken;
  for (auto& member : members) {
    member.assigned = difference(member.assigned, taken);
    taken = united(taken, member.assigned);
  }
  std::vector<Converted*> newest_first;
  for (auto& member : members) newest_first.push_back(&member);
  std::ranges::sort(newest_first, [](const Converted* a, const Converted* b) {
    return std::tie(b->claimed_in, a->data.member_id) < std::tie(a->claimed_in, b->data.member_id);
  });
  for (auto* member : newest_first) {
    member->claimed = difference(member->claimed, taken);
    taken = united(taken, member->claimed);
  }
}

CurrentAssignment current_of(const Converted& member, std::int32_t epoch) {
  CurrentAssignment current{.member_epoch = epoch,
                            .previous_epoch = epoch,
                            .assigned = to_topics(member.assigned),
                            .revoking = to_topics(member.claimed)};
  if (!current.revoking.empty()) current.state = ReconcileState::unrevoked_partitions;
  return current;
}

// The protocol for a classic group of these members: most first choices among what all of them speak.
std::optional<std::string> vote(const Machine& group, const std::vector<const ConsumerMemberData*>& members) {
  const auto speaks = [](const ConsumerMemberData& member, std::string_view name) {
    return std::ranges::find(member.classic->protocols, name, &JoinProtocol::name) !=
           member.classic->protocols.end();
  };
  const auto is_candidate = [&](std::string_view name) {
    if (name == "cooperative-sticky" && !group.limits.cooperative_sticky_enabled) return false;
    return std::ranges::all_of(members, [&](const auto* member) { return speaks(*member, name); });
  };
  std::map<std::string, std::size_t> votes;
  for (const auto* member : members) {
    const auto& offered = member->classic->protocols;
    const auto first = std::ranges::find_if(offered, [&](const auto& p) { return is_candidate(p.name); });
    if (first == offered.end()) return std::nullopt;
    ++votes[first->name];
  }
  if (votes.empty()) return std::nullopt;
  return std::ranges::max_element(votes, {}, [](const auto& entry) { return entry.second; })->first;
}

std::vector<const ConsumerMemberData*> staying(const Machine& group, std::span<const std::string> leaving) {
  std::vector<const ConsumerMemberData*> members;
  for (const auto& [id, member] : group.consumer.members()) {
    if (std::ranges::find(leaving, id) == leaving.end()) members.push_back(&member.data);
  }
  return members;
}

// What the member has, given up or not, in the words of its own protocol version. Not what it should have:
// if the group changed back before everybody has joined anew, partitions would get a second owner.
Bytes classic_assignment(const Machine& group, const ConsumerMember& member, const std::string& protocol) {
  ConsumerProtocolAssignment assignment;
  const auto held = united(to_set(member.current.assigned), to_set(member.current.revoking));
  assignment.assigned_partitions = to_names(to_topics(held), group.topics);
  const auto& offered = member.data.classic->protocols;
  const auto spoken = std::ranges::find(offered, protocol, &JoinProtocol::name);
  const auto version =
      spoken == offered.end() ? std::int16_t{0} : consumer_protocol_version(spoken->metadata).value_or(0);
  return encode_assignment(assignment, std::min(version, ConsumerProtocolAssignment::kHighestVersion));
}

// Members and head go; the group has no type afterwards.
void disband(Step& step) {
  std::vector<std::string> names;
  for (const auto& [id, member] : step.group.consumer.members()) names.push_back(id);
  for (auto& name : names) step.emit(EraseConsumerMember{std::move(name)});
  erase_head(step);
}

}  // namespace

Result<void> may_become_consumer(const Machine& group, std::string_view joining_member,
                                 const std::optional<std::string>& instance_id) {
  const auto refuse = [&](ErrorCode code, std::string why) {
    return fail(code, "Group " + group.id + " is a classic group: " + std::move(why) + ".");
  };
  const auto& classic = group.classic;
  if (group.type == GroupType::none || classic.size() == 0) return {};
  if (!upgrades(group.limits.migration_policy)) {
    return refuse(ErrorCode::group_id_not_found, "the online upgrade is disabled");
  }
  if (classic.head().protocol_type != kProtocolType) {
    return refuse(ErrorCode::group_id_not_found, "it does not use the consumer protocol");
  }
  const auto size = classic.size();
  const bool is_member =
      classic.find(joining_member) != nullptr || (instance_id && classic.holder_of(*instance_id) != nullptr);
  if (size > group.limits.consumer_max_size) {
    return refuse(ErrorCode::group_id_not_found, "it has more members than a consumer group may have");
  }
  if (size >= group.limits.consumer_max_size && !is_member) {
    return refuse(ErrorCode::group_max_size_reached, "it has as many members as a consumer group may have");
  }
  for (const auto& [id, member] : classic.members()) {
    if (const auto able = converted(group, member); !able) return fail(able.error());
  }
  return {};
}

void become_consumer(Step& step) {
  auto& group = step.group;
  if (group.type == GroupType::none) return step.emit(PutConsumerHead{});
  std::vector<Converted> members;
  for (const auto& [id, member] : group.classic.members()) {
    // may_become_consumer() has seen them all.
    if (auto one = converted(group, member)) members.push_back(std::move(*one));
  }
  settle_ownership(members);
  // Of an empty group, too: see prepare_head() of the classic side.
  const auto epoch = group.classic.head().generation;
  if (!members.empty()) {
    step.note({.event = "conversion",
               .why = "a member of the consumer protocol joined a classic group",
               .member = {},
               .client_reason = {},
               .generation = epoch,
               .members = members.size()});
  }
  classic::disband(step, ErrorCode::rebalance_in_progress);
  step.emit(PutConsumerHead{{.group_epoch = epoch, .target_epoch = epoch}});
  for (const auto& member : members) step.emit(PutConsumerMember{member.data});
  for (const auto& member : members) {
    const auto& id = member.data.member_id;
    auto current = current_of(member, epoch);
    if (!current.assigned.empty()) step.emit(PutTargetAssignment{id, current.assigned});
    // Before the first generation there is nothing to be said yet.
    if (current != CurrentAssignment{}) step.emit(PutCurrentAssignment{id, std::move(current)});
    arm_session(step, *group.consumer.find(id));
  }
}

bool may_become_classic(const Machine& group, std::span<const std::string> leaving) {
  const auto& limits = group.limits;
  if (!downgrades(limits.migration_policy)) return false;
  const auto members = staying(group, leaving);
  if (members.empty() || members.size() > limits.max_group_size) return false;
  if (!std::ranges::all_of(members, [](const auto* member) { return member->classic.has_value(); }))
    return false;
  return vote(group, members).has_value();
}

void become_classic(Step& step, std::span<const std::string> leaving, AfterConversion then) {
  auto& group = step.group;
  const auto members = staying(group, leaving);
  const auto protocol = vote(group, members);
  if (!protocol) return;  // may_become_classic() has found one
  ClassicHead head{.phase = ClassicPhase::stable,
                   .generation = group.consumer.head().group_epoch,
                   .protocol_type = std::string(kProtocolType),
                   .protocol = protocol,
                   .leader = members.front()->member_id,
                   .phase_since_ms = step.now.wall_ms};
  step.note({.event = "conversion",
             .why = "only members of the classic protocol are left",
             .member = {},
             .client_reason = {},
             .generation = head.generation,
             .members = members.size()});
  std::vector<Record> records{PutClassicHead{std::move(head)}};
  for (const auto* data : members) {
    const auto& classic = *data->classic;
    records.emplace_back(PutClassicMember{{.member_id = data->member_id,
                                           .instance_id = data->instance_id,
                                           .client_id = data->client_id,
                                           .client_host = data->client_host,
                                           .session_timeout_ms = classic.session_timeout_ms,
                                           .rebalance_timeout_ms = data->rebalance_timeout_ms,
                                           .protocols = classic.protocols}});
  }
  for (const auto* data : members) {
    const auto& member = *group.consumer.find(data->member_id);
    records.emplace_back(PutClassicAssignment{data->member_id, classic_assignment(group, member, *protocol)});
  }
  disband(step);
  for (auto& record : records) step.emit(std::move(record));
  classic::adopt(step);
  if (then == AfterConversion::rebalance) {
    classic::prepare_rebalance(step, "the group went back from the consumer to the classic protocol");
  }
}

}  // namespace tidegate::groups::consumer
