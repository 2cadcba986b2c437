// What must hold after every event.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "machine.h"
#include "sim/group_world.h"

namespace tidegate::groups::sim {

void World::breach(std::string what) {
  if (failure_.empty()) failure_ = fmt::format("event {}: {}", events_, what);
}

void World::check_event() {
  // Every request is answered, or parked, and none twice.
  const auto parked = group_->counts().parked;
  if (outstanding_.size() != parked + unsaid_) {
    breach(fmt::format("{} requests are out, {} parked and {} held", outstanding_.size(), parked, unsaid_));
  }
  if (!same_durable(*group_, *shadow_)) breach("durable state changed without a record");
  if (!shadow_->check_stored()) breach("what is stored would not load");
  check_classic();
}

void World::check_classic() {
  const auto& machine = group_->machine();
  const auto& group = machine.classic;
  machine.timers.for_each([&](const Timer& timer) {
    switch (timer.kind()) {
      case TimerKind::classic_session:
        if (group.find(timer.member()) == nullptr) breach("a session timer of nobody");
        break;
      case TimerKind::classic_pending_id:
        if (!group.pending_ids.contains(timer.member())) breach("a timer of an id that nobody waits for");
        break;
      case TimerKind::classic_join:
        if (group.phase() != ClassicPhase::preparing) breach("a join timer outside the joining phase");
        break;
      case TimerKind::classic_sync:
        if (group.phase() != ClassicPhase::completing && group.phase() != ClassicPhase::stable) {
          breach("a sync timer outside its phases");
        }
        break;
      case TimerKind::consumer_session:
      case TimerKind::consumer_rebalance:
      case TimerKind::consumer_join:
      case TimerKind::consumer_sync:
        breach("a timer of the other protocol");
    }
  });
  if (machine.timers.next() && (!wake_at_ || *wake_at_ > *machine.timers.next())) {
    breach("nobody wakes the group in time");
  }
  if (group.phase() == ClassicPhase::preparing && !group.join_timer.armed())
    breach("the joining phase never ends");
  if (group.phase() == ClassicPhase::completing && !group.sync_timer.armed())
    breach("nobody waits for the leader");
  MemberCounts counted;
  for (const auto& [id, member] : group.members()) {
    counted.joins += member.join ? 1U : 0U;
    counted.syncs += member.sync ? 1U : 0U;
    counted.synced += member.synced ? 1U : 0U;
    // An answer starts the session again.
    if (!member.join && !member.sync && !member.session.armed()) breach("member " + id + " lives for ever");
    if (member.join && group.phase() != ClassicPhase::preparing)
      breach("a join is parked in no joining phase");
    if (member.sync && group.phase() != ClassicPhase::completing)
      breach("a sync is parked in no completing phase");
  }
  if (counted != group.counts()) breach("the counts of members are wrong");
  const bool is_led = group.phase() == ClassicPhase::completing || group.phase() == ClassicPhase::stable;
  if (is_led && group.find(group.head().leader.value_or("")) == nullptr) breach("nobody leads the group");
  if ((group.phase() == ClassicPhase::empty) != group.members().empty() &&
      group.phase() != ClassicPhase::preparing) {
    breach("empty is what has no members");
  }
}

bool World::same_durable(const Group& a, const Group& b) {
  const auto& left = a.machine();
  const auto& right = b.machine();
  if (left.type != right.type || left.classic.head() != right.classic.head() ||
      left.offsets != right.offsets) {
    return false;
  }
  const auto same = [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.data == other.second.data &&
           one.second.assignment == other.second.assignment;
  };
  return std::ranges::equal(left.classic.members(), right.classic.members(), same) &&
         left.consumer.members().empty() && right.consumer.members().empty();
}

// Committed offsets never go back. Called before the shadow has applied them.
void World::check_records(const std::vector<Record>& records) {
  for (const auto& record : records) {
    if (const auto* put = std::get_if<PutOffset>(&record)) {
      const auto* before = shadow_->machine().offsets.find(put->topic, put->partition);
      if (before != nullptr && put->value.offset < before->offset) {
        breach(fmt::format("partition {} goes back from {} to {}", put->partition, before->offset,
                           put->value.offset));
      }
    } else if (const auto* erased = std::get_if<EraseOffset>(&record)) {
      told_[static_cast<std::size_t>(erased->partition)] = -1;
      erased_before_[static_cast<std::size_t>(erased->partition)] = next_reply_;
    } else if (const auto* head = std::get_if<PutClassicHead>(&record)) {
      if (head->head.phase == ClassicPhase::completing) ++generations_;
      const auto before = shadow_->machine().classic.head().generation;
      if (head->head.generation < before) breach("a generation goes back");
    }
  }
}

// After a reload: nobody was told of an offset that is lost now.
void World::check_durable_offsets() {
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    const auto told = told_[static_cast<std::size_t>(p)];
    if (told < 0) continue;
    const auto* stored = group_->machine().offsets.find(kTopic, p);
    if (stored == nullptr || stored->offset < told)
      breach(fmt::format("offset {} of partition {} is lost", told, p));
  }
}

void World::check_generation_is_durable(std::int32_t generation) {
  const auto head = store_.find("0");
  if (head == store_.end()) return breach("a generation was told and no head is stored");
  const auto record = decode(head->first, head->second);
  const auto* stored = record ? std::get_if<PutClassicHead>(&*record) : nullptr;
  if (stored == nullptr || stored->head.generation < generation)
    breach("a generation was told before it was durable");
}

void World::note_told(ReplyId id, const FetchOffsetsReply& reply) {
  for (const auto& topic : reply.topics) {
    for (const auto& row : topic.partitions) {
      const auto p = static_cast<std::size_t>(row.partition);
      if (id >= erased_before_[p]) told_[p] = std::max(told_[p], row.offset);
    }
  }
}

void World::check_refused(const ReplyBody& body) {
  const bool refused = std::visit(
      [](const auto& reply) {
        if constexpr (std::is_same_v<std::decay_t<decltype(reply)>, LeaveReply>) {
          return std::ranges::none_of(reply.members,
                                      [](const auto& m) { return m.error == ErrorCode::none; });
        } else {
          return reply.error != ErrorCode::none;
        }
      },
      body);
  if (!refused) breach("a request that must be refused was not");
}

void World::take_ownership(Client& client, std::uint32_t partitions) {
  ++stable_;
  auto place = owners_.find(client.generation);
  if (place == owners_.end()) {
    place = owners_.emplace(client.generation, std::array<int, kPartitions>{}).first;
    if (owners_.size() > 64) owners_.erase(owners_.begin());
  }
  for (std::size_t p = 0; p < kPartitions; ++p) {
    if ((partitions >> p & 1U) == 0) continue;
    auto& owner = place->second[p];
    if (owner != 0 && owner != client.identity) {
      breach(fmt::format("partition {} has two owners in generation {}", p, client.generation));
    }
    owner = client.identity;
  }
}

void World::check_replay() {
  auto store = store_;
  std::vector<StoredOp> ops;
  for (const auto& persist : writing_) {
    for (const auto& record : persist.records) encode(record, ops);
  }
  for (auto& op : ops) {
    if (op.value) {
      store[op.key] = *op.value;
    } else {
      store.erase(op.key);
    }
  }
  const auto replayed = load(store);
  if (!same_durable(*group_, *replayed)) breach("replay gives another group");
}

}  // namespace tidegate::groups::sim
