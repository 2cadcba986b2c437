// Fetch on the owner shard.
#include "fetch_owner.h"

#include <algorithm>
#include <utility>

#include "gather.h"

namespace tidegate::broker {
namespace {

// Of an open partition, by what it holds now. Fills everything but chunks.
FetchedItem look_at(const Partition& partition, const FetchItem& item) {
  FetchedItem out;
  if (partition.removed) {
    out.error = partition.gone_error();
    return out;
  }
  out.error = check_leader_epoch(item.current_leader_epoch, partition.leader_epoch());
  if (out.error != ErrorCode::none) {
    out.leader.epoch = partition.leader_epoch();
    return out;
  }
  const storage::LogOffsets offsets = partition.log->offsets();
  if (item.last_fetched_epoch != kNoEpoch) {
    const EpochEnd end = end_of_epoch(partition.log->epochs(), item.last_fetched_epoch, offsets.log_end);
    if (end.epoch == kNoEpoch || end.end < 0) {
      out.error = ErrorCode::offset_out_of_range;
      return out;
    }
    if (end.epoch < item.last_fetched_epoch || end.end < item.fetch_offset) out.diverging = end;
  }
  if (!out.diverging && (item.fetch_offset < offsets.log_start || item.fetch_offset > offsets.log_end)) {
    out.error = ErrorCode::offset_out_of_range;
    return out;
  }
  out.high_watermark = offsets.high_watermark;
  out.log_start = offsets.log_start;
  if (!out.diverging && item.fetch_offset < offsets.high_watermark) {
    out.readable = partition.log->readable_bytes(item.fetch_offset, offsets.high_watermark);
  }
  return out;
}

void set_error(FetchedItem& item, ErrorCode error) {
  item = {};
  item.error = error;
}

Task<void> read_into(PartitionPtr partition, FetchItem item, std::shared_ptr<std::vector<FetchedItem>> out,
                     std::size_t place) {
  const storage::ReadLimits limits{.max_bytes = item.allotment.max_bytes,
                                   .at_least_one_batch = item.allotment.at_least_one,
                                   .end = partition->readable_end()};
  auto read = co_await partition->log->read(item.fetch_offset, limits);
  FetchedItem& mine = (*out)[place];
  if (!read) {
    set_error(mine, read.error().code);
    co_return;
  }
  // What is told must cover what is sent.
  const storage::LogOffsets offsets = partition->log->offsets();
  mine.high_watermark = std::max(mine.high_watermark, offsets.high_watermark);
  mine.log_start = offsets.log_start;
  mine.chunks = std::move(read->chunks);
  mine.size_bytes = read->size_bytes;
}

bool is_trouble(const FetchedItem& item) { return item.error != ErrorCode::none || item.diverging; }

std::size_t countable(const FetchedItem& seen, const FetchItem& item) {
  return std::min(seen.readable, item.max_bytes);
}

}  // namespace

FetchedItem FetchOwner::look(const Result<PartitionPtr>& found, const FetchItem& item) const {
  FetchedItem out;
  if (found && (*found)->is_open() && !cluster_.may_tell(item.partition)) {
    out.error = ErrorCode::not_leader_or_follower;
    out.leader = {cluster_.owner_of(item.partition).node, engine_.leader_epoch(item.partition)};
  } else if (found) {
    out = look_at(**found, item);
    if (out.error == ErrorCode::fenced_leader_epoch) out.leader.node = cluster_.self();
  } else {
    out.error = found.error().code;
    if (out.error == ErrorCode::not_leader_or_follower) {
      out.leader = {cluster_.owner_of(item.partition).node, engine_.leader_epoch(item.partition)};
    }
  }
  return out;
}

// `found` outlives the call, and is touched by it alone until then.
Task<void> FetchOwner::open_all(std::vector<Result<PartitionPtr>>& found) {
  auto closed = std::make_shared<ToOpen>();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i] || (*found[i])->is_open()) continue;
    closed->partitions.push_back(*found[i]);
    closed->places.push_back(i);
  }
  const std::size_t count = closed->partitions.size();
  closed->outcomes.resize(count);
  Gather gather;
  for (std::size_t i = 0; i < std::min(count, kOpenAtOnce); ++i)
    gather.add(open_some(table_, closed), "fetch open");
  co_await gather.all();
  for (std::size_t i = 0; i < count; ++i) {
    if (!closed->outcomes[i]) found[closed->places[i]] = fail(std::move(closed->outcomes[i].error()));
  }
}

// One of those who share the work.
Task<void> FetchOwner::open_some(PartitionTable& table, std::shared_ptr<ToOpen> work) {
  while (work->next < work->partitions.size()) {
    const std::size_t mine = work->next++;
    work->outcomes[mine] = co_await table.open(work->partitions[mine]);
  }
}

Task<FetchVisited> FetchOwner::visit(FetchVisit visit) {
  std::vector<Result<PartitionPtr>> found;
  found.reserve(visit.items.size());
  for (const FetchItem& item : visit.items) found.push_back(table_.find(item.partition));
  if (std::ranges::any_of(found, [](const auto& each) { return each && !(*each)->is_open(); })) {
    co_await open_all(found);
  }

  // No suspension from here to the registration.
  FetchVisited out;
  auto items = std::make_shared<std::vector<FetchedItem>>(visit.items.size());
  for (std::size_t i = 0; i < visit.items.size(); ++i) {
    (*items)[i] = look(found[i], visit.items[i]);
    out.trouble = out.trouble || is_trouble((*items)[i]);
    out.bytes += countable((*items)[i], visit.items[i]);
  }
  if (out.bytes < visit.need && !out.trouble) {
    out.waiter = watch(visit, found, *items);
    out.items = std::move(*items);
    co_return out;
  }
  if (visit.then == FetchVisit::Then::nothing) {
    out.items = std::move(*items);
    co_return out;
  }
  if (visit.then == FetchVisit::Then::read_all) {
    std::vector<FetchSize> sizes;
    sizes.reserve(items->size());
    for (std::size_t i = 0; i < items->size(); ++i) {
      sizes.push_back({(*items)[i].readable, visit.items[i].max_bytes});
    }
    const auto allotments = allot(sizes, visit.max_bytes, visit.first_whole);
    for (std::size_t i = 0; i < allotments.size(); ++i) visit.items[i].allotment = allotments[i];
  }

  std::vector<std::size_t> reads;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const FetchAllotment& share = visit.items[i].allotment;
    if (is_trouble((*items)[i]) || (*items)[i].readable == 0) continue;
    if (share.max_bytes > 0 || share.at_least_one) reads.push_back(i);
  }
  if (reads.size() == 1) {
    const std::size_t only = reads.front();
    co_await read_into(*found[only], visit.items[only], items, only);
  } else if (!reads.empty()) {
    Gather gather;
    for (const std::size_t i : reads)
      gather.add(read_into(*found[i], visit.items[i], items, i), "fetch read");
    co_await gather.all();
  }
  out.items = std::move(*items);
  co_return out;
}

std::uint64_t FetchOwner::watch(const FetchVisit& visit, const std::vector<Result<PartitionPtr>>& found,
                                const std::vector<FetchedItem>& seen) {
  if (waiters_.size() >= max_waiters_) return 0;  // the fetch then waits for its deadline alone
  const std::uint64_t id = ++last_waiter_;
  auto report = [home = visit.home, collector = visit.collector, place = visit.place](std::size_t bytes,
                                                                                      bool trouble) {
    auto tell = [collector, place, bytes, trouble] {
      if (const auto alive = collector.lock()) alive->report(place, bytes, trouble);
    };
    if (home->is_current()) {
      tell();
    } else {
      home->post(std::move(tell));
    }
  };
  Registered mine;
  mine.waiter = std::make_unique<FetchWaiter>(visit.report_from, std::move(report));
  for (std::size_t i = 0; i < visit.items.size(); ++i) {
    // The watch dies before the partition: cancel() removes it from every partition kept here.
    auto look_again = [partition = found[i]->get(), item = visit.items[i]](bool& trouble) {
      const FetchedItem now = look_at(*partition, item);
      trouble = is_trouble(now);
      return countable(now, item);
    };
    const std::size_t entry = mine.waiter->add({countable(seen[i], visit.items[i]), std::move(look_again)});
    (*found[i])->watches.add(mine.waiter.get(), entry);
    mine.partitions.push_back(*found[i]);
  }
  waiters_.emplace(id, std::move(mine));
  gauge_.add(1);
  return id;
}

void FetchOwner::cancel(std::uint64_t waiter) {
  const auto at = waiters_.find(waiter);
  if (at == waiters_.end()) return;
  for (const PartitionPtr& partition : at->second.partitions)
    partition->watches.remove(at->second.waiter.get());
  waiters_.erase(at);
  gauge_.add(-1);
}

}  // namespace tidegate::broker
