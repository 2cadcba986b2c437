// Which of Kafka's offsets the messages of others have, in a partition that we publish to as well. They come
// in the order of the files; offsets are theirs between our batches, where a message of ours says so
// (format/record_messages.h: GoesOn), and those behind the last such place have the offsets that follow our
// last batch. Belongs to a BrokerLog; used on its shard.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "backend.h"
#include "format/message_sieve.h"

namespace tidegate::storage::seaweedmq {

// Messages of one chunk that follow each other, in offsets too.
struct OthersRun {
  Chunk chunk;
  std::shared_ptr<const SiftedChunk> sifted;
  std::size_t first = 0;  // of the chunk's messages of others
  std::int64_t count = 0;
  Offset base = 0;
  Offset end() const { return base + count; }
  // About: its part of the chunk's.
  std::uint64_t bytes() const;
};

class OthersRuns {
 public:
  // Behind all others.
  void add(const Chunk& chunk, SiftedChunk sifted);
  // How many there are behind the last place that was fixed.
  std::int64_t pending() const { return pending_count_; }
  // The first `count` of those have the offsets from `at` on, for good. What is missing is a gap.
  void fix(Offset at, std::int64_t count);
  // Those at `from` and above are pending again: what said so is void.
  void unfix(Offset from);
  // How many there are at `from` and above, with those that are pending.
  std::int64_t count_from(Offset from) const;
  // What lies at `offset`, from there on, or the first behind it; pending ones begin at `own_end`.
  std::optional<OthersRun> find(Offset offset, Offset own_end) const;
  std::uint64_t bytes_between(Offset from, Offset end, Offset own_end) const;
  bool empty() const { return fixed_.empty() && pending_.empty(); }

 private:
  static void cut_front(OthersRun& run, std::int64_t count);
  std::deque<OthersRun> fixed_;    // ascending
  std::deque<OthersRun> pending_;  // ascending, too; their bases count from anywhere
  std::int64_t pending_count_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
