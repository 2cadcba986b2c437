// The shell around the group, what disturbs it, and the checks.
#include "sim/consumer_world.h"

#include <algorithm>

#include "machine.h"

namespace tidegate::groups::sim {
namespace {

void write_to(std::map<std::string, std::string>& store, const std::vector<Record>& records) {
  std::vector<StoredOp> ops;
  for (const auto& record : records) encode(record, ops);
  for (auto& op : ops) {
    if (op.value) {
      store[op.key] = *op.value;
    } else {
      store.erase(op.key);
    }
  }
}

bool same_classic(const ClassicGroup& a, const ClassicGroup& b) {
  return a.head() == b.head() &&
         std::ranges::equal(a.members(), b.members(), [](const auto& one, const auto& other) {
           return one.first == other.first && one.second.data == other.second.data &&
                  one.second.assignment == other.second.assignment;
         });
}

bool same_consumer(const ConsumerGroup& a, const ConsumerGroup& b) {
  return a.head() == b.head() && a.regexes() == b.regexes() &&
         std::ranges::equal(a.members(), b.members(), [](const auto& one, const auto& other) {
           return one.first == other.first && one.second.data == other.second.data &&
                  one.second.current == other.second.current && one.second.target == other.second.target;
         });
}

bool same_durable(const Machine& a, const Machine& b) {
  return a.type == b.type && a.offsets == b.offsets && same_classic(a.classic, b.classic) &&
         same_consumer(a.consumer, b.consumer);
}

}  // namespace

const TopicInfo* ChangingTopics::find(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}
const TopicInfo* ChangingTopics::find(const TopicId& id) const {
  const auto found = std::ranges::find(topics_, id, [](const auto& entry) { return entry.second.id; });
  return found == topics_.end() ? nullptr : &found->second;
}
void ChangingTopics::for_each(const std::function<bool(const TopicInfo&)>& visit) const {
  for (const auto& [name, topic] : topics_) {
    if (!visit(topic)) return;
  }
}

ConsumerWorld::ConsumerWorld(std::uint64_t seed, Faults faults) : rng_(seed), faults_(faults) {
  limits_.offsets_retention = std::chrono::minutes(10);
  limits_.consumer_assignors = {"uniform", "range"};
  for (const char* name : {"a", "b"}) {
    TopicInfo topic{.name = name, .id = {}, .partitions = static_cast<std::int32_t>(1 + rng_.below(6))};
    topic.id.bytes[15] = next_topic_id_++;
    topics_.put(topic);
  }
  cooperative_ = seed % 2 == 1;
  group_ = std::make_unique<Group>("g", limits_, topics_, rng_);
  shadow_ = std::make_unique<Group>("g", limits_, topics_, rng_);
}

void ConsumerWorld::breach(std::string what) {
  if (failure_.empty()) failure_ = "event " + std::to_string(events_) + ": " + std::move(what);
}

std::string ConsumerWorld::summary() const {
  return std::to_string(events_) + " events, group epoch " + std::to_string(last_group_epoch_) + ", " +
         std::to_string(conversions_) + " conversions, " + std::to_string(crashes_) + " crashes, " +
         std::to_string(fenced_) + " fenced, " + std::to_string(commits_) + " commits, " +
         std::to_string(refused_) + " refused";
}

void ConsumerWorld::tell(Event event) {
  ++events_;
  spoil(event);
  const auto told = event;
  auto effects = group_->on(std::move(event), now_);
  if (effects.wake_at) wake_at_ = effects.wake_at;
  if (effects.persist) {
    check_offset_records(told, effects.persist->records);
    write_to(applied_, effects.persist->records);
    for (const auto& record : effects.persist->records) {
      if (!shadow_->apply(record)) breach("an emitted record does not apply");
    }
    writing_.push_back(std::move(*effects.persist));
  }
  for (auto& reply : effects.replies) {
    check_answer(reply);
    held_.push_back(std::move(reply));
  }
  check();
}

void ConsumerWorld::write_some(bool all) {
  while (!writing_.empty() && (all || chance(600))) {
    spoil_records(writing_.front().records);
    write_to(durable_, writing_.front().records);
    durable_sequence_ = writing_.front().sequence;
    writing_.pop_front();
  }
  std::deque<Reply> ready;
  std::erase_if(held_, [&](Reply& reply) {
    if (reply.after_persist > durable_sequence_) return false;
    ready.push_back(std::move(reply));
    return true;
  });
  for (const auto& reply : ready) deliver(reply);
}

void ConsumerWorld::advance(Duration by) {
  const auto until = now_.mono + by;
  const auto go_to = [&](MonoTime at) {
    now_.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(at - now_.mono).count();
    now_.mono = at;
  };
  while (wake_at_ && *wake_at_ <= until && failure_.empty()) {
    go_to(std::max(*wake_at_, now_.mono));
    wake_at_.reset();
    tell(Wake{});
  }
  go_to(until);
}

// The daemon dies: what was not durable is gone, and so are the answers that waited for it.
void ConsumerWorld::crash() {
  ++crashes_;
  writing_.clear();
  held_.clear();
  asked_.clear();
  for (auto& client : clients_) {
    client.waits_for = 0;
    client.tells_all = true;
  }
  applied_ = durable_;
  durable_sequence_ = 0;
  group_ = std::make_unique<Group>("g", limits_, topics_, rng_);
  shadow_ = std::make_unique<Group>("g", limits_, topics_, rng_);
  for (const auto& [key, value] : durable_) {
    const auto record = decode(key, value);
    if (!record) return breach("a stored record does not decode");
    if (!group_->apply(*record) || !shadow_->apply(*record)) return breach("a stored record does not apply");
  }
  check_durable_offsets();
  last_group_epoch_ = group_->machine().consumer.head().group_epoch;
  last_generation_ = 0;
  wake_at_.reset();
  tell(Loaded{});
}

void ConsumerWorld::change_topics() {
  static constexpr std::array<const char*, 3> kNames{"a", "b", "c"};
  const std::string name = kNames[rng_.below(3)];
  const auto* known = topics_.find(name);
  TopicsChanged event;
  if (known != nullptr && chance(300)) {
    event.deleted.push_back(*known);
    std::erase_if(told_, [&](const auto& entry) { return entry.first.topic == known->id; });
    topics_.remove(name);
  } else {
    TopicInfo topic = known != nullptr ? *known : TopicInfo{.name = name, .id = {}, .partitions = 0};
    if (known == nullptr) topic.id.bytes[15] = next_topic_id_++;
    topic.partitions += static_cast<std::int32_t>(1 + rng_.below(2));
    if (topic.partitions > 12) return;
    topics_.put(topic);
    event.changed.push_back(name);
  }
  tell(std::move(event));
}

void ConsumerWorld::disturb() {
  const auto index = static_cast<int>(rng_.below(clients_.size()));
  auto& client = clients_[static_cast<std::size_t>(index)];
  switch (rng_.below(8)) {
    case 0:
    case 1:
      if (!client.alive) start(client, index);
      break;
    case 2:
      if (client.alive) leave(client, index);
      break;
    case 3:
      client.alive = false;  // killed: says nothing
      forget(client);
      break;
    case 4:
      client.stalled_until = now_.mono + std::chrono::seconds(rng_.below(80));
      break;
    case 5:
      change_topics();
      break;
    case 6:
      if (chance(200)) crash();
      break;
    default:
      break;
  }
}

void ConsumerWorld::step() {
  if (chance(30)) disturb();
  if (chance(40)) intrude();
  if (chance(8)) administrate();
  if (chance(500)) advance(std::chrono::milliseconds(rng_.below(1500)));
  const auto index = static_cast<int>(rng_.below(clients_.size()));
  act(clients_[static_cast<std::size_t>(index)], index);
  write_some(false);
}

void ConsumerWorld::settle() {
  calm_ = true;
  for (auto& client : clients_) client.stalled_until = now_.mono;
  for (int round = 0; round < 260 && failure_.empty(); ++round) {
    advance(std::chrono::seconds(1));
    for (std::size_t i = 0; i < clients_.size(); ++i) act(clients_[i], static_cast<int>(i));
    write_some(true);
  }
  calm_ = false;
  if (!failure_.empty()) return;
  const auto alive = std::ranges::count_if(clients_, &ConsumerClient::alive);
  const auto state = group_->state();
  const bool rests =
      alive > 0 ? state == GroupState::stable : state == GroupState::empty || state == GroupState::dead;
  if (!rests) return breach("at rest the group is " + std::string(state_name(state)));
  std::size_t wanted = 0;
  topics_.for_each([&](const TopicInfo& topic) {
    const bool subscribed = std::ranges::any_of(clients_, [&](const ConsumerClient& client) {
      return client.alive && (std::ranges::find(client.subscribed, topic.name) != client.subscribed.end() ||
                              (client.by_regex && (topic.name == "a" || topic.name == "b")));
    });
    wanted += subscribed ? static_cast<std::size_t>(topic.partitions) : 0;
    return true;
  });
  std::size_t owned = 0;
  for (const auto& client : clients_) owned += client.alive ? client.owned.size() : 0;
  // In a classic group nobody tells the leader of new partitions; clients would have to look for themselves.
  if (group_->type() == GroupType::consumer && owned != wanted) {
    breach("at rest " + std::to_string(owned) + " of " + std::to_string(wanted) + " partitions are owned");
  }
}

// Counted are those whom the coordinator has in the epoch that they believe to be in; the others are fenced
// with their next request.
bool ConsumerWorld::in_group(const ConsumerClient& client) const {
  if (!client.alive || !client.joined) return false;
  const auto& machine = group_->machine();
  if (machine.type == GroupType::classic) return machine.classic.find(client.member_id) != nullptr;
  const auto* member = machine.consumer.find(client.member_id);
  return member != nullptr && member->current.member_epoch != -2;
}

void ConsumerWorld::check_ownership() {
  std::map<PartitionId, const ConsumerClient*> owners;
  for (const auto& client : clients_) {
    if (!in_group(client)) continue;
    for (const auto& partition : client.owned) {
      const auto [first, fresh] = owners.emplace(partition, &client);
      if (!fresh) {
        return breach("partition " + std::to_string(partition.index) + " is owned by " + client.member_id +
                      " and " + first->second->member_id);
      }
    }
  }
  std::set<PartitionId> held;
  for (const auto& [id, member] : group_->machine().consumer.members()) {
    for (const auto* list : {&member.current.assigned, &member.current.revoking}) {
      for (const auto& topic : *list) {
        for (const auto p : topic.partitions) {
          if (!held.insert({topic.topic, p}).second) return breach("two members hold one partition");
        }
      }
    }
  }
}

void ConsumerWorld::check_epochs() {
  const auto& consumer = group_->machine().consumer;
  const auto& head = consumer.head();
  const auto type = group_->type();
  const auto generation =
      type == GroupType::classic ? group_->machine().classic.head().generation : head.group_epoch;
  if (type != GroupType::none && generation < last_generation_) breach("the generation went back");
  last_generation_ = type == GroupType::none ? 0 : generation;
  if (type != last_type_) {
    if (type != GroupType::none && last_type_ != GroupType::none) ++conversions_;
    last_type_ = type;
    last_group_epoch_ = 0;
  }
  if (type != GroupType::consumer) return;
  if (head.group_epoch < last_group_epoch_) breach("the group epoch went back");
  if (head.target_epoch > head.group_epoch) breach("the target is ahead of the group");
  last_group_epoch_ = head.group_epoch;
  const auto settled = std::ranges::count_if(consumer.members(), [&](const auto& entry) {
    const auto& current = entry.second.current;
    return current.state == ReconcileState::stable && current.member_epoch == head.target_epoch;
  });
  if (static_cast<std::size_t>(settled) != consumer.settled())
    breach("the count of settled members is wrong");
  for (const auto& [id, member] : consumer.members()) {
    if (member.current.member_epoch > head.target_epoch) breach("a member is ahead of the target");
    if (!member.session.armed()) breach("a member without a session");
    const bool revokes = member.current.state == ReconcileState::unrevoked_partitions;
    if (revokes != !member.current.revoking.empty()) breach("a state that does not fit its partitions");
    if (revokes && !member.is_classic() && !member.rebalance.armed()) breach("a revocation without an end");
  }
}

void ConsumerWorld::check() {
  const auto& machine = group_->machine();
  machine.timers.for_each([&](const Timer& timer) {
    const bool of_member = timer.kind() >= TimerKind::consumer_session;
    if (of_member && machine.consumer.find(timer.member()) == nullptr) breach("a timer for nobody");
  });
  check_epochs();
  check_ownership();
  if (!same_durable(machine, shadow_->machine())) breach("durable state changed without a record");
  if (!shadow_->check_stored()) breach("what is stored would not load");
  if (asked_.size() != group_->counts().parked + held_.size()) breach("a request has no answer to come");
}

void ConsumerWorld::check_replay() {
  std::map<std::string, std::string> stored;
  write_to(stored, group_->snapshot());
  if (stored != applied_) breach("what was emitted is not what the group is");
  Group replayed("g", limits_, topics_, rng_);
  for (const auto& [key, value] : applied_) {
    const auto record = decode(key, value);
    if (!record || !replayed.apply(*record)) return breach("what was written does not apply");
  }
  if (!same_durable(group_->machine(), replayed.machine())) breach("replay gives another group");
}

}  // namespace tidegate::groups::sim
