// JoinGroup: who may enter, under which id, and whether that needs a rebalance. The order of the checks is
// Kafka's: clients tell the errors apart.
#include <algorithm>
#include <utility>

#include "classic/phases.h"

namespace tidegate::groups::classic {
namespace {

void refuse(Step& step, const Join& request, ErrorCode error, std::string member_id) {
  step.reply(request.reply, JoinReply{.error = error, .member_id = std::move(member_id)});
}

ErrorCode check_shape(const Machine& group, const Join& request) {
  if (group.id.empty()) return ErrorCode::invalid_group_id;
  const std::chrono::milliseconds session(request.session_timeout_ms);
  if (session < group.limits.min_session_timeout || session > group.limits.max_session_timeout) {
    return ErrorCode::invalid_session_timeout;
  }
  std::size_t bytes = 0;
  for (const auto& protocol : request.protocols) bytes += protocol.name.size() + protocol.metadata.size();
  return bytes > group.limits.max_member_metadata_bytes ? ErrorCode::message_too_large : ErrorCode::none;
}

// group.max.size. While members are collected those that came count, so that a limit that was lowered
// sends away who comes last.
bool has_room_for(const Machine& group, std::string_view member_id) {
  const auto size = group.classic.size();
  const auto* member = group.classic.find(member_id);
  switch (group.classic.phase()) {
    case ClassicPhase::empty:
      return true;
    case ClassicPhase::preparing:
      if (size < group.limits.max_group_size || (member != nullptr && member->join)) return true;
      return group.classic.counts().joins < group.limits.max_group_size;
    case ClassicPhase::completing:
    case ClassicPhase::stable:
      return member != nullptr || size < group.limits.max_group_size;
  }
  return true;
}

ClassicMemberData data_of(const Join& request, std::string member_id) {
  return {.member_id = std::move(member_id),
          .instance_id = request.instance_id,
          .client_id = request.client.id,
          .client_host = request.client.host,
          .session_timeout_ms = request.session_timeout_ms,
          .rebalance_timeout_ms =
              request.rebalance_timeout_ms < 0 ? request.session_timeout_ms : request.rebalance_timeout_ms,
          .protocols = request.protocols};
}

// A member of an earlier request whose client has asked again: the older connection gets an answer, too.
void park(Step& step, ClassicMember& member, ReplyId reply) {
  if (member.join) {
    step.reply(member.join.id(),
               JoinReply{.error = ErrorCode::rebalance_in_progress, .member_id = member.data.member_id});
  }
  member.join.park(reply);
}

// The group has a classic head with the protocol type of its first member. An empty one of the other type
// changes freely, and counts on from where it was: Kafka begins anew, so that there one generation may have
// had two owners of a partition.
void prepare_head(Step& step, const std::string& protocol_type) {
  auto& group = step.group;
  if (group.type == GroupType::classic && group.classic.head().protocol_type == protocol_type) return;
  auto head = group.classic.head();
  if (group.type == GroupType::consumer) {
    head.generation = group.consumer.head().group_epoch;
    erase_head(step);
  }
  head.protocol_type = protocol_type;
  if (head.phase_since_ms < 0) head.phase_since_ms = step.now.wall_ms;
  step.emit(PutClassicHead{std::move(head)});
}

void add_member(Step& step, Join request, const std::string& member_id) {
  auto& group = step.group.classic;
  if (group.size() == 0) {
    prepare_head(step, request.protocol_type);
    group.first_joiner = member_id;
  }
  group.pending_ids.erase(member_id);
  if (group.initial.active) group.initial.member_added = true;
  step.emit(PutClassicMember{data_of(request, member_id)});
  auto& member = *group.find(member_id);
  member.join.park(request.reply);
  member.is_new = true;
  member.session.arm(step.group.timers, TimerKind::classic_session, member.id,
                     step.after(step.group.limits.new_member_join_timeout));
  rebalance_or_complete(step, "a member joins", std::move(request.reason));
}

void update_member(Step& step, Join request, ClassicMember& member, std::string_view why) {
  auto data = data_of(request, member.data.member_id);
  data.instance_id = member.data.instance_id;
  if (data != member.data) step.emit(PutClassicMember{std::move(data)});
  park(step, member, request.reply);
  rebalance_or_complete(step, why, std::move(request.reason));
}

// The instance has started anew: its new member id takes over everything that the old one had.
ClassicMember& replace_static(Step& step, const Join& request, const std::string& old_id,
                              const std::string& new_id) {
  auto& group = step.group.classic;
  auto& old = *group.find(old_id);
  if (old.join) {
    step.reply(*old.join.take(), JoinReply{.error = ErrorCode::fenced_instance_id, .member_id = old_id});
  }
  fail_sync(step, old, ErrorCode::fenced_instance_id);
  const bool synced = old.synced;
  auto assignment = old.assignment;
  const bool led = is_leader(step.group, old_id);
  if (group.first_joiner == old_id) group.first_joiner = new_id;

  step.emit(EraseClassicMember{old_id});
  step.emit(PutClassicMember{data_of(request, new_id)});
  if (!assignment.empty()) step.emit(PutClassicAssignment{new_id, std::move(assignment)});
  if (led) {
    auto head = group.head();
    head.leader = new_id;
    step.emit(PutClassicHead{std::move(head)});
  }
  auto& member = *group.find(new_id);
  member.synced = synced;
  arm_session(step, member);
  return member;
}

void rejoin_static(Step& step, Join request, const std::string& old_id) {
  auto& group = step.group.classic;
  const auto old_leader = group.head().leader;
  const auto new_id = make_member_id(step.group.rng, *request.instance_id);
  auto& member = replace_static(step, request, std::string(old_id), new_id);
  if (group.phase() != ClassicPhase::stable || group.head().protocol != select_protocol(step.group)) {
    member.join.park(request.reply);
    return rebalance_or_complete(step, "a static member came back", std::move(request.reason));
  }

  // KIP-345: no rebalance. A leader that came back must not think that it has to assign: it is told so
  // (KIP-814), or by older versions that somebody else leads.
  auto reply = generation_reply(step.group, new_id);
  if (request.can_skip_assignment) {
    reply.skip_assignment = is_leader(step.group, new_id);
  } else {
    reply.members.clear();
    reply.leader = old_leader.value_or("");
  }
  step.reply(request.reply, std::move(reply));
}

void join_without_id(Step& step, Join request) {
  auto& group = step.group.classic;
  if (request.instance_id) {
    if (const auto* holder = group.holder_of(*request.instance_id)) {
      return rejoin_static(step, std::move(request), std::string(*holder));
    }
    const auto id = make_member_id(step.group.rng, *request.instance_id);
    return add_member(step, std::move(request), id);
  }
  const auto id = make_member_id(step.group.rng, request.client.id);
  if (!request.member_id_required) return add_member(step, std::move(request), id);
  group.pending_ids.add(id, step.group.limits.max_pending_ids, step.group.timers,
                        step.after(std::chrono::milliseconds(request.session_timeout_ms)));
  refuse(step, request, ErrorCode::member_id_required, id);
}

void rejoin(Step& step, Join request) {
  auto& group = step.group.classic;
  if (const auto error = check_member(step.group, request.member_id, request.instance_id);
      error != ErrorCode::none) {
    return refuse(step, request, error, request.member_id);
  }
  auto& member = *group.find(request.member_id);
  const bool same = member.data.protocols == request.protocols;
  switch (group.phase()) {
    case ClassicPhase::preparing:
      return update_member(step, std::move(request), member, "a member rejoins");
    case ClassicPhase::completing:
      // The answer to the first join may have been lost.
      if (same) return step.reply(request.reply, generation_reply(step.group, member.data.member_id));
      return update_member(step, std::move(request), member, "a member changed its metadata");
    case ClassicPhase::stable: {
      // The leader's join says that it wants to assign anew, perhaps because topics changed.
      if (is_leader(step.group, member.data.member_id)) {
        return update_member(step, std::move(request), member, "the leader rejoins");
      }
      if (!same) return update_member(step, std::move(request), member, "a member changed its metadata");
      return step.reply(request.reply, generation_reply(step.group, member.data.member_id));
    }
    case ClassicPhase::empty:
      break;  // has no members
  }
  refuse(step, request, ErrorCode::unknown_member_id, request.member_id);
}

}  // namespace

void on_join(Step& step, Join request) {
  auto& group = step.group.classic;
  if (const auto error = check_shape(step.group, request); error != ErrorCode::none) {
    return refuse(step, request, error, request.member_id);
  }
  if (!step.group.limits.cooperative_sticky_enabled && request.protocol_type == kConsumerProtocolType) {
    std::erase_if(request.protocols,
                  [](const JoinProtocol& protocol) { return protocol.name == kCooperativeSticky; });
  }
  if (!has_room_for(step.group, request.member_id)) {
    group.pending_ids.erase(request.member_id);
    if (group.find(request.member_id) != nullptr) {
      remove_member(step, request.member_id, ErrorCode::group_max_size_reached, "the group is too large");
    }
    refuse(step, request, ErrorCode::group_max_size_reached, {});
    return maybe_complete_join(step);
  }
  // A group that is not there knows no member, whatever it speaks.
  if (!request.member_id.empty() && !step.group.exists() && group.pending_ids.empty()) {
    return refuse(step, request, ErrorCode::unknown_member_id, request.member_id);
  }
  if (!supports(step.group, request.protocol_type, request.protocols)) {
    return refuse(step, request, ErrorCode::inconsistent_group_protocol, request.member_id);
  }
  if (request.member_id.empty()) return join_without_id(step, std::move(request));
  if (!request.instance_id && group.pending_ids.contains(request.member_id)) {
    const auto id = request.member_id;
    return add_member(step, std::move(request), id);
  }
  rejoin(step, std::move(request));
}

}  // namespace tidegate::groups::classic
