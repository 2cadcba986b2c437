// Who is in the group: members that come, change, take over an instance id, and go.
#include <algorithm>

#include "consumer/consumer_rules.h"

namespace tidegate::groups::consumer {
namespace {

// Regular expressions that nobody subscribes by any more.
void drop_unused_regexes(Step& step) {
  std::vector<std::string> unused;
  for (const auto& [regex, resolved] : step.group.consumer.regexes()) {
    if (!step.group.consumer.subscribed_regexes().contains(regex)) unused.push_back(regex);
  }
  for (auto& regex : unused) step.emit(EraseRegex{std::move(regex)});
}

}  // namespace

bool is_full(const Machine& group, std::string_view member_id,
             const std::optional<std::string>& instance_id) {
  const auto& members = group.consumer;
  if (members.members().size() < group.limits.consumer_max_size) return false;
  return members.find(member_id) == nullptr && !(instance_id && members.holder_of(*instance_id) != nullptr);
}

Result<ConsumerMember*> find_static(Machine& group, const std::string& instance_id,
                                    std::string_view member_id) {
  const auto* holder = group.consumer.holder_of(instance_id);
  if (holder == nullptr) {
    return fail(ErrorCode::unknown_member_id, "Instance id " + instance_id + " is unknown.");
  }
  if (*holder != member_id) {
    return fail(ErrorCode::fenced_instance_id,
                "Instance id " + instance_id + " belongs to member " + *holder + " now.");
  }
  return group.consumer.find(*holder);
}

bool put_member(Step& step, const ConsumerMemberData& data) {
  const auto* member = step.group.consumer.find(data.member_id);
  if (member != nullptr && member->data == data) return false;
  const bool is_new = member == nullptr;
  const auto regex_before = is_new ? std::nullopt : member->data.subscribed_regex;
  const bool assign_anew = is_new || regex_before != data.subscribed_regex ||
                           member->data.subscribed_topics != data.subscribed_topics;
  const auto assignor_before = preferred_assignor(step.group);
  step.emit(PutConsumerMember{data});
  if (regex_before != data.subscribed_regex) {
    if (data.subscribed_regex) resolve_regex(step, *data.subscribed_regex);
    drop_unused_regexes(step);
  }
  return assign_anew || preferred_assignor(step.group) != assignor_before;
}

void replace_member(Step& step, const std::string& old_id, const std::string& new_id) {
  const auto* old = step.group.consumer.find(old_id);
  auto data = old->data;
  data.member_id = new_id;
  auto current = old->current;
  current.member_epoch = kJoinEpoch;
  current.previous_epoch = kJoinEpoch;
  auto target = old->target;
  step.emit(EraseConsumerMember{old_id});
  step.emit(PutConsumerMember{std::move(data)});
  if (!target.empty()) step.emit(PutTargetAssignment{new_id, std::move(target)});
  step.emit(PutCurrentAssignment{new_id, std::move(current)});
}

void remove_members(Step& step, std::span<const std::string> member_ids, std::string_view why) {
  if (member_ids.empty()) return;
  for (const auto& id : member_ids) {
    step.note({.event = "member_removed",
               .why = why,
               .member = id,
               .client_reason = {},
               .generation = step.group.consumer.head().group_epoch,
               .members = step.group.consumer.members().size()});
  }
  // A group that is all classic already could not go back when its last other member left.
  const bool is_mixed = step.group.consumer.classic_members() < step.group.consumer.members().size();
  if (is_mixed && may_become_classic(step.group, member_ids)) {
    return become_classic(step, member_ids, AfterConversion::rebalance);
  }
  for (const auto& id : member_ids) step.emit(EraseConsumerMember{id});
  drop_unused_regexes(step);
  raise_epoch(step);
}

void arm_session(Step& step, ConsumerMember& member) {
  const Duration limit = member.data.classic
                             ? std::chrono::milliseconds(member.data.classic->session_timeout_ms)
                             : step.group.limits.consumer_session_timeout;
  const auto name = step.group.consumer.members().find(member.data.member_id);
  member.session.arm(step.group.timers, TimerKind::consumer_session, name->first, step.after(limit));
}

}  // namespace tidegate::groups::consumer
