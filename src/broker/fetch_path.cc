// The way of a fetch: session, look, wait, share out, read, session again.
#include "tidegate/broker/fetch_path.h"

#include <algorithm>
#include <utility>

#include "fetch_names.h"
#include "fetch_round.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {

FetchPath::FetchPath(const BrokerParts& parts, TopicCatalogue& catalogue, PartitionTables& tables)
    : state_(std::make_unique<State>(parts, catalogue, tables)) {}
FetchPath::~FetchPath() = default;

Task<FetchReply> FetchPath::fetch(FetchQuery query, std::shared_ptr<FetchCancel> cancel,
                                  FetchAllowance allowance) {
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
  round->max_bytes =
      std::min(static_cast<std::size_t>(std::clamp<std::int64_t>(q.max_bytes, 0, state.max_bytes)),
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
  if (allowance && !allowance(round->fetched_bytes())) {
    // As Kafka does: an incremental session goes on from here, a new one is not opened.
    co_return FetchReply{.session_id = round->session_id, .refused = true};
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
  fetched_bytes.add(round->fetched_bytes());
  for (std::size_t i = 0; i < q.wants.size(); ++i) {
    FetchedItem* item = nullptr;
    if (next_item < round->places.size() && round->places[next_item] == i)
      item = &round->fetched[next_item++];
    reply.partitions.push_back(to_partition(q.wants[i], round->refused[i], item, q.zstd_allowed));
    if (opens_session || round->session_id != kNoSession) seen.push_back(to_seen(reply.partitions.back()));
  }
  if (round->charge.size() > 0) reply.charge = std::make_shared<FetchCharge>(std::move(round->charge));
  if (opens_session) reply.session_id = create_session(q, seen);
  if (round->session_id == kNoSession) co_return reply;
  co_return co_await trim_to_changes(round, std::move(reply), std::move(seen));
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
