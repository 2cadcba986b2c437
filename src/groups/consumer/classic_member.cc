// Members that speak the classic protocol in a group of the new one: JoinGroup, SyncGroup, Heartbeat and
// LeaveGroup over the same epochs and assignments. A join is one step of the member towards its target; it
// is told by REBALANCE_IN_PROGRESS when the next step is due. The member epoch is its generation.
#include <algorithm>

#include "consumer/consumer_rules.h"
#include "tidegate/groups/consumer_protocol.h"

namespace tidegate::groups::consumer {
namespace {

constexpr std::string_view kProtocolType = "consumer";

std::chrono::milliseconds rebalance_timeout(const ConsumerMember& member) {
  return std::chrono::milliseconds(std::max(member.data.rebalance_timeout_ms, 0));
}

void arm(Step& step, Timer& timer, TimerKind kind, const ConsumerMember& member) {
  const auto name = step.group.consumer.members().find(member.data.member_id);
  timer.arm(step.group.timers, kind, name->first, step.after(rebalance_timeout(member)));
}

std::optional<ErrorCode> refusal(const Machine& group, const Join& request) {
  const auto& limits = group.limits;
  const auto session = std::chrono::milliseconds(request.session_timeout_ms);
  if (session < limits.min_session_timeout || session > limits.max_session_timeout) {
    return ErrorCode::invalid_session_timeout;
  }
  if (is_full(group, request.member_id, request.instance_id)) return ErrorCode::group_max_size_reached;
  std::size_t bytes = 0;
  for (const auto& protocol : request.protocols) bytes += protocol.name.size() + protocol.metadata.size();
  if (bytes > limits.max_member_metadata_bytes) return ErrorCode::message_too_large;
  // Something that all classic members speak, so that the group can go back some day.
  const auto all_speak = [&](const JoinProtocol& protocol) {
    return group.consumer.classic_support_for(protocol.name) == group.consumer.classic_members();
  };
  if (request.protocol_type != kProtocolType || std::ranges::none_of(request.protocols, all_speak)) {
    return ErrorCode::inconsistent_group_protocol;
  }
  return std::nullopt;
}

ConsumerMemberData updated(const ConsumerMember* member, const Join& request,
                           const ConsumerProtocolSubscription& subscription) {
  ConsumerMemberData data = member != nullptr ? member->data : ConsumerMemberData{};
  data.member_id = request.member_id;
  if (request.instance_id) data.instance_id = request.instance_id;
  if (subscription.rack_id) data.rack_id = subscription.rack_id;
  data.rebalance_timeout_ms =
      request.rebalance_timeout_ms >= 0 ? request.rebalance_timeout_ms : request.session_timeout_ms;
  data.subscribed_topics = subscription.topics;
  std::ranges::sort(data.subscribed_topics);
  const auto repeats = std::ranges::unique(data.subscribed_topics);
  data.subscribed_topics.erase(repeats.begin(), repeats.end());
  data.subscribed_regex.reset();
  data.assignor.reset();
  data.client_id = request.client.id;
  data.client_host = request.client.host;
  data.classic = ClassicSideOfMember{request.session_timeout_ms, request.protocols};
  return data;
}

// The former member id when the join takes over a static member; an error when it may not.
Result<std::optional<std::string>> takes_over(Machine& group, const Join& request, bool id_is_new) {
  if (!request.instance_id) return std::nullopt;
  if (!id_is_new) {
    const auto member = find_static(group, *request.instance_id, request.member_id);
    if (!member) return fail(member.error());
    return std::nullopt;
  }
  const auto* holder = group.consumer.holder_of(*request.instance_id);
  return holder == nullptr ? std::nullopt : std::optional(*holder);
}

void answer(Step& step, const Join& request, const ConsumerMember& member, const std::string& protocol) {
  JoinReply reply;
  reply.generation = member.current.member_epoch;
  reply.protocol_type = kProtocolType;
  reply.protocol = protocol;
  reply.member_id = member.data.member_id;
  step.reply(request.reply, std::move(reply));
}

void join(Step& step, const Join& request, const ConsumerProtocolSubscription& subscription,
          const std::optional<std::string>& former) {
  auto& group = step.group;
  const auto* old = former ? group.consumer.find(*former) : nullptr;
  const bool replaces_new_protocol = old != nullptr && !old->is_classic();
  if (former) replace_member(step, *former, request.member_id);
  if (put_member(step, updated(group.consumer.find(request.member_id), request, subscription))) {
    raise_epoch(step);
  }
  update_target(step);
  reconcile(step, request.member_id, from_names(subscription.owned_partitions, group.topics));

  auto* member = group.consumer.find(request.member_id);
  const auto protocol = request.protocols.front().name;
  member->rebalance.cancel();
  member->join.cancel();
  arm_session(step, *member);
  arm(step, member->sync, TimerKind::consumer_sync, *member);
  answer(step, request, *member, protocol);
  // The last one of the new protocol came back as a classic member. The others go on as they are, unless
  // somebody has yet to give up what the target has for another.
  if (replaces_new_protocol && may_become_classic(group, {})) {
    const bool at_rest = state_of(group) == GroupState::stable;
    become_classic(step, {}, at_rest ? AfterConversion::leave_stable : AfterConversion::rebalance);
  }
}

// The member that a Sync, Heartbeat or Leave comes from.
Result<ConsumerMember*> find_member(Machine& group, const std::string& member_id,
                                    const std::optional<std::string>& instance_id) {
  if (instance_id) return find_static(group, *instance_id, member_id);
  auto* member = group.consumer.find(member_id);
  if (member == nullptr) return fail(ErrorCode::unknown_member_id);
  return member;
}

Result<ConsumerMember*> find_classic(Machine& group, const std::string& member_id,
                                     const std::optional<std::string>& instance_id, std::int32_t generation) {
  const auto member = find_member(group, member_id, instance_id);
  if (!member) return member;
  if (!(*member)->is_classic()) return fail(ErrorCode::unknown_member_id);
  if ((*member)->current.member_epoch != generation) return fail(ErrorCode::illegal_generation);
  return member;
}

// Told to rejoin, it has its rebalance timeout to do so; being told again changes nothing.
void expect_join(Step& step, ConsumerMember& member) {
  if (!member.join.armed()) arm(step, member.join, TimerKind::consumer_join, member);
}

Result<ConsumerMember*> may_sync(Step& step, const Sync& request) {
  const auto member = find_classic(step.group, request.member_id, request.instance_id, request.generation);
  if (!member) return member;
  const auto& protocol = (*member)->data.classic->protocols.front().name;
  if ((request.protocol_type && *request.protocol_type != kProtocolType) ||
      (request.protocol && *request.protocol != protocol)) {
    return fail(ErrorCode::inconsistent_group_protocol);
  }
  // One that has still to give up partitions has joined for this epoch already; it is told what it keeps.
  const auto& current = (*member)->current;
  if (step.group.consumer.head().group_epoch > current.member_epoch &&
      current.state != ReconcileState::unrevoked_partitions) {
    expect_join(step, **member);
    return fail(ErrorCode::rebalance_in_progress);
  }
  return member;
}

}  // namespace

void on_join(Step& step, Join request) {
  auto& group = step.group;
  const auto refuse = [&](ErrorCode code) {
    step.reply_at_once(request.reply, JoinReply{.error = code, .member_id = request.member_id});
  };
  if (!group.limits.cooperative_sticky_enabled) {
    std::erase_if(request.protocols,
                  [](const auto& protocol) { return protocol.name == "cooperative-sticky"; });
  }
  if (const auto code = refusal(group, request)) return refuse(*code);
  const auto subscription = decode_subscription(request.protocols.front().metadata);
  if (!subscription) return refuse(ErrorCode::inconsistent_group_protocol);
  const bool id_is_new = request.member_id.empty();
  if (id_is_new) {
    request.member_id = make_member_id(group.rng, request.instance_id.value_or(request.client.id));
    if (!request.instance_id && request.member_id_required) return refuse(ErrorCode::member_id_required);
  }
  const auto former = takes_over(group, request, id_is_new);
  if (!former) return refuse(former.error().code);
  // Ids given out by MEMBER_ID_REQUIRED are not remembered here, so an unknown one is good. Not so that of a
  // cooperative member that was removed and comes back with all it had: somebody else has that by now.
  const bool was_member = subscription->generation_id >= 0 || !subscription->owned_partitions.empty();
  if (!id_is_new && was_member && group.consumer.find(request.member_id) == nullptr) {
    return refuse(ErrorCode::unknown_member_id);
  }
  join(step, request, *subscription, *former);
}

void on_sync(Step& step, Sync request) {
  const auto found = may_sync(step, request);
  if (!found) return step.reply_at_once(request.reply, SyncReply{.error = found.error().code});
  auto& member = **found;
  member.sync.cancel();
  arm_session(step, member);
  ConsumerProtocolAssignment assignment;
  assignment.assigned_partitions = to_names(member.current.assigned, step.group.topics);
  const auto version = consumer_protocol_version(member.data.classic->protocols.front().metadata).value_or(0);
  SyncReply reply;
  reply.protocol_type = request.protocol_type;
  reply.protocol = request.protocol;
  reply.assignment =
      encode_assignment(assignment, std::min(version, ConsumerProtocolAssignment::kHighestVersion));
  step.reply(request.reply, std::move(reply));
}

void on_classic_heartbeat(Step& step, const Heartbeat& request) {
  const auto found = find_classic(step.group, request.member_id, request.instance_id, request.generation);
  if (!found) return step.reply_at_once(request.reply, HeartbeatReply{.error = found.error().code});
  auto& member = **found;
  arm_session(step, member);
  const auto state = member.current.state;
  // The group moved on; or it has to come and confirm what it gave up; or what it waited for is free now.
  const bool should_rejoin =
      member.current.member_epoch < step.group.consumer.head().group_epoch ||
      state == ReconcileState::unrevoked_partitions ||
      (state == ReconcileState::unreleased_partitions && !waits_for_partitions(step.group, member));
  if (should_rejoin) expect_join(step, member);
  step.reply_at_once(request.reply, HeartbeatReply{.error = should_rejoin ? ErrorCode::rebalance_in_progress
                                                                          : ErrorCode::none});
}

void on_leave(Step& step, const Leave& request) {
  LeaveReply reply;
  std::vector<std::string> leaving;
  for (const auto& one : request.members) {
    auto& row = reply.members.emplace_back(
        LeaveReply::Member{.member_id = one.member_id, .instance_id = one.instance_id});
    const bool by_instance = one.instance_id && one.member_id.empty();
    const auto* holder = by_instance ? step.group.consumer.holder_of(*one.instance_id) : nullptr;
    const auto found = find_member(step.group, holder != nullptr ? *holder : one.member_id, one.instance_id);
    if (!found) {
      row.error = found.error().code;
      continue;
    }
    // The answer repeats the request: clients look a member up by what they asked with.
    // A member of the new protocol, too: an administrator removes it this way.
    const auto& id = (*found)->data.member_id;
    if (std::ranges::find(leaving, id) == leaving.end()) leaving.push_back(id);
  }
  remove_members(step, leaving, "it left");
  step.reply(request.reply, std::move(reply));
}

}  // namespace tidegate::groups::consumer
