// The shell of the simulated group: writes, holds, releases, wakes, fails and reloads.
#include "sim/group_world.h"

#include <fmt/format.h>

#include <utility>

#include "sim/group_ask.h"

namespace tidegate::groups::sim {
namespace {

void write_to(Store& store, const std::vector<Record>& records) {
  std::vector<StoredOp> ops;
  for (const auto& record : records) encode(record, ops);
  for (auto& op : ops) {
    if (op.value) {
      store[std::move(op.key)] = std::move(*op.value);
    } else {
      store.erase(op.key);
    }
  }
}

}  // namespace

World::World(std::uint64_t seed) : rng_(seed) {
  using std::chrono::seconds;
  const Duration delays[] = {seconds(0), seconds(1), seconds(3)};
  limits_.initial_rebalance_delay = delays[rng_.below(3)];
  const std::uint32_t tempers[] = {1, 4, 12};
  chaos_ = tempers[rng_.below(3)];
  limits_.max_group_size = rng_.below(4) == 0 ? 4 : 100;
  limits_.max_pending_ids = 8;
  limits_.new_member_join_timeout = seconds(20);
  limits_.offsets_retention = seconds(30);
  limits_.cooperative_sticky_enabled = rng_.below(4) != 0;
  group_ = std::make_unique<Group>("g", limits_, topics_, rng_);
  shadow_ = std::make_unique<Group>("g", limits_, topics_, rng_);
  told_.fill(-1);
  for (int i = 0; i < kClients; ++i) {
    auto& client = clients_[static_cast<std::size_t>(i)];
    if (i % 3 == 2) client.instance = fmt::format("instance-{}", i);
    client.eager_version = i % 4 == 1;
    client.range_first = rng_.below(2) == 0;
  }
}

World::~World() = default;

void World::step() {
  if (mishap(10)) {
    advance(std::chrono::milliseconds(rng_.below(8'000)));
  } else {
    advance(std::chrono::microseconds(rng_.below(40'000)));
  }
  if (!writing_.empty() && chance(7'000)) write_one();
  if (!writing_.empty() && mishap(4)) fail_writes();
  if (mishap(1)) fail_writes();  // killed and started again
  if (chance(300)) return misbehave();
  if (mishap(15)) return administrate();
  act(static_cast<int>(rng_.below(kClients)), false);
}

void World::settle() {
  while (!writing_.empty()) write_one();
  // Dead members and ids that nobody uses are gone after a session, unsynced static ones after two
  // rebalance timeouts; everybody who is alive has rejoined by then.
  const auto until = now_.mono + std::chrono::seconds(10 + 15 + 15 + 5);
  while (now_.mono < until && failure_.empty()) {
    advance(std::chrono::milliseconds(100));
    for (int i = 0; i < kClients; ++i) act(i, true);
    while (!writing_.empty()) write_one();
  }
  std::size_t alive = 0;
  for (const auto& client : clients_) {
    if (!client.alive) continue;
    ++alive;
    if (client.must_join || client.must_sync) breach("a client found no place in its group");
  }
  const auto wanted = alive == 0 ? GroupState::empty : GroupState::stable;
  const bool gone = alive == 0 && !group_->exists();
  if (!gone && group_->state() != wanted) {
    breach(fmt::format("{} members live in peace, yet the group is {}", alive, state_name(group_->state())));
  }
  if (group_->counts().members != alive) {
    breach(fmt::format("{} members live, the group has {}", alive, group_->counts().members));
  }
}

void World::tell(Event event) {
  ++events_;
  auto effects = group_->on(std::move(event), now_);
  if (effects.persist) {
    if (effects.persist->sequence != group_->last_persist()) breach("a persist out of sequence");
    check_records(effects.persist->records);
    for (const auto& record : effects.persist->records) {
      if (!shadow_->apply(record)) breach("the shadow cannot apply a record");
    }
    writing_.push_back(std::move(*effects.persist));
  }
  for (auto& reply : effects.replies) {
    if (!outstanding_.contains(reply.id)) breach(fmt::format("reply {} answers nothing", reply.id));
    if (reply.after_persist > group_->last_persist()) breach("a reply waits for a persist that is not there");
    ++unsaid_;
    held_.push_back({reply.after_persist, std::move(reply)});
  }
  if (effects.wake_at) wake_at_ = effects.wake_at;
  if (!group_->exists()) owners_.clear();  // the next one starts at the first generation
  check_event();
  release();
}

void World::write_one() {
  write_to(store_, writing_.front().records);
  durable_ = writing_.front().sequence;
  writing_.pop_front();
  release();
}

// Replies may overtake one another, as they do on the wire.
void World::release() {
  for (std::size_t i = 0; i < held_.size();) {
    if (held_[i].after_persist > durable_) {
      ++i;
      continue;
    }
    auto reply = std::move(held_[i].reply);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    --unsaid_;
    deliver(std::move(reply));
  }
}

void World::fail_writes() {
  ++reloads_;
  writing_.clear();
  held_.clear();
  unsaid_ = 0;
  auto unanswered = std::exchange(outstanding_, {});
  group_ = load(store_);
  shadow_ = load(store_);
  durable_ = 0;
  wake_at_.reset();
  check_durable_offsets();
  for (const auto& [id, about] : unanswered) {
    if (about.client < 0) continue;
    auto& client = clients_[static_cast<std::size_t>(about.client)];
    if (client.waits_for != id) continue;
    client.waits_for = 0;  // coordinator_not_available: it asks again
  }
  tell(Loaded{});
}

std::unique_ptr<Group> World::load(const Store& store) {
  auto group = std::make_unique<Group>("g", limits_, topics_, rng_);
  for (const auto& [key, value] : store) {
    const auto record = decode(key, value);
    if (!record) {
      breach("a stored record cannot be read: " + record.error().message);
    } else if (const auto applied = group->apply(*record); !applied) {
      breach("a stored record cannot be applied: " + applied.error().message);
    }
  }
  return group;
}

void World::advance(Duration by) {
  const auto until = now_.mono + by;
  const auto go_to = [this](MonoTime time) {
    now_.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time - now_.mono).count();
    now_.mono = time;
  };
  while (wake_at_ && *wake_at_ <= until && failure_.empty()) {
    go_to(std::max(*wake_at_, now_.mono));
    wake_at_.reset();
    tell(Wake{});
  }
  go_to(until);
}

void World::deliver(Reply reply) {
  const auto found = outstanding_.find(reply.id);
  const auto about = found->second;
  outstanding_.erase(found);
  if (about.must_fail) check_refused(reply.body);
  if (const auto* fetched = std::get_if<FetchOffsetsReply>(&reply.body)) note_told(reply.id, *fetched);
  if (about.client < 0) return;
  auto& client = clients_[static_cast<std::size_t>(about.client)];
  if (const auto* body = std::get_if<JoinReply>(&reply.body)) {
    if (body->error == ErrorCode::none) check_generation_is_durable(body->generation);
    if (client.waits_for == reply.id) on_join_reply(client, *body);
  } else if (const auto* synced = std::get_if<SyncReply>(&reply.body)) {
    if (client.waits_for == reply.id) on_sync_reply(client, *synced);
  } else if (const auto* beat = std::get_if<HeartbeatReply>(&reply.body)) {
    const bool current =
        client.alive && client.identity == about.identity && client.generation == about.generation;
    if (current) on_error(client, beat->error);
  } else if (const auto* committed = std::get_if<CommitReply>(&reply.body)) {
    if (committed->error != ErrorCode::none) return;
    ++commits_;
    for (std::size_t p = 0; p < kPartitions; ++p) {
      if ((about.partitions >> p & 1U) == 0 || reply.id < erased_before_[p]) continue;
      told_[p] = std::max(told_[p], about.offsets[p]);
    }
  } else if (const auto* fetched = std::get_if<FetchOffsetsReply>(&reply.body)) {
    on_fetch_reply(about, *fetched);
  }
}

std::string World::summary() const {
  return fmt::format("{} events, {} generations, {} assignments, {} commits, {} reloads", events_,
                     generations_, stable_, commits_, reloads_);
}

}  // namespace tidegate::groups::sim
