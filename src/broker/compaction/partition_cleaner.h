// One pass of compaction over one partition, on its owner shard, through the PartitionLog contract alone:
// the dirty stretch is read into a map of last offsets, then every range below the map's end is read
// through the sieve and put back. Records are inflated, hashed and compressed on the cpu lane. Memory: the
// map, and a few buffers of read_bytes (or one batch, if that is larger).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "compaction/io_throttle.h"
#include "compaction/record_sieve.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

// What is to be cleaned: [first_dirty, end) has not been, and `end` is the end of a cleanable range.
struct DirtyStretch {
  Offset first_dirty = 0;
  Offset end = 0;
};

// What is to be stored of a batch's values; nullptr: the values.
using StoredValuesOf = std::function<Task<Result<protocol::StoredValuesPtr>>(protocol::RecordBatch batch)>;

struct CleaningMeans {
  BlockingPool& blocking;
  IoThrottle& throttle;
  std::size_t map_bytes = 0;
  double map_load = 0.9;
  HashSecret secret;
  std::size_t read_bytes = 0;
  StoredValuesOf stored_values = {};
};

struct CleaningReport {
  Offset cleaned_to = 0;  // the first dirty offset from now on
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  SieveCounts records;
};

// `rules.map_end` is found out here. Fails with what the log says, corrupt_message or invalid_record for
// batches that cannot be read, and request_timed_out when the throttle was stopped. Whatever was put back
// before a failure is good: the next pass begins at the same first_dirty.
Task<Result<CleaningReport>> clean_partition(std::shared_ptr<storage::PartitionLog> log, DirtyStretch dirty,
                                             SieveRules rules, CleaningMeans means);

}  // namespace tidegate::broker
