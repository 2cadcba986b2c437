// Batches of every shape, and what of them has to come back from a layout.
#pragma once

#include <fmt/format.h>

#include "support/batches.h"
#include "tidegate/protocol/batch_filter.h"
#include "tidegate/protocol/compression.h"

namespace tidegate::test {

using protocol::Compression;
using protocol::NewRecord;
using protocol::RecordBatch;

// Everything of a batch that a consumer can see, as text; its bytes when they have no records to walk.
inline std::string seen(const RecordBatch& batch) {
  const auto& h = batch.header;
  std::string out =
      fmt::format("{}+{} epoch {} attributes {} times {}..{} producer {}/{}/{} count {}\n", h.base_offset,
                  h.last_offset_delta, h.partition_leader_epoch, h.attributes, h.base_timestamp,
                  h.max_timestamp, h.producer_id, h.producer_epoch, h.base_sequence, h.records_count);
  const auto text = [](const std::optional<ByteView>& bytes) {
    return bytes ? fmt::format("'{}'", as_text(*bytes)) : "null";
  };
  const auto walked = protocol::for_each_record(batch, {}, [&](const protocol::RecordView& record) {
    out += fmt::format("{} {} {} {}", record.offset_delta, record.timestamp_delta, text(record.key),
                       text(record.value));
    for (const auto& header : record.headers) out += " " + text(header.key) + "=" + text(header.value);
    out += "\n";
    return true;
  });
  return walked ? out : out + std::string(as_text(batch.bytes.bytes()));
}

inline std::optional<std::string> random_text(SeededRng& rng, std::size_t most) {
  if (rng.below(5) == 0) return std::nullopt;
  std::string text(rng.below(4) == 0 ? 0 : rng.below(most), '\0');
  for (auto& byte : text) byte = static_cast<char>(rng.below(3) == 0 ? rng.next() : 'a' + rng.below(4));
  return text;
}

inline RecordBatch random_batch(SeededRng& rng, Offset base) {
  std::vector<NewRecord> records;
  const std::size_t count = 1 + rng.below(rng.below(8) == 0 ? 300 : 6);
  for (std::size_t i = 0; i < count; ++i) {
    NewRecord record{.timestamp = kFirstTimestamp + static_cast<std::int64_t>(rng.below(5000)) - 2500,
                     .key = random_text(rng, 40),
                     .value = random_text(rng, rng.below(20) == 0 ? 5000 : 60)};
    if (rng.below(20) == 0) record.timestamp = static_cast<std::int64_t>(rng.next());
    if (rng.below(3) == 0) {
      for (std::size_t h = rng.below(4); h > 0; --h)
        record.headers.emplace_back(random_text(rng, 10).value_or("h"), random_text(rng, 300));
    }
    records.push_back(std::move(record));
  }
  protocol::NewBatchOptions options{.compression = static_cast<Compression>(rng.below(5)),
                                    .base_offset = base,
                                    .leader_epoch = static_cast<LeaderEpoch>(rng.below(9))};
  if (rng.below(2) == 0) {
    options.producer_id = static_cast<std::int64_t>(rng.below(1'000'000));
    options.producer_epoch = static_cast<std::int16_t>(rng.below(30'000));
    options.base_sequence = static_cast<std::int32_t>(rng.below(0x7FFFFFFF));
    options.transactional = rng.below(2) == 0;
  }
  if (rng.below(6) == 0) options.timestamp_type = protocol::TimestampType::log_append_time;
  auto batch = build(records, options);
  if (rng.below(5) == 0) {
    // As compaction leaves it: gaps, or nothing at all.
    protocol::FilterOptions filter;
    if (rng.below(2) == 0) filter.delete_horizon_ms = kFirstTimestamp + 77;
    const auto dropped = rng.below(4);
    auto kept = protocol::filter_records(batch, filter, [&](const auto&) { return rng.below(4) > dropped; });
    EXPECT_TRUE(kept);
    batch = kept->batch;
  }
  return batch;
}

}  // namespace tidegate::test
