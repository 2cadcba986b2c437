// LeaveGroup: members that go by themselves, and members that an administrator sends away.
#include <algorithm>
#include <string>
#include <utility>

#include "classic/phases.h"

namespace tidegate::groups::classic {
namespace {

ErrorCode leave_one(Step& step, const LeavingMember& leaving) {
  auto& group = step.group.classic;
  if (leaving.member_id.empty()) {
    // Named by its instance alone: only an administrator does that.
    const auto* holder = leaving.instance_id ? group.holder_of(*leaving.instance_id) : nullptr;
    if (holder == nullptr) return ErrorCode::unknown_member_id;
    remove_member(step, std::string(*holder), ErrorCode::unknown_member_id, "removed by its instance id");
    return ErrorCode::none;
  }
  if (group.pending_ids.erase(leaving.member_id)) return ErrorCode::none;
  const auto error = check_member(step.group, leaving.member_id, leaving.instance_id);
  if (error == ErrorCode::none) remove_member(step, leaving.member_id, ErrorCode::unknown_member_id, "left");
  return error;
}

}  // namespace

void on_leave(Step& step, const Leave& request) {
  if (step.group.id.empty()) {
    return step.reply(request.reply, LeaveReply{.error = ErrorCode::invalid_group_id});
  }
  LeaveReply reply;
  std::string reason;
  for (const auto& leaving : request.members) {
    const auto error = leave_one(step, leaving);
    reply.members.push_back({leaving.member_id, leaving.instance_id, error});
    if (error == ErrorCode::none && reason.empty()) reason = leaving.reason;
  }
  const bool any_left = std::ranges::any_of(
      reply.members, [](const LeaveReply::Member& member) { return member.error == ErrorCode::none; });
  step.reply(request.reply, std::move(reply));
  if (any_left && step.group.classic.phase() != ClassicPhase::empty) {
    rebalance_or_complete(step, "members left", std::move(reason));
  }
}

}  // namespace tidegate::groups::classic
