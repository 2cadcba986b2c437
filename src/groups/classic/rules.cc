// Skeleton: every request is told to come back later.
#include "rules.h"

namespace tidegate::groups {
namespace {
constexpr auto kLater = ErrorCode::coordinator_not_available;
}

namespace classic {
void on_join(Step& step, Join request) { step.reply_at_once(request.reply, JoinReply{.error = kLater}); }
void on_sync(Step& step, Sync request) { step.reply_at_once(request.reply, SyncReply{.error = kLater}); }
void on_heartbeat(Step& step, const Heartbeat& request) {
  step.reply_at_once(request.reply, HeartbeatReply{.error = kLater});
}
void on_leave(Step& step, const Leave& request) {
  step.reply_at_once(request.reply, LeaveReply{.error = kLater});
}
ErrorCode check_commit(Step&, const CommitOffsets&) { return kLater; }
void on_member_commit(Step&, std::string_view) {}
void on_loaded(Step&) {}
void on_timer(Step&, TimerKind, const std::string&) {}
bool may_be_subscribed(const Machine&, std::string_view) { return false; }
void disband(Step&, ErrorCode) {}
void adopt(Step&) {}
void prepare_rebalance(Step&, std::string_view) {}
GroupState state_of(const Machine&) { return GroupState::empty; }
ClassicDescription describe(const Machine& group) { return {.state = state_of(group)}; }
}  // namespace classic

namespace offsets {
void on_commit(Step& step, CommitOffsets request) {
  step.reply_at_once(request.reply, CommitReply{.error = kLater});
}
void on_fetch(Step& step, const FetchOffsets& request) {
  step.reply_at_once(request.reply, FetchOffsetsReply{.error = kLater});
}
void on_delete(Step& step, const DeleteOffsets& request) {
  step.reply_at_once(request.reply, DeleteOffsetsReply{.error = kLater});
}
void on_delete_group(Step& step, const DeleteGroup& request) {
  step.reply_at_once(request.reply, DeleteGroupReply{.error = kLater});
}
void on_topics_changed(Step&, const TopicsChanged&) {}
void on_expire(Step&) {}
void erase_all(Step&) {}
}  // namespace offsets

}  // namespace tidegate::groups
