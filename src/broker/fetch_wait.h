// Long poll. A fetch that finds too little registers one FetchWaiter on each owner shard of its
// partitions; the waiter reports how much has become readable to the FetchCollector on the connection's
// shard, which alone decides when to answer. Waiters die when the fetch ends, however it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tidegate/base/clock.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/timers.h"

namespace tidegate::broker {

class FetchWaiter;

// Who waits for one partition. Owner shard.
class FetchWatches {
 public:
  void add(FetchWaiter* waiter, std::size_t entry) { watches_.push_back({waiter, entry}); }
  void remove(const FetchWaiter* waiter) {
    std::erase_if(watches_, [waiter](const Watch& watch) { return watch.waiter == waiter; });
  }
  void notify();
  std::size_t size() const { return watches_.size(); }

 private:
  struct Watch {
    FetchWaiter* waiter = nullptr;
    std::size_t entry = 0;
  };
  std::vector<Watch> watches_;
};

// What a waiter watches of one partition. Owner shard.
struct FetchWaiterEntry {
  std::size_t bytes = 0;                           // readable when last looked
  std::function<std::size_t(bool& trouble)> look;  // readable now; trouble: answer at once
};

class FetchWaiter {
 public:
  // `report` gets the sum over all entries, or trouble. It is called when the sum has grown to `need`
  // or more, and must not destroy the waiter.
  FetchWaiter(std::size_t need, std::function<void(std::size_t bytes, bool trouble)> report)
      : need_(need), report_(std::move(report)) {}

  // Returns the entry's index, for FetchWatches::add.
  std::size_t add(FetchWaiterEntry entry);
  // The partition of this entry changed.
  void changed(std::size_t entry);

 private:
  std::size_t need_;
  std::function<void(std::size_t, bool)> report_;
  std::vector<FetchWaiterEntry> entries_;
  std::size_t sum_ = 0;
  std::size_t reported_ = 0;
};

// Connection's shard.
class FetchCollector {
 public:
  FetchCollector(std::size_t min_bytes, std::size_t shards) : min_bytes_(min_bytes), bytes_(shards) {}

  // What the shard at `place` of this fetch has to offer. The largest report counts: they may overtake
  // the answer of the visit that registered the waiter.
  void report(std::size_t place, std::size_t bytes, bool trouble);
  // The client is gone, or the broker stops.
  void cancel();
  bool satisfied() const { return satisfied_; }
  bool cancelled() const { return cancelled_; }
  // Until satisfied, cancelled or `deadline`.
  Task<void> wait_until(Timers& timers, MonoTime deadline);

 private:
  std::size_t min_bytes_;
  std::vector<std::size_t> bytes_;
  bool satisfied_ = false;
  bool cancelled_ = false;
  Event event_;
};

}  // namespace tidegate::broker
