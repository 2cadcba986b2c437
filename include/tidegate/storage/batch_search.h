// Timestamp questions about the records of one batch. An engine finds the batch by its header (or its
// time index) and asks here which record it is, so that offsets by time are exact also inside
// compressed batches and every engine counts alike. Inflates the batch: mind where you call it.
#pragma once

#include <cstdint>
#include <optional>

#include "tidegate/base/result.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

// Records outside are passed over. Log start and read limit may lie within a batch.
struct OffsetRange {
  Offset begin = 0;
  Offset end = 0;  // exclusive
};

// The first record of `batch` within the range that is at or after `timestamp_ms`. The header's base
// offset counts, not that of the bytes. corrupt_message or invalid_record when it cannot be read.
Result<std::optional<TimestampedOffset>> first_record_at_or_after(const protocol::RecordBatch& batch,
                                                                  std::int64_t timestamp_ms,
                                                                  OffsetRange within);

// The record with the largest timestamp within the range, the earliest of several; nullopt when there
// is no record, or none with a timestamp.
Result<std::optional<TimestampedOffset>> latest_record(const protocol::RecordBatch& batch,
                                                       OffsetRange within);

}  // namespace tidegate::storage
