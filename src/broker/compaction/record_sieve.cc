#include "compaction/record_sieve.h"

#include <limits>

#include "tidegate/protocol/batch_filter.h"

namespace tidegate::broker {
namespace {

using protocol::BatchHeader;
using protocol::RecordBatch;
using protocol::RecordView;

// delete.retention.ms goes up to the largest number there is.
std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

}  // namespace

Result<bool> KeyMapper::add(const RecordBatch& batch) {
  const BatchHeader& header = batch.header;
  bool full = false;
  if (!is_left_alone(header)) {
    auto walked = protocol::for_each_record(batch, limits_, [&](const RecordView& record) {
      const Offset offset = header.base_offset + record.offset_delta;
      if (offset < from_ || !record.key) return true;
      full = !map_.put(*record.key, offset);
      if (full) end_ = offset;
      return !full;
    });
    if (!walked) return fail(std::move(walked.error()));
  }
  if (!full) end_ = header.next_offset();
  return !full;
}

bool RecordSieve::stays(const BatchHeader& header, const RecordView& record, bool tombstones_stay) const {
  const Offset offset = header.base_offset + record.offset_delta;
  if (offset >= rules_.map_end) return true;
  if (!record.key) return false;  // from before the topic was compacted
  if (offset < map_.find(*record.key)) return false;
  return record.value.has_value() || tombstones_stay;
}

bool RecordSieve::is_last_of_producer(const BatchHeader& header) const {
  if (header.producer_id < 0) return false;
  const auto producer = rules_.producer_ends.find(header.producer_id);
  return producer != rules_.producer_ends.end() && producer->second == header.last_offset();
}

Result<std::optional<RecordBatch>> RecordSieve::pass(const RecordBatch& batch) {
  const BatchHeader& header = batch.header;
  if (is_left_alone(header) || header.base_offset >= rules_.map_end) {
    counts_.records_kept += static_cast<std::uint64_t>(std::max(header.records_count, 0));
    return std::optional(batch);
  }
  const auto horizon = protocol::delete_horizon_ms(header);
  const bool tombstones_stay = !horizon || rules_.now_ms < *horizon;
  protocol::FilterOptions options{.limits = rules_.limits, .delete_horizon_ms = std::nullopt};
  // Not while part of the batch is unknown: what its tombstones stand above may still be there.
  if (header.last_offset() < rules_.map_end) {
    options.delete_horizon_ms = saturating_sum(rules_.now_ms, rules_.delete_retention_ms);
  }
  auto filtered = protocol::filter_records(
      batch, options, [&](const RecordView& record) { return stays(header, record, tombstones_stay); });
  if (!filtered) return fail(std::move(filtered.error()));
  counts_.records_kept += static_cast<std::uint64_t>(filtered->kept);
  counts_.records_dropped += static_cast<std::uint64_t>(filtered->dropped);
  if (filtered->kept == 0 && !is_last_of_producer(header)) return std::optional<RecordBatch>();
  return std::optional(std::move(filtered->batch));
}

}  // namespace tidegate::broker
