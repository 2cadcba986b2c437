// Heartbeat, and the right of a member to commit: both say that it lives.
#include "classic/phases.h"

namespace tidegate::groups::classic {

void on_heartbeat(Step& step, const Heartbeat& request) {
  auto& group = step.group.classic;
  const auto answer = [&](ErrorCode error) {
    step.reply_at_once(request.reply, HeartbeatReply{.error = error});
  };
  if (step.group.id.empty()) return answer(ErrorCode::invalid_group_id);
  if (const auto error = check_member(step.group, request.member_id, request.instance_id);
      error != ErrorCode::none) {
    return answer(error);
  }
  if (request.generation != group.head().generation) return answer(ErrorCode::illegal_generation);
  arm_session(step, *group.find(request.member_id));
  answer(group.phase() == ClassicPhase::preparing ? ErrorCode::rebalance_in_progress : ErrorCode::none);
}

ErrorCode check_commit(Step& step, const CommitOffsets& request) {
  auto& group = step.group.classic;
  if (!step.group.exists()) {
    if (request.generation_or_epoch < 0) return ErrorCode::none;
    return request.knows_epochs ? ErrorCode::group_id_not_found : ErrorCode::illegal_generation;
  }
  const bool is_empty = group.phase() == ClassicPhase::empty;
  // An administrator, or a consumer that assigns itself.
  if (request.generation_or_epoch < 0 && is_empty) return ErrorCode::none;
  if (request.generation_or_epoch < 0 && request.member_id.empty() && !request.instance_id) {
    return ErrorCode::unknown_member_id;
  }
  if (const auto error = check_member(step.group, request.member_id, request.instance_id);
      error != ErrorCode::none) {
    return error;
  }
  if (request.generation_or_epoch != group.head().generation) return ErrorCode::illegal_generation;
  // It knows of the new generation and so has given up what it owned in the last one.
  if (group.phase() == ClassicPhase::completing) return ErrorCode::rebalance_in_progress;
  arm_session(step, *group.find(request.member_id));
  return ErrorCode::none;
}

}  // namespace tidegate::groups::classic
