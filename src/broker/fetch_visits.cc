// The visits of a fetch to the shards that own its partitions: one visit where one shard owns them all;
// else a look at each, sharing out, and a second visit that reads.
#include <algorithm>
#include <utility>

#include "fetch_round.h"
#include "scatter.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {

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

Task<void> visit_shard(Shard& target, FetchOwner& owner, FetchVisit visit,
                       std::shared_ptr<FetchVisited> out) {
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
    gather.add(visit_shard(parts.shards.at(shares[i].shard), shards[shares[i].shard]->owner, std::move(visit),
                           answers.back()),
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
    gather.add(visit_shard(parts.shards.at(share.shard), shards[share.shard]->owner, std::move(visit),
                           answers.back()),
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

}  // namespace tidegate::broker
