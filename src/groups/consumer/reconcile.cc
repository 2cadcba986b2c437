// The way of one member to its target assignment. It first gives up what it shall not have (unrevoked) while
// it stays in its epoch, then enters the target's epoch with what is free, and waits for what others still
// hold (unreleased). A partition is held by its former owner until that one has confirmed, so it never has
// two owners.
#include <algorithm>

#include "consumer/consumer_rules.h"

namespace tidegate::groups::consumer {
namespace {

bool owns_any(const std::optional<PartitionSet>& owned, const PartitionSet& revoking) {
  // Who does not say what it owns may own it still.
  return !owned || !intersection(*owned, revoking).empty();
}

void enter_epoch(CurrentAssignment& next, std::int32_t epoch) {
  if (next.member_epoch == epoch) return;
  next.previous_epoch = next.member_epoch;
  next.member_epoch = epoch;
}

CurrentAssignment next_towards(const Machine& group, const ConsumerMember& member,
                               const std::optional<PartitionSet>& owned) {
  const auto assigned = to_set(member.current.assigned);
  const auto target = to_set(member.target);
  auto keep = intersection(assigned, target);
  const auto give_up = difference(assigned, keep);
  auto next = member.current;
  if (!give_up.empty() && owns_any(owned, give_up)) {
    next.state = ReconcileState::unrevoked_partitions;
    next.assigned = to_topics(keep);
    next.revoking = to_topics(give_up);
    return next;
  }
  auto wanted = difference(target, keep);
  // What this member itself has just given up counts as held until that is recorded.
  const auto unreleased = std::erase_if(wanted, [&](const auto& p) { return group.consumer.is_held(p); });
  enter_epoch(next, group.consumer.head().target_epoch);
  next.state = unreleased > 0 ? ReconcileState::unreleased_partitions : ReconcileState::stable;
  next.assigned = to_topics(united(keep, wanted));
  next.revoking.clear();
  return next;
}

CurrentAssignment next_of(const Machine& group, const ConsumerMember& member,
                          const std::optional<PartitionSet>& owned) {
  const auto& current = member.current;
  if (current.state == ReconcileState::stable && current.member_epoch == group.consumer.head().target_epoch) {
    return current;
  }
  if (current.state == ReconcileState::unrevoked_partitions && owns_any(owned, to_set(current.revoking))) {
    return current;
  }
  return next_towards(group, member, owned);
}

}  // namespace

void reconcile(Step& step, const std::string& member_id, const std::optional<PartitionSet>& owned) {
  auto* member = step.group.consumer.find(member_id);
  auto next = next_of(step.group, *member, owned);
  if (next == member->current) return;
  const bool must_revoke = next.state == ReconcileState::unrevoked_partitions;
  step.emit(PutCurrentAssignment{member_id, std::move(next)});
  // Members of the classic protocol have their times to join and to sync instead.
  if (!must_revoke || member->is_classic()) return member->rebalance.cancel();
  const auto limit = std::chrono::milliseconds(std::max(member->data.rebalance_timeout_ms, 0));
  const auto name = step.group.consumer.members().find(member_id);
  member->rebalance.arm(step.group.timers, TimerKind::consumer_rebalance, name->first, step.after(limit));
}

bool waits_for_partitions(const Machine& group, const ConsumerMember& member) {
  if (member.current.state != ReconcileState::unreleased_partitions) return false;
  const auto missing = difference(to_set(member.target), to_set(member.current.assigned));
  return std::ranges::any_of(missing, [&](const auto& p) { return group.consumer.is_held(p); });
}

}  // namespace tidegate::groups::consumer
