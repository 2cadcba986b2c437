// What the parts of the fetch path share: the state of a server, and one fetch under way.
#pragma once

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "fetch_memory.h"
#include "fetch_owner.h"
#include "fetch_session.h"
#include "partition_table.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/fetch_path.h"

namespace tidegate::broker {

inline constexpr Duration kFetchSessionEviction = std::chrono::minutes(2);

struct FetchPath::State {
  struct PerShard {
    PerShard(unsigned shard, State& all)
        : owner(all.tables.at(shard), all.parts,
                static_cast<std::size_t>(all.parts.config.integer("fetch.max.waiters")), all.waiters),
          sessions(shard, all.parts.shards.size(), all.parts.rng.next(), all.slots),
          memory(static_cast<std::size_t>(all.parts.config.integer("fetch.response.memory.bytes")) /
                     all.parts.shards.size(),
                 all.memory_metrics) {}
    FetchOwner owner;
    FetchSessions sessions;
    FetchMemory memory;
    std::unordered_set<Round*> waiting;  // for records or memory
    bool stopping = false;
  };

  State(const BrokerParts& p, TopicCatalogue& c, PartitionTables& t)
      : parts(p),
        catalogue(c),
        tables(t),
        slots(static_cast<std::size_t>(p.config.integer("max.incremental.fetch.session.cache.slots")),
              static_cast<std::size_t>(p.config.integer("fetch.session.memory.bytes")),
              kFetchSessionEviction),
        max_bytes(p.config.integer("fetch.max.bytes")),
        max_wait_ms(p.config.integer("fetch.max.wait.ms")),
        fetched_bytes(
            p.metrics.counter("tidegate_broker_fetched_bytes_total", "Record bytes given to Fetch")),
        waiters(
            p.metrics.gauge("tidegate_broker_fetch_waiters", "Waiters of long-poll fetches, on all shards")),
        memory_metrics(p.metrics),
        session_count(
            p.metrics.gauge("tidegate_broker_fetch_sessions", "Fetch sessions (KIP-227) of all shards")),
        session_bytes(p.metrics.gauge("tidegate_broker_fetch_session_bytes",
                                      "Memory of what fetch sessions remember")) {
    for (unsigned i = 0; i < parts.shards.size(); ++i) shards.push_back(std::make_unique<PerShard>(i, *this));
  }
  void show_sessions() {
    session_count.set(static_cast<std::int64_t>(slots.used()));
    session_bytes.set(static_cast<std::int64_t>(slots.used_bytes()));
  }
  PerShard& local() { return *shards[Shard::current()->index()]; }
  bool is_one_shard(const std::vector<FetchItem>& items) const {
    const unsigned first = storage::owner_shard(items.front().partition, parts.shards.size());
    return std::ranges::all_of(items, [&](const FetchItem& item) {
      return storage::owner_shard(item.partition, parts.shards.size()) == first;
    });
  }

  struct Opened {
    FetchSessions::Incremental session;
    std::shared_ptr<SessionTurn> turn;  // of an incremental request; given back on the session's shard
  };
  Task<Opened> open_session(FetchQuery query);
  Task<Opened> advance_session(unsigned at, FetchQuery query);
  void drop_session(std::int32_t id);
  std::int32_t create_session(const FetchQuery& query, const std::vector<FetchSeen>& seen);
  Task<FetchReply> trim_to_changes(std::shared_ptr<Round> round, FetchReply reply,
                                   std::vector<FetchSeen> seen);
  // Charges round->charge for `bytes`, for a part of them, or for nothing.
  Task<void> admit(std::shared_ptr<Round> round, std::size_t bytes);
  Task<void> fetch_one_shard(std::shared_ptr<Round> round);
  Task<void> fetch_many_shards(std::shared_ptr<Round> round);
  // True when there is enough to answer.
  Task<bool> look_everywhere(std::shared_ptr<Round> round, bool register_waiters);
  Task<void> wait(std::shared_ptr<Round> round);
  Task<FetchReply> answer(std::shared_ptr<Round> round);

  const BrokerParts& parts;
  TopicCatalogue& catalogue;
  PartitionTables& tables;
  FetchSessionSlots slots;
  std::int64_t max_bytes;
  std::int64_t max_wait_ms;
  Counter& fetched_bytes;
  Gauge& waiters;
  FetchMemoryMetrics memory_metrics;
  Gauge& session_count;
  Gauge& session_bytes;
  std::vector<std::unique_ptr<PerShard>> shards;
};

// One fetch under way. Shared by the coroutines that work on it.
struct FetchPath::Round {
  // A waiter registered on an owner shard.
  struct Waiting {
    unsigned shard = 0;
    std::uint64_t waiter = 0;
  };

  Round(State& s, FetchQuery q) : state(s), query(std::move(q)) {}
  ~Round() {
    cancel_waiters();
    give_turn_back();
  }

  // Idempotent; on the connection's shard.
  void cancel_waiters() {
    for (const Waiting& each : std::exchange(waiters, {})) {
      FetchOwner& owner = state.shards[each.shard]->owner;
      Shard& shard = state.parts.shards.at(each.shard);
      if (shard.is_current()) {
        owner.cancel(each.waiter);
      } else {
        shard.post([&owner, waiter = each.waiter] { owner.cancel(waiter); });
      }
    }
  }
  // The next request of the session may go on.
  void give_turn_back() {
    if (!turn) return;
    const unsigned at = FetchSessions::shard_of(session_id, state.parts.shards.size());
    state.parts.shards.at(at).post([turn = std::move(turn)] {});
  }
  // The client is gone or the server stops: no more waiting, for records or for memory.
  void end_waits() {
    ended = true;
    if (collector) collector->cancel();
    admission.give_up();
  }
  std::size_t fetched_bytes() const {
    std::size_t bytes = 0;
    for (const FetchedItem& item : fetched) bytes += item.size_bytes;
    return bytes;
  }
  bool may_wait() const { return !ended && min_bytes > 0 && query.max_wait_ms > 0 && !trouble; }

  State& state;
  FetchQuery query;
  std::size_t min_bytes = 0;
  std::size_t max_bytes = 0;
  MonoTime deadline;
  bool trouble = false;              // some partition has an error already
  std::vector<FetchItem> items;      // of partitions that exist
  std::vector<std::size_t> places;   // of items among query.wants
  std::vector<FetchedItem> fetched;  // one an item
  std::vector<ErrorCode> refused;    // one a want; none where there is an item
  std::shared_ptr<FetchCollector> collector;
  std::vector<Waiting> waiters;
  bool ended = false;
  MemoryWait admission;
  FetchCharge charge;
  std::int32_t session_id = kNoSession;  // of an incremental request
  std::shared_ptr<SessionTurn> turn;
};

}  // namespace tidegate::broker
