// ConsumerGroupHeartbeat: join, change, report, and leave of members that speak the new protocol.
#include <algorithm>

#include "consumer/consumer_rules.h"

namespace tidegate::groups::consumer {
namespace {

std::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::invalid_request, std::move(message));
}

bool is_empty(const std::optional<std::string>& text) { return text && text->empty(); }

Result<void> check_assignor(const Machine& group, const ConsumerHeartbeat& request) {
  const auto& known = group.limits.consumer_assignors;
  if (!request.assignor || std::ranges::find(known, *request.assignor) != known.end()) return {};
  std::string names;
  for (const auto& name : known) names += (names.empty() ? "" : ", ") + name;
  return fail(ErrorCode::unsupported_assignor, "ServerAssignor " + *request.assignor +
                                                   " is not supported. Supported assignors: " + names + ".");
}

// What the group would have to remember of the member, in bytes.
std::size_t size_of(const ConsumerHeartbeat& request) {
  std::size_t bytes = request.client.id.size();
  for (const auto* text :
       {&request.instance_id, &request.rack_id, &request.assignor, &request.subscribed_regex}) {
    if (*text) bytes += (*text)->size();
  }
  if (request.subscribed_topics) {
    for (const auto& topic : *request.subscribed_topics) bytes += topic.size() + sizeof(topic);
  }
  return bytes;
}

// The shape of a request, in the order in which Kafka looks at it.
Result<void> check_shape(const Machine& group, const ConsumerHeartbeat& request) {
  if (!group.limits.consumer_enabled) {
    return fail(ErrorCode::unsupported_version, "The consumer group protocol is switched off.");
  }
  const bool has_id =
      request.client_makes_id || request.member_epoch > 0 || request.member_epoch == kLeaveEpoch;
  if (has_id && request.member_id.empty()) return invalid("MemberId can't be empty.");
  if (group.id.empty()) return invalid("GroupId can't be empty.");
  if (is_empty(request.instance_id)) return invalid("InstanceId can't be empty.");
  if (is_empty(request.rack_id)) return invalid("RackId can't be empty.");
  if (request.member_epoch == kJoinEpoch) {
    if (request.rebalance_timeout_ms == -1) {
      return invalid("RebalanceTimeoutMs must be provided in first request.");
    }
    if (!request.owned_partitions || !request.owned_partitions->empty()) {
      return invalid("TopicPartitions must be empty when (re-)joining.");
    }
    if (!request.subscribed_topics && !request.subscribed_regex) {
      return invalid(
          "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
    }
  } else if (request.member_epoch == kLeaveForAWhileEpoch && !request.instance_id) {
    return invalid("InstanceId can't be null.");
  } else if (request.member_epoch < kLeaveForAWhileEpoch) {
    return invalid("MemberEpoch is invalid.");
  }
  if (size_of(request) > group.limits.max_member_metadata_bytes) {
    return invalid("The subscription is larger than group.max.member.metadata.bytes allows.");
  }
  return check_assignor(group, request);
}

std::optional<PartitionSet> owned_of(const ConsumerHeartbeat& request) {
  if (!request.owned_partitions) return std::nullopt;
  return to_set(*request.owned_partitions);
}

// An epoch that is not the member's own fences it. Excepted are a member that begins anew, and one whose last
// answer, the one with the higher epoch, may have been lost: it owns nothing that it should not.
Result<void> check_epoch(const ConsumerMember& member, const ConsumerHeartbeat& request) {
  const auto& current = member.current;
  const auto epoch = request.member_epoch;
  if (epoch == kJoinEpoch || epoch == current.member_epoch) return {};
  if (epoch < current.member_epoch && epoch == current.previous_epoch) {
    const auto owned = owned_of(request);
    if (owned && is_subset(*owned, to_set(current.assigned))) return {};
  }
  return fail(ErrorCode::fenced_member_epoch,
              "Member epoch " + std::to_string(epoch) + " is " +
                  (epoch > current.member_epoch ? "ahead of " : "behind ") +
                  std::to_string(current.member_epoch) +
                  ", the one known here. The member must abandon all its partitions and rejoin.");
}

// Whom a request speaks for, decided before anything changes.
struct Speaker {
  std::string member_id;
  std::optional<std::string> takes_over;  // the former member id of its instance id
};

// Who is there already; an id that nobody has is a new member's when it joins.
Result<Speaker> identify(Machine& group, const ConsumerHeartbeat& request) {
  const bool joins = request.member_epoch == kJoinEpoch;
  if (request.instance_id && !joins) {
    const auto member = find_static(group, *request.instance_id, request.member_id);
    if (!member) return fail(member.error());
    if (const auto epoch = check_epoch(**member, request); !epoch) return fail(epoch.error());
    return Speaker{request.member_id, {}};
  }
  if (request.instance_id) {
    const auto* holder = group.consumer.holder_of(*request.instance_id);
    if (holder == nullptr || *holder == request.member_id) return Speaker{request.member_id, {}};
    const auto* member = group.consumer.find(*holder);
    if (!member->is_classic() && member->current.member_epoch != kLeaveForAWhileEpoch) {
      return fail(ErrorCode::unreleased_instance_id,
                  "Instance id " + *request.instance_id + " is in use by member " + *holder + ".");
    }
    return Speaker{request.member_id, *holder};
  }
  const auto* member = group.consumer.find(request.member_id);
  if (member == nullptr && !joins) {
    return fail(ErrorCode::unknown_member_id,
                "Member " + request.member_id + " is not a member of the group.");
  }
  if (member != nullptr) {
    if (const auto epoch = check_epoch(*member, request); !epoch) return fail(epoch.error());
  }
  return Speaker{request.member_id, {}};
}

ConsumerMemberData updated(const ConsumerMember* member, ConsumerHeartbeat& request) {
  ConsumerMemberData data = member != nullptr ? member->data : ConsumerMemberData{};
  data.member_id = request.member_id;
  if (request.instance_id) data.instance_id = request.instance_id;
  if (request.rack_id) data.rack_id = request.rack_id;
  if (request.rebalance_timeout_ms != -1) data.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.subscribed_topics) {
    data.subscribed_topics = std::move(*request.subscribed_topics);
    std::ranges::sort(data.subscribed_topics);
    const auto repeats = std::ranges::unique(data.subscribed_topics);
    data.subscribed_topics.erase(repeats.begin(), repeats.end());
  }
  // An empty expression takes the subscription by expression back.
  if (request.subscribed_regex) {
    data.subscribed_regex = request.subscribed_regex->empty() ? std::nullopt : request.subscribed_regex;
  }
  if (request.assignor) data.assignor = request.assignor;
  data.client_id = request.client.id;
  data.client_host = request.client.host;
  data.classic.reset();
  return data;
}

// A static member that comes back under the same id begins anew with what was kept for it.
void begin_anew(Step& step, const std::string& member_id) {
  const auto* member = step.group.consumer.find(member_id);
  if (member == nullptr || member->current.member_epoch != kLeaveForAWhileEpoch) return;
  auto current = member->current;
  current.member_epoch = kJoinEpoch;
  current.previous_epoch = kJoinEpoch;
  step.emit(PutCurrentAssignment{member_id, std::move(current)});
}

void reply_to(Step& step, const ConsumerHeartbeat& request, const ConsumerMember& member,
              bool tell_assignment) {
  ConsumerHeartbeatReply reply{
      .error = ErrorCode::none,
      .error_message = {},
      .member_id = member.data.member_id,
      .member_epoch = member.current.member_epoch,
      .heartbeat_interval_ms = static_cast<std::int32_t>(
          std::chrono::duration_cast<std::chrono::milliseconds>(step.group.limits.consumer_heartbeat_interval)
              .count()),
      .assignment = {}};
  if (tell_assignment) reply.assignment = member.current.assigned;
  step.reply(request.reply, std::move(reply));
}

// Members of the classic protocol that become ones of the new have no use for their timers.
void stop_classic_timers(ConsumerMember& member) {
  member.join.cancel();
  member.sync.cancel();
}

// Kafka says GROUP_ID_NOT_FOUND here, which ends a client for good. One that was silent for longer than its
// session while its group went back to the classic protocol only has to join anew, which converts the group
// once more.
Result<void> not_a_member_any_more(const Machine& group, const ConsumerHeartbeat& request) {
  if (group.type == GroupType::classic &&
      may_become_consumer(group, request.member_id, request.instance_id)) {
    return fail(ErrorCode::unknown_member_id,
                "Member " + request.member_id + " is not a member of the group, which is a classic one now.");
  }
  return fail(ErrorCode::group_id_not_found, "Consumer group " + group.id + " not found.");
}

Result<void> prepare(Step& step, ConsumerHeartbeat& request) {
  auto& group = step.group;
  const bool joins = request.member_epoch == kJoinEpoch;
  if (group.type != GroupType::consumer) {
    if (!joins) return not_a_member_any_more(group, request);
    const auto may = may_become_consumer(group, request.member_id, request.instance_id);
    if (!may) return may;
  } else if (is_full(group, request.member_id, request.instance_id)) {
    return fail(ErrorCode::group_max_size_reached, "The consumer group has reached its maximum capacity of " +
                                                       std::to_string(group.limits.consumer_max_size) +
                                                       " members.");
  }
  return {};
}

Result<void> check_regex(const Machine& group, const ConsumerHeartbeat& request) {
  if (!request.subscribed_regex || request.subscribed_regex->empty()) return {};
  const auto pattern = TopicPattern::compile(*request.subscribed_regex, group.limits.max_regex_bytes);
  if (!pattern) return fail(pattern.error());
  return {};
}

Result<void> beat(Step& step, ConsumerHeartbeat& request) {
  auto& group = step.group;
  if (request.member_id.empty()) request.member_id = random_uuid(group.rng).to_string();
  if (const auto ready = prepare(step, request); !ready) return ready;
  // Nobody in a group that is converted here speaks the new protocol yet, so identify() refuses nobody then
  // and no half-done conversion is left behind. Else who is fenced hears of that first, as in Kafka, and not
  // that its expression is bad.
  const bool begins = group.type != GroupType::consumer;
  if (begins) {
    if (const auto good = check_regex(group, request); !good) return good;
    become_consumer(step);
  }
  const auto speaker = identify(group, request);
  if (!speaker) return fail(speaker.error());
  if (const auto good = check_regex(group, request); !good) return good;
  if (speaker->takes_over) replace_member(step, *speaker->takes_over, request.member_id);
  begin_anew(step, request.member_id);

  const bool is_full_request =
      request.member_epoch == kJoinEpoch || (request.rebalance_timeout_ms != -1 && request.owned_partitions &&
                                             (request.subscribed_topics || request.subscribed_regex));
  const auto owned = owned_of(request);
  const auto* before = group.consumer.find(request.member_id);
  const auto told = before != nullptr ? before->current.assigned : std::vector<TopicPartitions>{};
  const bool changed = put_member(step, updated(before, request));
  // What a classic leader had assigned so far may be half of it: also for a member that was there before.
  if (changed || begins) raise_epoch(step);
  update_target(step);
  reconcile(step, request.member_id, owned);

  auto* member = group.consumer.find(request.member_id);
  stop_classic_timers(*member);
  arm_session(step, *member);
  reply_to(step, request, *member, is_full_request || member->current.assigned != told);
  return {};
}

// A static member that closes may come back within its session: its partitions wait for it.
void leave_for_a_while(Step& step, ConsumerMember& member) {
  auto current = member.current;
  current.member_epoch = kLeaveForAWhileEpoch;
  current.state = ReconcileState::stable;
  current.revoking.clear();
  step.emit(PutCurrentAssignment{member.data.member_id, std::move(current)});
  member.rebalance.cancel();
}

Result<void> leave(Step& step, const ConsumerHeartbeat& request) {
  auto& group = step.group;
  if (group.type != GroupType::consumer) {
    return fail(ErrorCode::group_id_not_found, "Consumer group " + group.id + " not found.");
  }
  ConsumerMember* member = nullptr;
  if (request.instance_id) {
    const auto found = find_static(group, *request.instance_id, request.member_id);
    if (!found) return fail(found.error());
    member = *found;
  } else {
    member = group.consumer.find(request.member_id);
  }
  if (member == nullptr) {
    return fail(ErrorCode::unknown_member_id,
                "Member " + request.member_id + " is not a member of the group.");
  }
  if (request.member_epoch == kLeaveForAWhileEpoch) {
    leave_for_a_while(step, *member);
  } else {
    const std::string id = request.member_id;
    remove_members(step, std::span(&id, 1), "it left");
  }
  ConsumerHeartbeatReply reply;
  reply.member_id = request.member_id;
  reply.member_epoch = request.member_epoch;
  step.reply(request.reply, std::move(reply));
  return {};
}

}  // namespace

void on_heartbeat(Step& step, ConsumerHeartbeat request) {
  auto done = check_shape(step.group, request);
  if (done) done = request.member_epoch < kJoinEpoch ? leave(step, request) : beat(step, request);
  if (done) return;
  ConsumerHeartbeatReply reply;
  reply.error = done.error().code;
  reply.error_message = std::move(done.error().message);
  step.reply_at_once(request.reply, std::move(reply));
}

}  // namespace tidegate::groups::consumer
