// The clients of the simulated group: how a consumer behaves, how it fails, and what strangers try.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/group_ask.h"

namespace tidegate::groups::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A ConsumerProtocolSubscription to kTopic; `variant` stands for owned partitions and the like.
Bytes metadata(std::uint8_t variant) { return {0, 0, 0, 0, 0, 1, 0, 1, 't', variant}; }

Bytes assignment_of(std::uint32_t partitions) {
  return {static_cast<std::uint8_t>(partitions), static_cast<std::uint8_t>(partitions >> 8U)};
}
std::uint32_t partitions_in(const Bytes& assignment) {
  return assignment.size() == 2 ? assignment[0] | static_cast<std::uint32_t>(assignment[1]) << 8U : 0U;
}

}  // namespace

void World::restart(Client& client) {
  client.alive = true;
  client.member_id.clear();
  client.generation = -1;
  client.must_join = true;
  client.must_sync = false;
  client.waits_for = 0;
  client.owned = client.positioned = 0;
  client.to_assign.clear();
  client.stalled_until = {};
}

void World::act(int index, bool behaves) {
  auto& client = clients_[static_cast<std::size_t>(index)];
  if (!client.alive) {
    if (!behaves && chance(300)) restart(client);
    return;
  }
  if (!behaves) {
    if (client.stalled_until > now_.mono) return;
    if (mishap(15)) {
      client.alive = false;
      client.waits_for = 0;
      return;
    }
    if (mishap(15)) {
      client.stalled_until = now_.mono + milliseconds(rng_.below(12'000));
      return;
    }
    if (mishap(10) && !client.instance && !client.member_id.empty()) {
      const LeavingMember leaving{.member_id = client.member_id};
      restart(client);
      client.alive = false;
      ask(Leave{.members = {leaving}}, {});
      return;
    }
    if (mishap(25)) {
      client.metadata = static_cast<std::uint8_t>(rng_.below(4));
      client.must_join = true;
    }
    if (client.waits_for != 0 && mishap(40)) client.waits_for = 0;  // a request timeout: it asks again
  }
  if (client.waits_for != 0) return;
  if (client.must_join) {
    // Before it gives its partitions up it commits what it has done.
    if (client.owned != 0 && chance(2'000)) commit(index);
    return join(index);
  }
  if (client.must_sync) return sync(index);
  const auto turn = rng_.below(4);
  if (behaves || turn == 0) {
    if (behaves && now_.mono - client.last_heartbeat < seconds(2)) return;
    client.last_heartbeat = now_.mono;
    ask(
        Heartbeat{
            .member_id = client.member_id, .instance_id = client.instance, .generation = client.generation},
        {.what = Asked::heartbeat,
         .client = index,
         .generation = client.generation,
         .identity = client.identity});
  } else if ((client.owned & ~client.positioned) != 0) {
    fetch(index);
  } else {
    commit(index);
  }
}

void World::join(int index) {
  auto& client = clients_[static_cast<std::size_t>(index)];
  client.owned = client.positioned = 0;
  client.must_sync = false;
  client.to_assign.clear();
  Join request;
  request.client = {"client", "/127.0.0.1"};
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.session_timeout_ms = 6'000 + index * 800;
  request.rebalance_timeout_ms = 8'000 + index * 1'400;
  request.protocol_type = "consumer";
  request.protocols = {{"cooperative-sticky", metadata(client.metadata)},
                       {"range", metadata(client.metadata)}};
  if (client.range_first) std::swap(request.protocols[0], request.protocols[1]);
  request.member_id_required = !client.eager_version && !client.instance;
  request.can_skip_assignment = index % 2 == 0;
  ask(std::move(request), {.what = Asked::join, .client = index});
}

void World::on_join_reply(Client& client, const JoinReply& reply) {
  client.waits_for = 0;
  if (reply.error == ErrorCode::member_id_required) {
    client.member_id = reply.member_id;
    return;
  }
  if (reply.error != ErrorCode::none) return on_error(client, reply.error);
  if (client.instance) {
    client.identity = 1 + static_cast<int>(&client - clients_.data());
  } else if (client.identity == 0 || reply.member_id != client.member_id || client.generation < 0) {
    client.identity = next_identity_++;
  }
  client.member_id = reply.member_id;
  client.generation = reply.generation;
  client.must_join = false;
  client.must_sync = true;
  client.last_heartbeat = now_.mono;
  client.to_assign.clear();
  if (reply.leader != reply.member_id || reply.skip_assignment) return;
  for (const auto& member : reply.members) client.to_assign.push_back(member.member_id);
}

void World::sync(int index) {
  auto& client = clients_[static_cast<std::size_t>(index)];
  Sync request;
  request.member_id = client.member_id;
  request.instance_id = client.instance;
  request.generation = client.generation;
  if (!client.to_assign.empty()) {
    const auto members = client.to_assign.size();
    std::vector<std::uint32_t> parts(members);
    const auto shift = rng_.below(members);
    for (std::uint32_t p = 0; p < kPartitions; ++p) parts[(p + shift) % members] |= 1U << p;
    for (std::size_t i = 0; i < members; ++i) {
      if (chance(100)) continue;  // left out
      request.assignments.push_back({client.to_assign[i], assignment_of(parts[i])});
    }
  }
  ask(std::move(request), {.what = Asked::sync, .client = index});
}

void World::on_sync_reply(Client& client, const SyncReply& reply) {
  client.waits_for = 0;
  if (reply.error != ErrorCode::none) return on_error(client, reply.error);
  client.must_sync = false;
  client.owned = partitions_in(reply.assignment);
  client.positioned = 0;
  take_ownership(client, client.owned);
}

void World::on_error(Client& client, ErrorCode error) {
  switch (error) {
    case ErrorCode::none:
      return;
    case ErrorCode::unknown_member_id:
      client.member_id.clear();
      client.generation = -1;
      client.owned = client.positioned = 0;
      client.must_join = true;
      return;
    case ErrorCode::fenced_instance_id:      // another process has its name
    case ErrorCode::group_max_size_reached:  // no room: it ends
    case ErrorCode::inconsistent_group_protocol:
      client.alive = false;
      client.waits_for = 0;
      return;
    case ErrorCode::rebalance_in_progress:
    case ErrorCode::illegal_generation:
      client.must_join = true;
      return;
    default:
      breach(fmt::format("a client was answered {}", error_name(error)));
  }
}

void World::commit(int index) {
  auto& client = clients_[static_cast<std::size_t>(index)];
  if (client.positioned == 0) return;
  Outstanding about{
      .what = Asked::commit, .client = index, .generation = client.generation, .identity = client.identity};
  TopicCommit topic{.topic = kTopic};
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    if ((client.positioned >> p & 1U) == 0 || rng_.below(3) != 0) continue;
    auto& position = client.position[static_cast<std::size_t>(p)];
    position += static_cast<Offset>(rng_.below(5));
    topic.partitions.push_back({.partition = p, .offset = position});
    about.partitions |= 1U << p;
    about.offsets[static_cast<std::size_t>(p)] = position;
  }
  ask(CommitOffsets{.member_id = client.member_id,
                    .instance_id = client.instance,
                    .generation_or_epoch = client.generation,
                    .topics = {std::move(topic)}},
      about);
}

void World::fetch(int index) {
  auto& client = clients_[static_cast<std::size_t>(index)];
  Outstanding about{
      .what = Asked::fetch, .client = index, .generation = client.generation, .identity = client.identity};
  TopicSelection topic{.topic = kTopic};
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    if ((client.owned & ~client.positioned) >> p & 1U) topic.partitions.push_back(p);
  }
  about.partitions = client.owned & ~client.positioned;
  ask(FetchOffsets{.topics = {{std::move(topic)}}}, about);
}

void World::on_fetch_reply(const Outstanding& about, const FetchOffsetsReply& reply) {
  auto& client = clients_[static_cast<std::size_t>(about.client)];
  const bool current = client.alive && client.generation == about.generation &&
                       client.identity == about.identity && !client.must_join;
  for (const auto& topic : reply.topics) {
    for (const auto& row : topic.partitions) {
      const auto p = static_cast<std::size_t>(row.partition);
      if (!current || (client.owned >> p & 1U) == 0 || (client.positioned >> p & 1U) != 0) continue;
      client.position[p] = std::max<Offset>(row.offset, 0);
      client.positioned |= 1U << p;
    }
  }
}

// Requests of strangers, late ones, wrong ones: each must be refused. MEMBER_ID_REQUIRED is a refusal, too,
// and leaves an id that nobody comes back with.
void World::misbehave() {
  const Outstanding refused{.must_fail = true};
  const auto& some = clients_[rng_.below(kClients)];
  const auto stale = some.generation - 1 - static_cast<std::int32_t>(rng_.below(2));
  const bool has_members = group_->counts().members != 0;
  TopicCommit zero{.topic = kTopic,
                   .partitions = {{.partition = static_cast<std::int32_t>(rng_.below(kPartitions))}}};
  Join request;
  request.client = {"stranger", "/127.0.0.1"};
  request.session_timeout_ms = 6'000;
  request.rebalance_timeout_ms = 8'000;
  request.protocol_type = "consumer";
  request.protocols = {{"range", {}}};
  request.member_id_required = true;
  switch (rng_.below(12)) {
    case 0:
      ask(Heartbeat{.member_id = some.member_id, .generation = stale}, refused);
      return;
    case 1:
      ask(Heartbeat{.member_id = "nobody", .generation = some.generation}, refused);
      return;
    case 2:
      if (has_members) ask(CommitOffsets{.topics = {zero}}, refused);
      return;
    case 3:
      if (stale < 0 || !has_members) return;
      ask(CommitOffsets{.member_id = some.member_id, .generation_or_epoch = stale, .topics = {zero}},
          refused);
      return;
    case 4:
      ask(CommitOffsets{.member_id = "nobody", .generation_or_epoch = 1, .topics = {zero}}, refused);
      return;
    case 5:
      ask(Sync{.member_id = some.member_id,
               .generation = stale,
               .assignments = {{some.member_id, assignment_of(0xfff)}}},
          refused);
      return;
    case 6:
      ask(std::move(request), refused);
      return;
    case 7:
      request.member_id = "nobody";
      request.instance_id = some.instance;
      ask(std::move(request), refused);
      return;
    case 8:
      request.protocol_type = "connect";
      if (has_members) ask(std::move(request), refused);
      return;
    case 9:
      ask(Leave{.members = {{.member_id = "nobody"}, {.member_id = "nobody", .instance_id = some.instance}}},
          refused);
      return;
    case 10:
      // It knows the generation, but not yet what it owns in it.
      if (group_->state() != GroupState::completing_rebalance || some.generation < 0) return;
      ask(CommitOffsets{.member_id = some.member_id,
                        .instance_id = some.instance,
                        .generation_or_epoch = some.generation,
                        .topics = {zero}},
          refused);
      return;
    default:
      ask(FetchOffsets{}, {});
      return;
  }
}

void World::administrate() {
  const auto& some = clients_[rng_.below(kClients)];
  switch (rng_.below(6)) {
    case 0:
      ask(Leave{.members = {{.instance_id = some.instance}}}, {});
      return;
    case 1:
      tell(ExpireOffsets{});
      return;
    case 2:
      ask(DeleteGroup{}, {});
      return;
    case 3:
      if (rng_.below(10) == 0) tell(TopicsChanged{.deleted = {{.name = kTopic}}});
      return;
    case 4:
      ask(DeleteOffsets{.topics = {{.topic = kTopic, .partitions = {0, 5}}}}, {});
      return;
    default:
      fail_writes();
      return;
  }
}

}  // namespace tidegate::groups::sim
