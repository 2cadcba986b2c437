// The two ends of a fetch that belongs to a session (KIP-227): its turn, and what has changed since.
#include <utility>

#include "fetch_round.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {

Task<FetchPath::State::Opened> FetchPath::State::open_session(FetchQuery query) {
  if (query.session_epoch == kInitialSessionEpoch || query.session_epoch == kFinalSessionEpoch) {
    // Both ask for everything; whatever session the client had is over.
    if (query.session_id != kNoSession) drop_session(query.session_id);
    co_return Opened{.session = {.wants = std::move(query.wants)}, .turn = nullptr};
  }
  const unsigned at = FetchSessions::shard_of(query.session_id, parts.shards.size());
  auto advance = [this, at, query = std::move(query)]() mutable {
    return advance_session(at, std::move(query));
  };
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

}  // namespace tidegate::broker
