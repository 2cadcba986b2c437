// From one generation to the next: preparing collects the joins, completing waits for the leader's
// assignment. Timers of both phases and of members end up here.
#include <algorithm>
#include <limits>
#include <utility>

#include "classic/phases.h"

namespace tidegate::groups::classic {
namespace {

std::vector<std::string> members_that(const Machine& group, bool (*wanted)(const ClassicMember&)) {
  std::vector<std::string> ids;
  for (const auto& [id, member] : group.classic.members()) {
    if (wanted(member)) ids.push_back(id);
  }
  return ids;
}

bool all_joined(const Machine& group) {
  return group.classic.pending_ids.empty() && group.classic.counts().joins == group.classic.size();
}

void enter(Step& step, ClassicPhase phase, ClassicHead head) {
  head.phase = phase;
  head.phase_since_ms = step.now.wall_ms;
  step.emit(PutClassicHead{std::move(head)});
}

std::int32_t generation_after(std::int32_t generation) {
  return generation == std::numeric_limits<std::int32_t>::max() ? 1 : generation + 1;
}

// The last leader if it came back, else who came first, else anyone who came.
std::string elect_leader(const Machine& group) {
  const auto came = [&](std::string_view id) {
    const auto* member = group.classic.find(id);
    return member != nullptr && member->join;
  };
  const auto& last = group.classic.head().leader;
  if (last && came(*last)) return *last;
  if (came(group.classic.first_joiner)) return group.classic.first_joiner;
  const auto& members = group.classic.members();
  return std::ranges::find_if(members, [](const auto& entry) { return bool(entry.second.join); })->first;
}

void arm_join_timer(Step& step, Duration delay) {
  step.group.classic.join_timer.arm(step.group.timers, TimerKind::classic_join, {}, step.after(delay));
}

void become_empty(Step& step) {
  auto head = step.group.classic.head();
  head.generation = generation_after(head.generation);
  head.protocol.reset();
  head.leader.reset();
  step.group.classic.first_joiner.clear();
  step.note({.event = "generation", .why = "no member is left", .generation = head.generation});
  enter(step, ClassicPhase::empty, std::move(head));
}

void complete_join(Step& step) {
  auto& group = step.group.classic;
  group.join_timer.cancel();
  group.initial = {};
  for (const auto& id : members_that(
           step.group, [](const ClassicMember& member) { return !member.join && !member.is_static(); })) {
    remove_member(step, id, ErrorCode::unknown_member_id, "did not rejoin in time");
  }
  if (group.size() == 0) return become_empty(step);
  if (group.counts().joins == 0) {
    // Static members are all that is left and none came: wait until they do or their sessions end.
    return arm_join_timer(step,
                          std::max(rebalance_timeout(step.group), step.group.limits.min_session_timeout));
  }

  auto head = group.head();
  head.generation = generation_after(head.generation);
  head.leader = elect_leader(step.group);
  head.protocol = select_protocol(step.group);
  group.first_joiner.clear();
  step.note({.event = "generation",
             .why = "all members joined",
             .generation = head.generation,
             .members = group.size()});
  enter(step, ClassicPhase::completing, std::move(head));
  for (auto& [id, member] : group.members()) {
    if (member.join) step.reply(*member.join.take(), generation_reply(step.group, id));
    member.is_new = false;
    member.synced = false;
    arm_session(step, member);
  }
  group.sync_timer.arm(step.group.timers, TimerKind::classic_sync, {},
                       step.after(rebalance_timeout(step.group)));
}

void on_join_timer(Step& step) {
  auto& initial = step.group.classic.initial;
  if (!initial.active || !initial.member_added || initial.remaining <= Duration::zero())
    return complete_join(step);
  const auto delay = std::min(step.group.limits.initial_rebalance_delay, initial.remaining);
  initial.member_added = false;
  initial.remaining -= delay;
  arm_join_timer(step, delay);
}

void on_sync_timer(Step& step) {
  const auto late = members_that(step.group, [](const ClassicMember& member) { return !member.synced; });
  if (late.empty()) return;
  for (const auto& id : late) remove_member(step, id, ErrorCode::unknown_member_id, "did not sync in time");
  prepare_rebalance(step, "members did not ask for their assignment in time");
}

void on_session_timer(Step& step, const std::string& member_id) {
  const auto* member = step.group.classic.find(member_id);
  if (member == nullptr) return;
  // Who is parked cannot send heartbeats; the answer starts the session again. A new member is the
  // exception: its client may be gone and have joined anew under another id.
  if (!member->is_new && (member->join || member->sync)) return;
  remove_member(step, member_id, ErrorCode::unknown_member_id, "session timeout");
  rebalance_or_complete(step, "session of a member ended");
}

}  // namespace

void arm_session(Step& step, ClassicMember& member) {
  member.session.arm(step.group.timers, TimerKind::classic_session, member.id,
                     step.after(std::chrono::milliseconds(member.data.session_timeout_ms)));
}

void fail_sync(Step& step, ClassicMember& member, ErrorCode error) {
  if (member.sync) step.reply(*member.sync.take(), SyncReply{.error = error});
}

JoinReply generation_reply(const Machine& group, std::string_view member_id) {
  const auto& head = group.classic.head();
  JoinReply reply{.generation = head.generation,
                  .protocol_type = head.protocol_type,
                  .protocol = head.protocol,
                  .leader = head.leader.value_or(""),
                  .member_id = std::string(member_id)};
  if (!is_leader(group, member_id)) return reply;
  reply.members.reserve(group.classic.size());
  for (const auto& [id, member] : group.classic.members()) {
    reply.members.push_back({id, member.data.instance_id, metadata_of(member, head.protocol.value_or(""))});
  }
  return reply;
}

void remove_member(Step& step, const std::string& member_id, ErrorCode error, std::string_view why) {
  step.note({.event = "member_removed",
             .why = why,
             .member = member_id,
             .generation = step.group.classic.head().generation,
             .members = step.group.classic.size() - 1});
  auto* member = step.group.classic.find(member_id);
  if (member->join) step.reply(*member->join.take(), JoinReply{.error = error});
  fail_sync(step, *member, error);
  step.emit(EraseClassicMember{member_id});
}

void prepare_rebalance(Step& step, std::string_view why, std::string client_reason) {
  auto& group = step.group.classic;
  if (group.phase() == ClassicPhase::preparing) return;
  step.note({.event = "rebalance",
             .why = why,
             .client_reason = std::move(client_reason),
             .generation = group.head().generation,
             .members = group.size()});
  const bool is_initial = group.phase() == ClassicPhase::empty;
  for (auto& [id, member] : group.members()) {
    // The wait for an assignment was this member's sign of life.
    if (member.sync) arm_session(step, member);
    fail_sync(step, member, ErrorCode::rebalance_in_progress);
    member.synced = false;
  }
  group.sync_timer.cancel();
  enter(step, ClassicPhase::preparing, group.head());

  const auto delay = step.group.limits.initial_rebalance_delay;
  const auto timeout = rebalance_timeout(step.group);
  if (is_initial && delay > Duration::zero()) {
    group.initial = {.active = true, .remaining = std::max(timeout - delay, Duration::zero())};
    arm_join_timer(step, delay);
  } else if (is_initial || all_joined(step.group)) {
    complete_join(step);
  } else {
    arm_join_timer(step, timeout);
  }
}

void maybe_complete_join(Step& step) {
  const auto& group = step.group.classic;
  if (group.phase() != ClassicPhase::preparing || group.initial.active) return;
  if (all_joined(step.group)) complete_join(step);
}

void rebalance_or_complete(Step& step, std::string_view why, std::string client_reason) {
  if (step.group.classic.phase() == ClassicPhase::preparing) return maybe_complete_join(step);
  prepare_rebalance(step, why, std::move(client_reason));
}

void on_timer(Step& step, TimerKind kind, const std::string& member) {
  switch (kind) {
    case TimerKind::classic_join:
      return on_join_timer(step);
    case TimerKind::classic_sync:
      return on_sync_timer(step);
    case TimerKind::classic_session:
      return on_session_timer(step, member);
    case TimerKind::classic_pending_id:
      step.group.classic.pending_ids.erase(member);
      return maybe_complete_join(step);
    case TimerKind::consumer_session:
    case TimerKind::consumer_rebalance:
    case TimerKind::consumer_join:
    case TimerKind::consumer_sync:
      return;  // not ours
  }
}

}  // namespace tidegate::groups::classic
