// The way of a fetch: session, look, wait, share out, read, session again.
#include "tidegate/broker/fetch_path.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "fetch_memory.h"
#include "fetch_names.h"
#include "fetch_owner.h"
#include "fetch_session.h"
#include "partition_table.h"
#include "scatter.h"
#include "tidegate/broker/broker.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

constexpr Duration kSessionEviction = std::chrono::minutes(2);

}  // namespace

struct FetchPath::State {
  struct PerShard {
    PerShard(unsigned shard, State& all)
        : owner(all.tables.at(shard), all.parts.cluster,
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
              static_cast<std::size_t>(p.config.integer("fetch.session.memory.bytes")), kSessionEviction),
        max_bytes(p.config.integer("fetch.max.bytes")),
        max_wait_ms(p.config.integer("fetch.max.wait.ms")),
        fetched_bytes(p.metrics.counter("tidegate_broker_fetched_bytes_total", "Record bytes given to Fetch")),
        waiters(p.metrics.gauge("tidegate_broker_fetch_waiters", "Waiters of long-poll fetches, on all shards")),
        memory_metrics(p.metrics),
        session_count(p.metrics.gauge("tidegate_broker_fetch_sessions", "Fetch sessions (KIP-227) of all shards")),
        session_bytes(p.metrics.gauge("tidegate_broker_fetch_session_bytes", "Memory of what fetch sessions remember")) {
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
  Task<FetchReply> trim_to_changes(std::shared_ptr<Round> round, FetchReply reply, std::vector<FetchSeen> seen);
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
  bool may_wait() const { return !ended && min_bytes > 0 && query.max_wait_ms > 0 && !trouble; }

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
  bool ended = false;
  MemoryWait admission;
  FetchCharge charge;
  std::int32_t session_id = kNoSession;     // of an incremental request
  std::shared_ptr<SessionTurn> turn;
};

FetchPath::FetchPath(const BrokerParts& parts, TopicCatalogue& catalogue, PartitionTables& tables)
    : state_(std::make_unique<State>(parts, catalogue, tables)) {}
FetchPath::~FetchPath() = default;

Task<FetchReply> FetchPath::fetch(FetchQuery query, std::shared_ptr<FetchCancel> cancel) {
  State& state = *state_;
  FetchQuery asked = std::move(query);
  FetchQuery limits = asked.limits();
  State::Opened opened = co_await state.open_session(std::move(asked));
  if (opened.session.error != ErrorCode::none) co_return FetchReply{.error = opened.session.error};

  auto round = std::make_shared<Round>(state, std::move(limits));
  round->session_id = opened.session.session_id;
  round->turn = std::move(opened.turn);
  if (cancel) {
    round->ended = cancel->cancelled_;
    cancel->call_ = [weak = std::weak_ptr(round)] {
      if (const auto alive = weak.lock()) alive->end_waits();
    };
  }
  FetchQuery& q = round->query;
  q.wants = std::move(opened.session.wants);
  q.max_wait_ms = static_cast<std::int32_t>(std::clamp<std::int64_t>(q.max_wait_ms, 0, state.max_wait_ms));
  if (state.local().stopping) q.max_wait_ms = 0;
  round->max_bytes = std::min(static_cast<std::size_t>(std::clamp<std::int64_t>(q.max_bytes, 0, state.max_bytes)),
                              state.local().memory.largest_answer());
  // More than there can be in an answer would never come.
  round->min_bytes = std::min(static_cast<std::size_t>(std::max(q.min_bytes, 0)), round->max_bytes);
  round->deadline = state.parts.clock.now() + std::chrono::milliseconds(q.max_wait_ms);
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
  co_return co_await state.answer(round);
}

Task<FetchReply> FetchPath::State::answer(std::shared_ptr<Round> round) {
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
    if (opens_session || round->session_id != kNoSession) seen.push_back(to_seen(reply.partitions.back()));
  }
  fetched_bytes.add(bytes);
  if (round->charge.size() > 0) reply.charge = std::make_shared<FetchCharge>(std::move(round->charge));
  if (opens_session) reply.session_id = create_session(q, seen);
  if (round->session_id == kNoSession) co_return reply;
  co_return co_await trim_to_changes(round, std::move(reply), std::move(seen));
}

Task<FetchPath::State::Opened> FetchPath::State::open_session(FetchQuery query) {
  if (query.session_epoch == kInitialSessionEpoch || query.session_epoch == kFinalSessionEpoch) {
    // Both ask for everything; whatever session the client had is over.
    if (query.session_id != kNoSession) drop_session(query.session_id);
    co_return Opened{.session = {.wants = std::move(query.wants)}, .turn = nullptr};
  }
  const unsigned at = FetchSessions::shard_of(query.session_id, parts.shards.size());
  auto advance = [this, at, query = std::move(query)]() mutable { return advance_session(at, std::move(query)); };
  co_return co_await submit_to(parts.shards.at(at), std::move(advance));
}

// On the session's shard. Requests of one session are answered one after the other, as Kafka does: the
// next one looks at the epoch, and at what was told, when the one before it has been answered.
Task<FetchPath::State::Opened> FetchPath::State::advance_session(unsigned at, FetchQuery query) {
  FetchSessions& sessions = shards[at]->sessions;
  Opened out;
  if (const auto queue = sessions.turns(query.session_id)) {
    auto turn = co_await queue->take();
    out.turn = std::make_shared<SessionTurn>(queue, std::move(turn));
  }
  out.session = sessions.advance(query.session_id, query.session_epoch, query.by_id, std::move(query.wants),
                                 query.forgotten, parts.clock.now());
  show_sessions();
  if (out.session.session_id == kNoSession) out.turn.reset();
  co_return out;
}

void FetchPath::State::drop_session(std::int32_t id) {
  const unsigned at = FetchSessions::shard_of(id, parts.shards.size());
  FetchSessions& sessions = shards[at]->sessions;
  parts.shards.at(at).post([this, &sessions, id] {
    sessions.close(id);
    show_sessions();
  });
}

std::int32_t FetchPath::State::create_session(const FetchQuery& query, const std::vector<FetchSeen>& seen) {
  std::optional<std::int32_t> evicted;
  const std::int32_t id = local().sessions.create(query.by_id, query.wants, seen, parts.clock.now(), evicted);
  if (evicted) drop_session(*evicted);
  show_sessions();
  return id;
}

// Leaves in the reply what an incremental answer has to carry.
Task<FetchReply> FetchPath::State::trim_to_changes(std::shared_ptr<Round> round, FetchReply reply,
                                                   std::vector<FetchSeen> seen) {
  const std::int32_t session_id = round->session_id;
  const unsigned at = FetchSessions::shard_of(session_id, parts.shards.size());
  FetchSessions& sessions = shards[at]->sessions;
  auto record = [&sessions, session_id, seen = std::move(seen), turn = std::move(round->turn)]() mutable {
    auto carry = sessions.record_reply(session_id, seen);
    turn.reset();
    return carry;
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
    // What the visit may bring at most is charged before it reads, and set to what it brought.
    co_await admit(round, wanted);
    const bool admitted = round->charge.size() > 0;
    again = again && admitted && !round->ended;
    FetchVisit visit{.items = round->items,
                     .then = admitted ? FetchVisit::Then::read_all : FetchVisit::Then::nothing,
                     .max_bytes = std::min(round->max_bytes, round->charge.size()),
                     .first_whole = round->charge.size() >= wanted,
                     .need = again ? round->min_bytes : 0,
                     .home = Shard::current(),
                     .collector = round->collector,
                     .report_from = round->min_bytes};
    auto call = [&owner, visit = std::move(visit)]() mutable { return owner.visit(std::move(visit)); };
    FetchVisited visited = co_await submit_to(target, std::move(call));
    std::size_t brought = 0;
    for (const FetchedItem& item : visited.items) brought += item.size_bytes;
    round->charge.set(brought);
    round->fetched = std::move(visited.items);
    const bool waits = again && !visited.trouble && visited.bytes < round->min_bytes;
    if (!waits) co_return;
    if (visited.waiter != 0) round->waiters.push_back({at, visited.waiter});
    co_await wait(round);
    if (round->ended) co_return;  // with what was seen before the wait
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
    if (round->ended) co_return;  // with what was seen before the wait
    co_await look_everywhere(round, false);
  }
  round->cancel_waiters();

  std::vector<FetchSize> sizes;
  for (std::size_t i = 0; i < round->items.size(); ++i) {
    sizes.push_back({round->fetched[i].readable, round->items[i].max_bytes});
  }
  std::size_t planned = 0;
  for (const FetchAllotment& share : allot(sizes, round->max_bytes)) planned += share.max_bytes;
  if (std::ranges::all_of(sizes, [](const FetchSize& size) { return size.readable == 0; })) co_return;
  co_await admit(round, planned);
  if (round->charge.size() == 0) co_return;  // no memory in time: what there is, without records
  const bool first_whole = round->charge.size() >= planned;
  const auto allotments = allot(sizes, std::min(round->max_bytes, round->charge.size()), first_whole);
  std::vector<FetchItem> reads;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < allotments.size(); ++i) {
    if (allotments[i].max_bytes == 0 && !allotments[i].at_least_one) continue;
    reads.push_back(round->items[i]);
    reads.back().allotment = allotments[i];
    places.push_back(i);
  }

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
  round->charge.set(brought);
}

Task<void> FetchPath::State::wait(std::shared_ptr<Round> round) {
  PerShard& mine = local();
  if (mine.stopping) round->end_waits();
  if (!round->ended) {
    mine.waiting.insert(round.get());
    co_await round->collector->wait_until(Shard::current()->timers(), round->deadline);
    mine.waiting.erase(round.get());
  }
  round->cancel_waiters();
}

Task<void> FetchPath::State::admit(std::shared_ptr<Round> round, std::size_t bytes) {
  PerShard& mine = local();
  // One that has ended takes what there is at once, or goes without.
  const MonoTime deadline = round->ended ? MonoTime{} : round->deadline;
  mine.waiting.insert(round.get());
  round->charge = co_await mine.memory.admit(round->query.connection, bytes, deadline, round->admission);
  mine.waiting.erase(round.get());
}

Task<void> FetchPath::stop() {
  for (unsigned i = 0; i < state_->parts.shards.size(); ++i) {
    State::PerShard& shard = *state_->shards[i];
    auto wake = [&shard] {
      shard.stopping = true;
      for (Round* round : shard.waiting) round->end_waits();
    };
    co_await submit_to(state_->parts.shards.at(i), std::move(wake));
  }
}

}  // namespace tidegate::broker
