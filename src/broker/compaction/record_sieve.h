// Which records of a compacted log stay. Pure: it sees batches, not logs. One KeyMapper fills the map of
// last offsets from the dirty part of a log; then a RecordSieve goes through everything below map_end().
//
// A record stays when it is the last of its key, or when it lies at or above map_end(), of which the map
// knows nothing. A tombstone that is the last of its key stays until its batch's delete horizon: that is
// set the first time it comes through the sieve, when everything older of its key has gone before it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "compaction/key_offsets.h"
#include "tidegate/base/result.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::broker {

// Control batches and the records of transactions: whether a transaction was committed is not known here,
// so they supersede nothing and stay as they are.
inline bool is_left_alone(const protocol::BatchHeader& header) {
  return header.is_control() || header.is_transactional();
}

class KeyMapper {
 public:
  KeyMapper(KeyOffsets& map, Offset from, protocol::RecordLimits limits)
      : map_(map), from_(from), end_(from), limits_(limits) {}

  // Batches ascend. False when the map is full: end() is then within this batch, or at its begin.
  Result<bool> add(const protocol::RecordBatch& batch);
  // The map knows the last offset of every key in [from, end).
  Offset end() const { return end_; }
  // Of the stretch that was asked for, when what follows the last batch is a gap.
  void reach(Offset end) { end_ = end; }

 private:
  KeyOffsets& map_;
  const Offset from_;
  Offset end_;
  const protocol::RecordLimits limits_;
};

struct SieveRules {
  Offset map_end = 0;
  std::int64_t now_ms = 0;
  std::int64_t delete_retention_ms = 0;
  // The last offset of each producer's last batch: that batch stays, empty if need be, for it is what a
  // repeated or missing sequence is told by after a restart.
  std::map<std::int64_t, Offset> producer_ends;
  protocol::RecordLimits limits;
};

struct SieveCounts {
  std::uint64_t records_kept = 0;
  std::uint64_t records_dropped = 0;
};

class RecordSieve {
 public:
  RecordSieve(const KeyOffsets& map, SieveRules rules) : map_(map), rules_(std::move(rules)) {}

  // What is left of the batch; nullopt: nothing.
  Result<std::optional<protocol::RecordBatch>> pass(const protocol::RecordBatch& batch);
  const SieveCounts& counts() const { return counts_; }

 private:
  bool stays(const protocol::BatchHeader& header, const protocol::RecordView& record,
             bool tombstones_stay) const;
  bool is_last_of_producer(const protocol::BatchHeader& header) const;

  const KeyOffsets& map_;
  const SieveRules rules_;
  SieveCounts counts_;
};

}  // namespace tidegate::broker
