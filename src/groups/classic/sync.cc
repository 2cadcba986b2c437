// SyncGroup: members ask for their part; the leader's request brings everybody's.
#include <map>
#include <string_view>
#include <utility>

#include "classic/phases.h"

namespace tidegate::groups::classic {
namespace {

bool differs(const std::optional<std::string>& said, const std::optional<std::string>& known) {
  return said && known && *said != *known;
}

ErrorCode check(const Machine& group, const Sync& request) {
  if (group.id.empty()) return ErrorCode::invalid_group_id;
  if (const auto error = check_member(group, request.member_id, request.instance_id);
      error != ErrorCode::none) {
    return error;
  }
  const auto& head = group.classic.head();
  if (request.generation != head.generation) return ErrorCode::illegal_generation;
  if (differs(request.protocol_type, head.protocol_type) || differs(request.protocol, head.protocol)) {
    return ErrorCode::inconsistent_group_protocol;
  }
  if (head.phase == ClassicPhase::preparing) return ErrorCode::rebalance_in_progress;
  std::size_t bytes = 0;
  for (const auto& part : request.assignments) bytes += part.assignment.size();
  return bytes > group.limits.max_assignment_bytes ? ErrorCode::message_too_large : ErrorCode::none;
}

SyncReply assignment_reply(const Machine& group, const ClassicMember& member) {
  const auto& head = group.classic.head();
  return {.protocol_type = head.protocol_type, .protocol = head.protocol, .assignment = member.assignment};
}

// Once nobody is waited for the timer has no work left.
void mark_synced(Step& step, ClassicMember& member) {
  auto& group = step.group.classic;
  member.synced = true;
  if (group.counts().synced == group.size()) group.sync_timer.cancel();
}

// Whom the leader left out gets nothing.
void become_stable(Step& step, std::vector<SyncAssignment> assignments) {
  auto& group = step.group.classic;
  std::map<std::string_view, Bytes*> parts;
  for (auto& part : assignments) parts.insert_or_assign(part.member_id, &part.assignment);
  for (const auto& [id, member] : group.members()) {
    const auto part = parts.find(id);
    auto assignment = part == parts.end() ? Bytes{} : std::move(*part->second);
    if (assignment != member.assignment) step.emit(PutClassicAssignment{id, std::move(assignment)});
  }
  auto head = group.head();
  head.phase = ClassicPhase::stable;
  head.phase_since_ms = step.now.wall_ms;
  step.note({.event = "stable",
             .why = "the leader has assigned",
             .generation = head.generation,
             .members = group.size()});
  step.emit(PutClassicHead{std::move(head)});
  for (auto& [id, member] : group.members()) {
    if (!member.sync) continue;
    step.reply(*member.sync.take(), assignment_reply(step.group, member));
    arm_session(step, member);
  }
}

}  // namespace

void on_sync(Step& step, Sync request) {
  if (const auto error = check(step.group, request); error != ErrorCode::none) {
    return step.reply(request.reply, SyncReply{.error = error});
  }
  auto& member = *step.group.classic.find(request.member_id);
  mark_synced(step, member);
  if (step.group.classic.phase() == ClassicPhase::stable) {
    return step.reply(request.reply, assignment_reply(step.group, member));
  }
  // The client has asked again: the older connection gets an answer, too.
  fail_sync(step, member, ErrorCode::rebalance_in_progress);
  member.sync.park(request.reply);
  if (is_leader(step.group, request.member_id)) become_stable(step, std::move(request.assignments));
}

}  // namespace tidegate::groups::classic
