// The way of a fetch: session, look, wait, share out, read, session again.
#include "tidegate/broker/fetch_path.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "fetch_owner.h"
#include "fetch_session.h"
#include "partition_table.h"
#include "scatter.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/runtime/memory_budget.h"
#include "tidegate/runtime/submit.h"
#include "zstd_guard.h"

namespace tidegate::broker {
namespace {

constexpr Duration kSessionEviction = std::chrono::minutes(2);
constexpr std::size_t kMaxWaitersPerShard = 100'000;

}  // namespace

struct FetchPath::State {
  struct PerShard {
    PerShard(unsigned shard, State& all)
        : owner(all.tables.at(shard), all.parts.cluster, kMaxWaitersPerShard, all.waiters),
          sessions(shard, all.parts.shards.size(), all.parts.rng.next(), all.slots),
          budget(static_cast<std::size_t>(all.parts.config.integer("fetch.response.memory.bytes")) /
                 all.parts.shards.size()) {}
    FetchOwner owner;
    FetchSessions sessions;
    MemoryBudget budget;
    std::unordered_set<FetchCollector*> waiting;
    bool stopping = false;
  };

  State(const BrokerParts& p, TopicCatalogue& c, PartitionTables& t)
      : parts(p),
        catalogue(c),
        tables(t),
        slots(static_cast<std::size_t>(p.config.integer("max.incremental.fetch.session.cache.slots")),
              kSessionEviction),
        max_bytes(p.config.integer("fetch.max.bytes")),
        max_wait_ms(p.config.integer("fetch.max.wait.ms")),
        fetched_bytes(p.metrics.counter("tidegate_broker_fetched_bytes_total", "Record bytes given to Fetch")),
        waiters(p.metrics.gauge("tidegate_broker_fetch_waiters", "Waiters of long-poll fetches, on all shards")),
        session_count(p.metrics.gauge("tidegate_broker_fetch_sessions", "Fetch sessions (KIP-227) of all shards")) {
    for (unsigned i = 0; i < parts.shards.size(); ++i) shards.push_back(std::make_unique<PerShard>(i, *this));
  }
  PerShard& local() { return *shards[Shard::current()->index()]; }
  bool is_one_shard(const std::vector<FetchItem>& items) const {
    const unsigned first = storage::owner_shard(items.front().partition, parts.shards.size());
    return std::ranges::all_of(items, [&](const FetchItem& item) {
      return storage::owner_shard(item.partition, parts.shards.size()) == first;
    });
  }

  Task<FetchSessions::Incremental> open_session(FetchQuery query);
  void drop_session(std::int32_t id);
  std::int32_t create_session(const FetchQuery& query, const std::vector<FetchSeen>& seen);
  Task<FetchReply> trim_to_changes(std::int32_t session_id, FetchReply reply, std::vector<FetchSeen> seen);
  Task<void> fetch_one_shard(std::shared_ptr<Round> round);
  Task<void> fetch_many_shards(std::shared_ptr<Round> round);
  // True when there is enough to answer.
  Task<bool> look_everywhere(std::shared_ptr<Round> round, bool register_waiters);
  Task<void> wait(std::shared_ptr<Round> round);
  Task<FetchReply> answer(std::shared_ptr<Round> round, std::int32_t session_id);

  const BrokerParts& parts;
  TopicCatalogue& catalogue;
  PartitionTables& tables;
  FetchSessionSlots slots;
  std::int64_t max_bytes;
  std::int64_t max_wait_ms;
  Counter& fetched_bytes;
  Gauge& waiters;
  Gauge& session_count;
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
  ~Round() { cancel_waiters(); }

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
  bool may_wait() const { return min_bytes > 0 && query.max_wait_ms > 0 && !trouble; }

  State& state;
  FetchQuery query;
  std::size_t min_bytes = 0;
  std::size_t max_bytes = 0;
  MonoTime deadline;
  bool trouble = false;                     // some partition has an error already
  std::vector<FetchItem> items;             // of partitions that exist
  std::vector<std::size_t> places;          // of items among query.wants
  std::vector<FetchedItem> fetched;         // one an item
  std::vector<ErrorCode> refused;           // one a want; none where there is an item
  std::shared_ptr<FetchCollector> collector;
  std::vector<Waiting> waiters;
  std::shared_ptr<FetchCancel> cancel;
  MemoryLease lease;
};

FetchPath::FetchPath(const BrokerParts& parts, TopicCatalogue& catalogue, PartitionTables& tables)
    : state_(std::make_unique<State>(parts, catalogue, tables)) {}
FetchPath::~FetchPath() = default;

namespace {

// Which topics and partitions there are, from this shard's replica of the catalogue.
void resolve(const TopicCatalogue& catalogue, const FetchQuery& query, std::vector<FetchItem>& items,
             std::vector<std::size_t>& places, std::vector<ErrorCode>& refused) {
  refused.assign(query.wants.size(), ErrorCode::none);
  CatalogueTopicPtr topic;
  const FetchKey* last = nullptr;
  for (std::size_t i = 0; i < query.wants.size(); ++i) {
    const FetchWant& want = query.wants[i];
    if (!last || last->name != want.key.name || last->id != want.key.id) {
      topic = query.by_id ? catalogue.find(want.key.id) : catalogue.find(std::string_view(want.key.name));
      last = &want.key;
    }
    if (!topic) {
      refused[i] = query.by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    } else if (want.key.partition < 0 || want.key.partition >= topic->topic.partitions) {
      refused[i] = ErrorCode::unknown_topic_or_partition;
    } else if (query.follower) {
      refused[i] = ErrorCode::not_leader_or_follower;
    } else if (!query.zstd_allowed && topic->settings.compression == protocol::Compression::zstd) {
      refused[i] = ErrorCode::unsupported_compression_type;
    } else {
      items.push_back({.partition = {topic->topic.id, want.key.partition},
                       .current_leader_epoch = want.current_leader_epoch,
                       .fetch_offset = want.fetch_offset,
                       .last_fetched_epoch = want.last_fetched_epoch,
                       .max_bytes = static_cast<std::size_t>(std::max(want.max_bytes, 0))});
      places.push_back(i);
    }
  }
}

FetchedPartition to_partition(const FetchWant& want, ErrorCode refused, FetchedItem* item, bool zstd_allowed) {
  FetchedPartition out;
  out.key = want.key;
  out.error = item ? item->error : refused;
  if (!item || out.error != ErrorCode::none) {
    if (item) out.leader = item->leader;
    return out;
  }
  if (!zstd_allowed && holds_zstd(item->chunks)) {
    out.error = ErrorCode::unsupported_compression_type;
    return out;
  }
  if (item->diverging) out.diverging = {item->diverging->epoch, item->diverging->end};
  out.high_watermark = item->high_watermark;
  out.log_start = item->log_start;
  out.records = std::move(item->chunks);
  return out;
}

FetchSeen to_seen(const FetchedPartition& partition) {
  return {.key = partition.key,
          .error = partition.error,
          .diverging = partition.diverging.has_value(),
          .has_records = !partition.records.empty(),
          .high_watermark = partition.high_watermark,
          .log_start = partition.log_start};
}

}  // namespace

Task<FetchReply> FetchPath::fetch(FetchQuery query, std::shared_ptr<FetchCancel> cancel) {
  State& state = *state_;
  FetchQuery asked = std::move(query);
  FetchQuery limits = asked.limits();
  FetchSessions::Incremental opened = co_await state.open_session(std::move(asked));
  if (opened.error != ErrorCode::none) co_return FetchReply{.error = opened.error};

  auto round = std::make_shared<Round>(state, std::move(limits));
  FetchQuery& q = round->query;
  q.wants = std::move(opened.wants);
  q.max_wait_ms = static_cast<std::int32_t>(std::clamp<std::int64_t>(q.max_wait_ms, 0, state.max_wait_ms));
  if (state.local().stopping) q.max_wait_ms = 0;
  round->min_bytes = static_cast<std::size_t>(std::max(q.min_bytes, 0));
  round->max_bytes = static_cast<std::size_t>(std::clamp<std::int64_t>(q.max_bytes, 0, state.max_bytes));
  round->deadline = state.parts.clock.now() + std::chrono::milliseconds(q.max_wait_ms);
  round->cancel = std::move(cancel);
  resolve(state.catalogue, q, round->items, round->places, round->refused);
  round->trouble = round->items.size() != q.wants.size();
  round->fetched.resize(round->items.size());
  if (!round->items.empty()) {
    if (state.is_one_shard(round->items)) {
      co_await state.fetch_one_shard(round);
    } else {
      co_await state.fetch_many_shards(round);
    }
  }
  co_return co_await state.answer(round, opened.session_id);
}

Task<FetchReply> FetchPath::State::answer(std::shared_ptr<Round> round, std::int32_t session_id) {
  const FetchQuery& q = round->query;
  const bool opens_session = q.session_epoch == kInitialSessionEpoch;
  FetchReply reply;
  std::vector<FetchSeen> seen;
  reply.partitions.reserve(q.wants.size());
  std::size_t next_item = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < q.wants.size(); ++i) {
    FetchedItem* item = nullptr;
    if (next_item < round->places.size() && round->places[next_item] == i) item = &round->fetched[next_item++];
    if (item) bytes += item->size_bytes;
    reply.partitions.push_back(to_partition(q.wants[i], round->refused[i], item, q.zstd_allowed));
    if (opens_session || session_id != kNoSession) seen.push_back(to_seen(reply.partitions.back()));
  }
  fetched_bytes.add(bytes);
  if (round->lease.size() > 0) reply.charge = std::make_shared<MemoryLease>(std::move(round->lease));
  if (opens_session) reply.session_id = create_session(q, seen);
  if (session_id == kNoSession) co_return reply;
  co_return co_await trim_to_changes(session_id, std::move(reply), std::move(seen));
}

Task<FetchSessions::Incremental> FetchPath::State::open_session(FetchQuery query) {
  const unsigned count = parts.shards.size();
  const unsigned at = FetchSessions::shard_of(query.session_id, count);
  FetchSessions& sessions = shards[at]->sessions;
  if (query.session_epoch == kInitialSessionEpoch || query.session_epoch == kFinalSessionEpoch) {
    // Both ask for everything; whatever session the client had is over.
    if (query.session_id != kNoSession) drop_session(query.session_id);
    co_return FetchSessions::Incremental{.wants = std::move(query.wants)};
  }
  auto advance = [&sessions, now = parts.clock.now(), query = std::move(query)]() mutable {
    return sessions.advance(query.session_id, query.session_epoch, query.by_id, std::move(query.wants),
                            query.forgotten, now);
  };
  co_return co_await submit_to(parts.shards.at(at), std::move(advance));
}

void FetchPath::State::drop_session(std::int32_t id) {
  const unsigned at = FetchSessions::shard_of(id, parts.shards.size());
  FetchSessions& sessions = shards[at]->sessions;
  parts.shards.at(at).post([this, &sessions, id] {
    sessions.close(id);
    session_count.set(static_cast<std::int64_t>(slots.used()));
  });
}

std::int32_t FetchPath::State::create_session(const FetchQuery& query, const std::vector<FetchSeen>& seen) {
  std::optional<std::int32_t> evicted;
  const std::int32_t id = local().sessions.create(query.by_id, query.wants, seen, parts.clock.now(), evicted);
  if (evicted) drop_session(*evicted);
  session_count.set(static_cast<std::int64_t>(slots.used()));
  return id;
}

// Leaves in the reply what an incremental answer has to carry.
Task<FetchReply> FetchPath::State::trim_to_changes(std::int32_t session_id, FetchReply reply,
                                                   std::vector<FetchSeen> seen) {
  const unsigned at = FetchSessions::shard_of(session_id, parts.shards.size());
  FetchSessions& sessions = shards[at]->sessions;
  auto record = [&sessions, session_id, seen = std::move(seen)] {
    return sessions.record_reply(session_id, seen);
  };
  const std::vector<bool> carry = co_await submit_to(parts.shards.at(at), std::move(record));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < reply.partitions.size(); ++i) {
    if (!carry[i]) continue;
    if (kept != i) reply.partitions[kept] = std::move(reply.partitions[i]);
    ++kept;
  }
  reply.partitions.resize(kept);
  reply.session_id = session_id;
  co_return reply;
}

Task<void> FetchPath::State::fetch_one_shard(std::shared_ptr<Round> round) {
  const unsigned at = storage::owner_shard(round->items.front().partition, parts.shards.size());
  Shard& target = parts.shards.at(at);
  FetchOwner& owner = shards[at]->owner;
  std::size_t wanted = 0;
  for (const FetchItem& item : round->items) wanted += item.max_bytes;
  wanted = std::min(wanted, round->max_bytes);

  for (bool again = round->may_wait();; again = false) {
    if (again && !round->collector) round->collector = std::make_shared<FetchCollector>(round->min_bytes, 1);
    FetchVisit visit{.items = round->items,
                     .then = FetchVisit::Then::read_all,
                     .max_bytes = round->max_bytes,
                     .need = again ? round->min_bytes : 0,
                     .home = Shard::current(),
                     .collector = round->collector,
                     .report_from = round->min_bytes};
    // What the visit may bring at most is charged before it reads, and cut back to what it brought.
    round->lease = co_await local().budget.acquire(wanted);
    auto call = [&owner, visit = std::move(visit)]() mutable { return owner.visit(std::move(visit)); };
    FetchVisited visited = co_await submit_to(target, std::move(call));
    std::size_t brought = 0;
    for (const FetchedItem& item : visited.items) brought += item.size_bytes;
    round->lease.shrink_to(std::min(brought, round->lease.size()));
    round->fetched = std::move(visited.items);
    const bool waits = again && !visited.trouble && visited.bytes < round->min_bytes;
    if (!waits) co_return;
    if (visited.waiter != 0) round->waiters.push_back({at, visited.waiter});
    co_await wait(round);
    if (round->collector->cancelled() && !local().stopping) co_return;  // nobody reads the answer
  }
}

namespace {

Task<void> visit_shard(Shard& target, FetchOwner& owner, FetchVisit visit, std::shared_ptr<FetchVisited> out) {
  auto call = [&owner, visit = std::move(visit)]() mutable { return owner.visit(std::move(visit)); };
  *out = co_await submit_to(target, std::move(call));
}

}  // namespace

Task<bool> FetchPath::State::look_everywhere(std::shared_ptr<Round> round, bool register_waiters) {
  auto shares = share_out(round->items, parts.shards.size());
  if (register_waiters) {
    round->collector = std::make_shared<FetchCollector>(round->min_bytes, shares.size());
  }
  Gather gather;
  std::vector<std::shared_ptr<FetchVisited>> answers;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    FetchVisit visit{.items = std::move(shares[i].items),
                     .need = register_waiters ? round->min_bytes : 0,
                     .home = Shard::current(),
                     .collector = round->collector,
                     .place = i};
    answers.push_back(std::make_shared<FetchVisited>());
    gather.add(visit_shard(parts.shards.at(shares[i].shard), shards[shares[i].shard]->owner,
                           std::move(visit), answers.back()),
               "fetch look");
  }
  co_await gather.all();
  std::size_t bytes = 0;
  bool trouble = false;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    FetchVisited& answer = *answers[i];
    if (answer.waiter != 0) round->waiters.push_back({shares[i].shard, answer.waiter});
    bytes += answer.bytes;
    trouble = trouble || answer.trouble;
    for (std::size_t k = 0; k < answer.items.size(); ++k) {
      round->fetched[shares[i].places[k]] = std::move(answer.items[k]);
    }
    // A report may have overtaken this: the collector keeps the larger number.
    if (round->collector) round->collector->report(i, answer.bytes, answer.trouble);
  }
  co_return trouble || bytes >= round->min_bytes;
}

Task<void> FetchPath::State::fetch_many_shards(std::shared_ptr<Round> round) {
  const bool may_wait = round->may_wait();
  const bool enough = co_await look_everywhere(round, may_wait);
  if (may_wait && !enough) {
    co_await wait(round);
    if (round->collector->cancelled() && !local().stopping) co_return;  // nobody reads the answer
    co_await look_everywhere(round, false);
  }
  round->cancel_waiters();

  std::vector<FetchSize> sizes;
  for (std::size_t i = 0; i < round->items.size(); ++i) {
    sizes.push_back({round->fetched[i].readable, round->items[i].max_bytes});
  }
  const auto allotments = allot(sizes, round->max_bytes);
  std::size_t planned = 0;
  std::vector<FetchItem> reads;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < allotments.size(); ++i) {
    if (allotments[i].max_bytes == 0 && !allotments[i].at_least_one) continue;
    planned += allotments[i].max_bytes;
    reads.push_back(round->items[i]);
    reads.back().allotment = allotments[i];
    places.push_back(i);
  }
  if (reads.empty()) co_return;
  round->lease = co_await local().budget.acquire(planned);

  auto shares = share_out(std::move(reads), parts.shards.size());
  Gather gather;
  std::vector<std::shared_ptr<FetchVisited>> answers;
  for (auto& share : shares) {
    FetchVisit visit{.items = std::move(share.items), .then = FetchVisit::Then::read_allotted};
    answers.push_back(std::make_shared<FetchVisited>());
    gather.add(visit_shard(parts.shards.at(share.shard), shards[share.shard]->owner,
                           std::move(visit), answers.back()),
               "fetch read");
  }
  co_await gather.all();
  std::size_t brought = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    for (std::size_t k = 0; k < answers[i]->items.size(); ++k) {
      FetchedItem& item = answers[i]->items[k];
      brought += item.size_bytes;
      round->fetched[places[shares[i].places[k]]] = std::move(item);
    }
  }
  round->lease.shrink_to(std::min(brought, round->lease.size()));
}

Task<void> FetchPath::State::wait(std::shared_ptr<Round> round) {
  PerShard& mine = local();
  FetchCollector* collector = round->collector.get();
  if (mine.stopping || (round->cancel && round->cancel->cancelled_)) {
    collector->cancel();
  } else {
    if (round->cancel) {
      round->cancel->call_ = [weak = std::weak_ptr(round->collector)] {
        if (const auto alive = weak.lock()) alive->cancel();
      };
    }
    mine.waiting.insert(collector);
    co_await collector->wait_until(Shard::current()->timers(), round->deadline);
    mine.waiting.erase(collector);
  }
  round->cancel_waiters();
}

Task<void> FetchPath::stop() {
  for (unsigned i = 0; i < state_->parts.shards.size(); ++i) {
    State::PerShard& shard = *state_->shards[i];
    auto wake = [&shard] {
      shard.stopping = true;
      for (FetchCollector* collector : shard.waiting) collector->cancel();
    };
    co_await submit_to(state_->parts.shards.at(i), std::move(wake));
  }
}

}  // namespace tidegate::broker
