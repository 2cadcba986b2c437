// Filtering works on the records' bytes: what stays is copied as it stands, headers and all. Only a new
// delete horizon makes the timestamp deltas be written anew.
#include "tidegate/protocol/batch_filter.h"

#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "records/batch_assembly.h"
#include "records/batch_layout.h"
#include "records/varint.h"
#include "tidegate/base/assert.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_section.h"

namespace tidegate::protocol {
namespace {

namespace at = batch_layout;

// A record that stays. Deltas add up modulo 2^64, as readers add them.
struct Kept {
  std::int64_t timestamp_delta = 0;
  std::uint8_t attributes = 0;
  ByteView whole;   // with its length in front
  ByteView behind;  // what follows the timestamp delta
};

std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

// The bytes of one record, cut behind its timestamp delta. for_each_record() has found it well-formed.
Kept cut_record(const std::uint8_t* from, const std::uint8_t* end) {
  RecordCursor cursor(ByteView(from, static_cast<std::size_t>(end - from)));
  std::int32_t length = 0;
  ByteView body;
  const bool framed = cursor.read_varint(length) && cursor.read_bytes(length, body);
  TIDEGATE_ASSERT(framed);
  Kept kept;
  kept.whole = ByteView(from, static_cast<std::size_t>(body.data() + body.size() - from));
  RecordCursor inner(body);
  const bool parsed = inner.read_byte(kept.attributes) && inner.read_varlong(kept.timestamp_delta);
  TIDEGATE_ASSERT(parsed);
  kept.behind = body.last(inner.remaining());
  return kept;
}

// With deltas against another base timestamp.
SharedBuffer rebased(const std::vector<Kept>& records, std::int64_t old_base, std::int64_t new_base) {
  std::size_t bound = 0;
  for (const Kept& record : records) bound += record.whole.size() + 20;
  MutableBuffer out(bound);
  std::uint8_t* to = out.data();
  for (const Kept& record : records) {
    const auto delta = wrapping_difference(wrapping_sum(old_base, record.timestamp_delta), new_base);
    const std::size_t length = 1 + varlong_size(delta) + record.behind.size();
    to = write_varint(to, static_cast<std::int32_t>(length));
    *to++ = record.attributes;
    to = write_varlong(to, delta);
    std::memcpy(to, record.behind.data(), record.behind.size());
    to += record.behind.size();
  }
  const auto size = static_cast<std::size_t>(to - out.data());
  return std::move(out).freeze(size);
}

SharedBuffer joined(const std::vector<Kept>& records) {
  std::size_t size = 0;
  for (const Kept& record : records) size += record.whole.size();
  MutableBuffer out(size);
  std::uint8_t* to = out.data();
  for (const Kept& record : records) {
    std::memcpy(to, record.whole.data(), record.whole.size());
    to += record.whole.size();
  }
  return std::move(out).freeze();
}

}  // namespace

std::optional<std::int64_t> delete_horizon_ms(const BatchHeader& header) {
  if (!header.has_delete_horizon()) return std::nullopt;
  return header.base_timestamp;
}

RecordBatch empty_batch(const BatchHeader& header) {
  BatchHeader empty = header;
  empty.attributes = static_cast<std::int16_t>(header.attributes & ~(at::kCodecMask | at::kDeleteHorizonBit));
  empty.base_timestamp = kNoTimestamp;
  empty.records_count = 0;
  auto batch = assemble_batch(empty, {});
  TIDEGATE_ASSERT(batch.has_value());
  return std::move(*batch);
}

Result<FilteredBatch> filter_records(const RecordBatch& batch, const FilterOptions& options,
                                     std::function<bool(const RecordView&)> keep) {
  FilteredBatch result;
  auto plain = inflate_records(batch, options.limits);
  if (!plain) return fail(std::move(plain.error()));
  BatchHeader header = batch.header;
  std::vector<Kept> records;
  bool has_tombstone = false;
  std::int64_t newest = kNoTimestamp;
  const std::uint8_t* from = plain->data();
  const std::uint8_t* const end = plain->data() + plain->size();
  auto walked = walk_records(header, *plain, options.limits, [&](const RecordView& record) {
    const Kept cut = cut_record(from, end);
    from += cut.whole.size();
    if (!keep(record)) {
      ++result.dropped;
      return true;
    }
    has_tombstone |= !record.value;
    newest = std::max(newest, wrapping_sum(header.base_timestamp, cut.timestamp_delta));
    records.push_back(cut);
    return true;
  });
  if (!walked) return fail(std::move(walked.error()));
  result.kept = static_cast<std::int32_t>(records.size());
  const bool sets_horizon = has_tombstone && options.delete_horizon_ms && !header.has_delete_horizon();
  if (result.dropped == 0 && !sets_horizon) {
    result.batch = batch;
    return result;
  }
  if (records.empty()) {
    result.batch = empty_batch(batch.header);
    return result;
  }
  SharedBuffer kept;
  if (sets_horizon) {
    kept = rebased(records, header.base_timestamp, *options.delete_horizon_ms);
    header.attributes |= at::kDeleteHorizonBit;
    header.base_timestamp = *options.delete_horizon_ms;
  } else {
    kept = joined(records);
  }
  header.records_count = result.kept;
  if (header.timestamp_type() == TimestampType::create_time) header.max_timestamp = newest;
  if (header.compression() != Compression::none) {
    auto packed = compress(header.compression(), kept);
    if (!packed) return fail(std::move(packed.error()));
    kept = std::move(*packed);
  }
  auto built = assemble_batch(header, kept);
  if (!built) return fail(std::move(built.error()));
  result.batch = std::move(*built);
  return result;
}

}  // namespace tidegate::protocol
