// Entry points of the KIP-848 rules. Not written yet: the consumer protocol is refused, and no record of
// that kind is ever emitted, so nothing here meets a group of type consumer.
#include "machine.h"

namespace tidegate::groups::consumer {

void on_heartbeat(Step& step, ConsumerHeartbeat request) {
  step.reply_at_once(request.reply, ConsumerHeartbeatReply{.error = ErrorCode::unsupported_version});
}
void on_join(Step& step, Join request) {
  step.reply_at_once(request.reply, JoinReply{.error = ErrorCode::inconsistent_group_protocol});
}
void on_sync(Step& step, Sync request) {
  step.reply_at_once(request.reply, SyncReply{.error = ErrorCode::unknown_member_id});
}
void on_classic_heartbeat(Step& step, const Heartbeat& request) {
  step.reply_at_once(request.reply, HeartbeatReply{.error = ErrorCode::unknown_member_id});
}
void on_leave(Step& step, const Leave& request) {
  step.reply_at_once(request.reply, LeaveReply{.error = ErrorCode::unknown_member_id});
}

ErrorCode check_commit(Step&, const CommitOffsets&) { return ErrorCode::unknown_member_id; }
ErrorCode check_fetch(Step&, const FetchOffsets&) { return ErrorCode::unknown_member_id; }
void on_loaded(Step&) {}
void on_timer(Step&, TimerKind, const std::string&) {}
void on_topics_changed(Step&, const TopicsChanged&) {}
bool is_subscribed(const Machine&, std::string_view) { return false; }

GroupState state_of(const Machine& group) {
  return group.consumer.members().empty() ? GroupState::empty : GroupState::stable;
}
ConsumerDescription describe(const Machine& group) { return {.state = state_of(group)}; }

}  // namespace tidegate::groups::consumer
