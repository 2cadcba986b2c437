// Takes a list of things that each concern one partition to the partitions' owner shards, one call a
// shard, and puts what comes back where the items stood.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gather.h"
#include "tidegate/base/assert.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

template <class Item>
struct ShardShare {
  unsigned shard = 0;
  std::vector<Item> items;
  std::vector<std::size_t> places;  // of the items in the whole list
};

// Item has a member `partition` (PartitionId). Order within a share is that of the list.
template <class Item>
std::vector<ShardShare<Item>> share_out(std::vector<Item> items, unsigned shards) {
  std::vector<ShardShare<Item>> shares;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const unsigned shard = storage::owner_shard(items[i].partition, shards);
    auto at = std::ranges::find(shares, shard, &ShardShare<Item>::shard);
    if (at == shares.end()) at = shares.insert(shares.end(), ShardShare<Item>{.shard = shard});
    at->items.push_back(std::move(items[i]));
    at->places.push_back(i);
  }
  return shares;
}

// `visit` is called on each owner shard with that shard's items and returns Task<std::vector<Out>>, one
// Out an item. What it does before its first suspension happens in the order in which scatter() was
// called; `sent` is called as soon as that order is fixed on every shard.
template <class Out, class Item, class Visit>
Task<std::vector<Out>> scatter(ShardPool& shards, std::vector<Item> items, Visit visit,
                               std::function<void()> sent = {}) {
  const std::size_t total = items.size();
  const bool local = std::ranges::all_of(items, [&](const Item& item) {
    return shards.at(storage::owner_shard(item.partition, shards.size())).is_current();
  });
  if (local) {
    // A Task that starts lazily: only the plain part of `visit` has run when `sent` is called. The server
    // starts the next request not inside of `sent` but when this one waits for the first time, so that
    // it finds this one's append under way.
    auto task = visit(std::move(items));
    if (sent) sent();
    co_return co_await std::move(task);
  }

  auto out = std::make_shared<std::vector<Out>>(total);
  Gather gather;
  for (auto& share : share_out(std::move(items), shards.size())) {
    auto call = [visit, mine = std::move(share.items)]() mutable { return visit(std::move(mine)); };
    auto fetch = [](Shard& target, decltype(call) inner, std::vector<std::size_t> places,
                    std::shared_ptr<std::vector<Out>> into) -> Task<void> {
      std::vector<Out> got = co_await submit_to(target, std::move(inner));
      TIDEGATE_ASSERT(got.size() == places.size());
      for (std::size_t i = 0; i < places.size(); ++i) (*into)[places[i]] = std::move(got[i]);
    };
    gather.add(fetch(shards.at(share.shard), std::move(call), std::move(share.places), out), "scatter");
  }
  if (sent) sent();
  co_await gather.all();
  co_return std::move(*out);
}

}  // namespace tidegate::broker
