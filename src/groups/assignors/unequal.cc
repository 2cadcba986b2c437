// Members subscribe to different topics. Owners keep what they have, free partitions go to the least loaded
// subscriber (topics with the fewest subscribers first), then partitions move along chains a -> x -> ... -> b
// until no chain leads from a member to one with at least two partitions less. That is the most equal
// distribution there is; chains with the fewest owned partitions on them are taken first.
#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <queue>

#include "assignors/sticky.h"

namespace tidegate::groups::sticky {
namespace {

constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
// Steps of the search for chains: some hundred milliseconds at the most. A group too big for it is left
// valid and nearly balanced.
constexpr std::size_t kSearchBudget = 30'000'000;

// A member's subscription to one topic, with what it holds of it.
struct Slot {
  std::uint32_t member = 0;
  std::uint32_t topic = 0;
  std::vector<std::int32_t> kept;   // its own from before
  std::vector<std::int32_t> fresh;  // everything else
  bool empty() const { return kept.empty() && fresh.empty(); }
};

class Balancer {
 public:
  explicit Balancer(const Problem& problem);
  void deal_out();
  void level();
  void bring_home();
  Solution result() const;

 private:
  struct Link {
    std::uint32_t from_slot = kNobody;  // gives one partition ...
    std::uint32_t to_slot = kNobody;    // ... to this slot of the same topic
  };

  Slot& slot_of(std::uint32_t member, std::uint32_t topic);
  std::uint32_t home_of(const Partition& partition) const { return home_[partition.topic][index(partition)]; }
  static std::size_t index(const Partition& partition) { return static_cast<std::size_t>(partition.index); }
  bool relieve_for(std::uint32_t receiver);
  void search(std::uint32_t receiver);
  void move(const Link& link);
  void put(Slot& slot, std::int32_t partition);
  std::uint32_t foreign_slot(std::uint32_t owner, std::uint32_t taker) const;
  bool bring_home(Slot& away, std::size_t at);

  const Problem& problem_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> first_slot_;                // of each member, and one past the end
  std::vector<std::vector<std::uint32_t>> subscribers_;  // slots of each topic
  std::vector<std::vector<std::uint32_t>> home_;         // former owner of each partition
  std::vector<std::size_t> load_;
  std::size_t budget_ = kSearchBudget;

  // Of the search under way.
  std::vector<std::uint32_t> cost_;
  std::vector<Link> via_;
  std::vector<bool> topic_done_;
};

Balancer::Balancer(const Problem& problem) : problem_(problem), load_(problem.members.size()) {
  subscribers_.resize(problem.counts.size());
  home_.resize(problem.counts.size());
  for (std::size_t t = 0; t < problem.counts.size(); ++t) {
    home_[t].assign(static_cast<std::size_t>(problem.counts[t]), kNobody);
  }
  for (std::uint32_t m = 0; m < problem.members.size(); ++m) {
    first_slot_.push_back(static_cast<std::uint32_t>(slots_.size()));
    for (const auto topic : problem.members[m].topics) {
      subscribers_[topic].push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.push_back({.member = m, .topic = topic, .kept = {}, .fresh = {}});
    }
  }
  first_slot_.push_back(static_cast<std::uint32_t>(slots_.size()));
  for (std::uint32_t m = 0; m < problem.members.size(); ++m) {
    for (const auto& partition : problem.members[m].owned) {
      home_[partition.topic][index(partition)] = m;
      slot_of(m, partition.topic).kept.push_back(partition.index);
      ++load_[m];
    }
  }
}

Slot& Balancer::slot_of(std::uint32_t member, std::uint32_t topic) {
  const auto& topics = problem_.members[member].topics;
  const auto at = std::ranges::lower_bound(topics, topic) - topics.begin();
  return slots_[first_slot_[member] + static_cast<std::size_t>(at)];
}

void Balancer::deal_out() {
  std::vector<std::uint32_t> topics(problem_.counts.size());
  std::iota(topics.begin(), topics.end(), 0U);
  std::ranges::sort(topics, {}, [&](std::uint32_t t) { return std::pair(subscribers_[t].size(), t); });
  using Entry = std::pair<std::size_t, std::uint32_t>;  // load, slot
  for (const auto topic : topics) {
    if (subscribers_[topic].empty()) continue;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> least;
    for (const auto slot : subscribers_[topic]) least.emplace(load_[slots_[slot].member], slot);
    for (std::size_t p = 0; p < home_[topic].size(); ++p) {
      if (home_[topic][p] != kNobody) continue;
      const auto slot = least.top().second;
      least.pop();
      slots_[slot].fresh.push_back(static_cast<std::int32_t>(p));
      least.emplace(++load_[slots_[slot].member], slot);
    }
  }
}

// Cheapest chains that end at `receiver`, over members in reverse: a step costs one when the giver has
// nothing of the topic but what it owned before. Steps cost 0 or 1, hence the deque. Within a topic every
// giver costs least from the first subscriber that is settled, so each topic is gone through once.
void Balancer::search(std::uint32_t receiver) {
  cost_.assign(load_.size(), kNobody);
  via_.assign(load_.size(), Link{});
  topic_done_.assign(problem_.counts.size(), false);
  std::deque<std::uint32_t> queue{receiver};
  std::vector<bool> settled(load_.size());
  cost_[receiver] = 0;
  while (!queue.empty() && budget_ > 0) {
    const auto member = queue.front();
    queue.pop_front();
    if (settled[member]) continue;
    settled[member] = true;
    for (auto to = first_slot_[member]; to < first_slot_[member + 1]; ++to) {
      const auto topic = slots_[to].topic;
      if (topic_done_[topic]) continue;
      topic_done_[topic] = true;
      for (const auto from : subscribers_[topic]) {
        budget_ -= budget_ > 0 ? 1 : 0;
        const auto& giver = slots_[from];
        if (giver.empty() || settled[giver.member]) continue;
        const auto cost = cost_[member] + (giver.fresh.empty() ? 1U : 0U);
        if (cost >= cost_[giver.member]) continue;
        cost_[giver.member] = cost;
        via_[giver.member] = {.from_slot = from, .to_slot = to};
        if (giver.fresh.empty()) {
          queue.push_back(giver.member);
        } else {
          queue.push_front(giver.member);
        }
      }
    }
  }
}

void Balancer::put(Slot& slot, std::int32_t partition) {
  const bool own = home_of({slot.topic, partition}) == slot.member;
  (own ? slot.kept : slot.fresh).push_back(partition);
}

void Balancer::move(const Link& link) {
  auto& from = slots_[link.from_slot];
  auto& source = from.fresh.empty() ? from.kept : from.fresh;
  const auto partition = source.back();
  source.pop_back();
  put(slots_[link.to_slot], partition);
}

// One partition less for the most loaded member that a chain connects with `receiver`, one more for that.
bool Balancer::relieve_for(std::uint32_t receiver) {
  search(receiver);
  auto giver = kNobody;
  for (std::uint32_t m = 0; m < load_.size(); ++m) {
    if (cost_[m] == kNobody || load_[m] < load_[receiver] + 2) continue;
    if (giver == kNobody || load_[m] > load_[giver] ||
        (load_[m] == load_[giver] && cost_[m] < cost_[giver])) {
      giver = m;
    }
  }
  if (giver == kNobody) return false;
  --load_[giver];
  ++load_[receiver];
  while (giver != receiver) {
    const auto link = via_[giver];
    move(link);
    giver = slots_[link.to_slot].member;
  }
  return true;
}

void Balancer::level() {
  std::vector<std::uint32_t> order(load_.size());
  std::iota(order.begin(), order.end(), 0U);
  // A move makes the sum of squares smaller, so this ends even without the budget.
  bool moved = true;
  while (moved && budget_ > 0) {
    moved = false;
    std::ranges::sort(order, {}, [&](std::uint32_t m) { return std::pair(load_[m], m); });
    const auto most = load_.empty() ? 0 : load_[order.back()];
    for (const auto member : order) {
      while (budget_ > 0 && load_[member] + 2 <= most && relieve_for(member)) moved = true;
    }
  }
}

// Something foreign at `owner` that `taker` subscribes to; kNobody when there is none.
std::uint32_t Balancer::foreign_slot(std::uint32_t owner, std::uint32_t taker) const {
  const auto& topics = problem_.members[taker].topics;
  for (auto slot = first_slot_[owner]; slot < first_slot_[owner + 1]; ++slot) {
    if (!slots_[slot].fresh.empty() && std::ranges::binary_search(topics, slots_[slot].topic)) return slot;
  }
  return kNobody;
}

// A partition that left its owner goes back where that makes no load worse: when the owner has less than
// the holder, or has something foreign to give for it.
bool Balancer::bring_home(Slot& away, std::size_t at) {
  const auto partition = away.fresh[at];
  const auto holder = away.member;
  const auto owner = home_of({away.topic, partition});
  if (owner == kNobody || owner == holder) return false;
  const bool lighter = load_[owner] < load_[holder];
  const auto exchange = lighter ? kNobody : foreign_slot(owner, holder);
  if (!lighter && exchange == kNobody) return false;
  away.fresh.erase(away.fresh.begin() + static_cast<std::ptrdiff_t>(at));
  if (lighter) {
    --load_[holder];
    ++load_[owner];
  } else {
    auto& given = slots_[exchange];
    const auto swapped = given.fresh.back();
    given.fresh.pop_back();
    put(slot_of(holder, given.topic), swapped);
  }
  slot_of(owner, away.topic).kept.push_back(partition);
  return true;
}

void Balancer::bring_home() {
  for (auto& slot : slots_) {
    // Every success puts one partition more with its owner and takes none away.
    for (std::size_t at = 0; at < slot.fresh.size();) {
      if (!bring_home(slot, at)) ++at;
    }
  }
}

Solution Balancer::result() const {
  Solution solution(load_.size());
  for (const auto& slot : slots_) {
    auto& partitions = solution[slot.member];
    for (const auto index : slot.kept) partitions.push_back({slot.topic, index});
    for (const auto index : slot.fresh) partitions.push_back({slot.topic, index});
  }
  for (auto& partitions : solution) std::ranges::sort(partitions);
  return solution;
}

}  // namespace

Solution solve_unequal(const Problem& problem) {
  Balancer balancer(problem);
  balancer.deal_out();
  balancer.level();
  balancer.bring_home();
  return balancer.result();
}

}  // namespace tidegate::groups::sticky
