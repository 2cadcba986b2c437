// The members of the world: what they send, and what they make of the answers.
#include <algorithm>

#include "sim/consumer_world.h"
#include "tidegate/groups/assignors.h"
#include "tidegate/groups/consumer_protocol.h"

namespace tidegate::groups::sim {
namespace {

std::vector<TopicPartitions> listed(const Owned& owned) {
  std::map<TopicId, TopicPartitions> topics;
  for (const auto& [topic, index] : owned) {
    topics[topic].topic = topic;
    topics[topic].partitions.push_back(index);
  }
  std::vector<TopicPartitions> list;
  for (auto& [id, topic] : topics) list.push_back(std::move(topic));
  return list;
}

Owned set_of(const std::vector<TopicPartitions>& topics) {
  Owned owned;
  for (const auto& topic : topics) {
    for (const auto p : topic.partitions) owned.insert({topic.topic, p});
  }
  return owned;
}

}  // namespace

template <class Request>
void ConsumerWorld::ask(int index, Request request) {
  request.reply = next_reply_++;
  if (index >= 0) {
    auto& client = clients_[static_cast<std::size_t>(index)];
    asked_[request.reply] = {.client = index};
    client.waits_for = request.reply;
    client.asked_at = now_.mono;
  } else {
    asked_[request.reply] = {};
  }
  tell(std::move(request));
}

// What it goes on owning it goes on reading; for the rest it has to ask where others stopped.
void ConsumerWorld::own(ConsumerClient& client, Owned now) {
  std::erase_if(client.places, [&](const auto& entry) { return !now.contains(entry.first); });
  for (const auto& partition : now) client.places.try_emplace(partition, Place{.since = next_reply_});
  client.owned = std::move(now);
}

// What it is told is its own from now on; what it is to give up stays so until it has.
void ConsumerWorld::take_over(ConsumerClient& client) {
  auto owned = client.owned;
  owned.insert(client.told.begin(), client.told.end());
  own(client, std::move(owned));
}

void ConsumerWorld::forget(ConsumerClient& client) {
  own(client, {});
  client.told.clear();
  client.joined = false;
  client.must_sync = false;
  client.must_join = false;
  client.epoch = 0;
}

void ConsumerWorld::start(ConsumerClient& client, int index) {
  forget(client);
  client.alive = true;
  client.waits_for = 0;
  client.stalled_until = now_.mono;
  client.classic = index >= 4;
  client.expects_id = client.classic;
  client.member_id = client.classic ? "" : "n" + std::to_string(next_member_++);
  // The last one of each protocol shares an instance id with the other.
  client.instance = index == 3 || index == 6 ? std::optional<std::string>("i") : std::nullopt;
  client.by_regex = !client.classic && chance(200);
  client.subscribed.clear();
  for (const char* name : {"a", "b", "c"}) {
    if (chance(700)) client.subscribed.emplace_back(name);
  }
}

void ConsumerWorld::leave(ConsumerClient& client, int) {
  if (client.joined && !client.classic) {
    ConsumerHeartbeat request;
    request.member_id = client.member_id;
    request.member_epoch = client.instance && chance(700) ? -2 : -1;
    request.instance_id = client.instance;
    request.client_makes_id = true;
    forget(client);
    ask(-1, std::move(request));
  } else if (client.joined) {
    Leave request;
    request.members = {{.member_id = client.member_id, .instance_id = client.instance, .reason = {}}};
    forget(client);
    ask(-1, std::move(request));
  }
  client.alive = false;
}

void ConsumerWorld::act(ConsumerClient& client, int index) {
  if (!client.alive || client.stalled_until > now_.mono) return;
  // Beside its heartbeats; a classic one not while it joins, when it does not know what it will own.
  const bool may_commit = client.joined && !client.must_sync;
  if (may_commit && chance(300)) use_offsets(client, index);
  if (client.waits_for != 0) {
    // Then it gives up; a parked join may take as long as the slowest member.
    const bool joins = client.classic && (!client.joined || client.must_join);
    const auto patience = std::chrono::seconds(joins ? 90 : 5);
    if (now_.mono - client.asked_at < patience) return;
    client.waits_for = 0;
    client.tells_all = true;
  }
  if (client.classic) {
    act_classic(client, index);
  } else {
    act_new(client, index);
  }
}

void ConsumerWorld::act_new(ConsumerClient& client, int index) {
  if (client.joined && client.beat_at > now_.mono && client.owned == client.told) return;
  client.beat_at = now_.mono + std::chrono::seconds(3);
  if (calm_ || chance(700)) {  // done with the revocation, and perhaps it has said how far it came
    if (client.owned != client.told && chance(500)) commit(client, index);
    own(client, client.told);
  }
  ConsumerHeartbeat request;
  request.member_id = client.member_id;
  request.client_makes_id = true;
  request.member_epoch = client.joined ? client.epoch : 0;
  request.owned_partitions = listed(client.owned);
  request.instance_id = client.instance;
  if (!client.joined || client.tells_all || (!calm_ && chance(20))) {
    client.tells_all = false;
    request.rebalance_timeout_ms = 30'000;
    request.subscribed_topics = client.subscribed;
    request.subscribed_regex = client.by_regex ? "[ab]" : "";
    // Another wish moves the whole group: not while it is watched coming to rest.
    if (!calm_ && chance(300)) request.assignor = chance(500) ? "range" : "uniform";
  }
  ask(index, std::move(request));
}

void ConsumerWorld::join_classic(ConsumerClient& client, int index) {
  if (!cooperative_) {
    // An eager client: gives up everything before it joins again.
    if (client.joined && chance(500)) commit(client, index);
    own(client, {});
    client.joined = false;
  }
  Join request;
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.session_timeout_ms = 20'000;
  request.rebalance_timeout_ms = 30'000;
  request.protocol_type = "consumer";
  request.member_id_required = true;
  ConsumerProtocolSubscription subscription;
  subscription.topics = client.subscribed;
  for (const auto& topic : listed(client.owned)) {
    subscription.owned_partitions.push_back({topics_.name_ever(topic.topic), topic.partitions});
  }
  subscription.generation_id = client.joined ? client.epoch : -1;
  request.protocols = {{cooperative_ ? "cooperative-sticky" : "range", encode_subscription(subscription, 2)}};
  ask(index, std::move(request));
}

std::vector<SyncAssignment> ConsumerWorld::assign(const ConsumerClient& leader) const {
  std::vector<CooperativeMember> members;
  for (const auto& member : leader.to_assign) {
    members.push_back({member.member_id, *decode_subscription(member.metadata)});
  }
  std::map<std::string, std::int32_t, std::less<>> counts;
  topics_.for_each(
      [&](const TopicInfo& topic) { return counts.emplace(topic.name, topic.partitions).second; });
  // What an eager member owns it has given up: the same assignor serves both.
  const auto result = assign_cooperative_sticky(members, counts);
  std::vector<SyncAssignment> assignments;
  for (std::size_t i = 0; i < members.size(); ++i) {
    ConsumerProtocolAssignment assignment;
    assignment.assigned_partitions = result[i];
    assignments.push_back({members[i].member_id, encode_assignment(assignment, 1)});
  }
  return assignments;
}

void ConsumerWorld::sync_classic(ConsumerClient& client, int index) {
  Sync request;
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.generation = client.epoch;
  if (!client.to_assign.empty()) request.assignments = assign(client);
  ask(index, std::move(request));
}

void ConsumerWorld::act_classic(ConsumerClient& client, int index) {
  if (client.joined && !client.must_sync && client.owned != client.told) {
    // Done with the revocation; who gave up something says so by joining again.
    client.must_join |= !std::ranges::includes(client.told, client.owned);
    if (chance(500)) commit(client, index);
    own(client, client.told);
  }
  if (client.must_sync) return sync_classic(client, index);
  if (!client.joined || client.must_join) return join_classic(client, index);
  if (client.beat_at > now_.mono) return;
  client.beat_at = now_.mono + std::chrono::seconds(3);
  Heartbeat request;
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.generation = client.epoch;
  ask(index, std::move(request));
}

void ConsumerWorld::deliver(const Reply& reply) {
  const auto asked = asked_.find(reply.id);
  if (asked == asked_.end()) return breach("an answer to nothing, or a second one");
  const auto about = std::move(asked->second);
  asked_.erase(asked);
  on_offsets_reply(about, reply);
  if (about.client < 0) return;
  auto& client = clients_[static_cast<std::size_t>(about.client)];
  if (client.waits_for != reply.id) return;  // it asked again since, or is another one now
  client.waits_for = 0;
  if (!calm_ && chance(20)) {  // lost on the way
    client.tells_all = true;
    return;
  }
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { on_reply(client, body); }) on_reply(client, body);
      },
      reply.body);
}

void ConsumerWorld::on_reply(ConsumerClient& client, const ConsumerHeartbeatReply& reply) {
  switch (reply.error) {
    case ErrorCode::none:
      break;
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::unknown_member_id:
    case ErrorCode::group_id_not_found:
      ++fenced_;
      return forget(client);
    case ErrorCode::unreleased_instance_id:
    case ErrorCode::coordinator_not_available:
      return;
    case ErrorCode::fenced_instance_id:
      forget(client);
      client.alive = false;
      return;
    default:
      return breach("a heartbeat got " + std::to_string(static_cast<int>(reply.error)) + " " +
                    reply.error_message);
  }
  if (client.joined && reply.member_epoch < client.epoch) breach("a member epoch went back");
  client.joined = true;
  client.epoch = reply.member_epoch;
  if (!reply.assignment) return;
  client.told = set_of(*reply.assignment);
  take_over(client);
}

void ConsumerWorld::on_reply(ConsumerClient& client, const JoinReply& reply) {
  if (!reply.member_id.empty() && client.expects_id) {
    client.member_id = reply.member_id;
    client.expects_id = false;
  }
  if (lose(client, reply.error) || reply.error != ErrorCode::none) return;
  client.epoch = reply.generation;
  client.must_join = false;
  client.must_sync = true;
  client.to_assign = reply.members;
}

Owned ConsumerWorld::named(const std::vector<NamedTopicPartitions>& topics) const {
  Owned owned;
  for (const auto& topic : topics) {
    const auto* info = topics_.find(topic.topic);
    if (info == nullptr) continue;
    for (const auto p : topic.partitions) owned.insert({info->id, p});
  }
  return owned;
}

void ConsumerWorld::on_reply(ConsumerClient& client, const SyncReply& reply) {
  client.must_sync = false;
  if (lose(client, reply.error)) return;
  if (reply.error != ErrorCode::none) {
    client.must_join = true;
    return;
  }
  const auto assignment = decode_assignment(reply.assignment);
  if (!assignment) return breach("an assignment that does not decode");
  client.joined = true;
  client.told = named(assignment->assigned_partitions);
  take_over(client);
}

void ConsumerWorld::on_reply(ConsumerClient& client, const HeartbeatReply& reply) {
  if (reply.error == ErrorCode::none || reply.error == ErrorCode::coordinator_not_available) return;
  if (!lose(client, reply.error)) client.must_join = true;
}

// What makes a classic client drop everything that it has. True when it did.
bool ConsumerWorld::lose(ConsumerClient& client, ErrorCode error) {
  switch (error) {
    case ErrorCode::unknown_member_id:
      client.member_id.clear();
      client.expects_id = true;
      break;
    case ErrorCode::illegal_generation:
      break;
    case ErrorCode::fenced_instance_id:
      client.alive = false;
      break;
    default:
      return false;
  }
  ++fenced_;
  forget(client);
  return true;
}

}  // namespace tidegate::groups::sim
