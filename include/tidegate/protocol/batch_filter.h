// Taking records out of a batch, for log compaction. What stays keeps its offset, timestamp and place in
// the producer's sequence: base offset, last offset and base sequence of the batch never change, so a
// filtered batch has gaps in its offsets and fewer records than its offsets span. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

struct FilterOptions {
  RecordLimits limits;
  // Written into a batch that keeps a record without a value and has no delete horizon yet
  // (attribute bit 6; base timestamp is then the horizon, and the records' deltas count from it).
  std::optional<std::int64_t> delete_horizon_ms;
};

struct FilteredBatch {
  // Nothing went and no horizon was set: the batch as it was given. No records: empty_batch().
  RecordBatch batch;
  std::int32_t kept = 0;
  std::int32_t dropped = 0;
};

// Asks `keep` for every record in order. The codec stays. invalid_record, corrupt_message and
// message_too_large as for_each_record().
Result<FilteredBatch> filter_records(const RecordBatch& batch, const FilterOptions& options,
                                     std::function<bool(const RecordView&)> keep);

// The header alone: offsets, producer and sequence as they were, no records, not compressed.
RecordBatch empty_batch(const BatchHeader& header);

// The delete horizon, if the batch has one: from then on its records without a value may go.
std::optional<std::int64_t> delete_horizon_ms(const BatchHeader& header);

}  // namespace tidegate::protocol
