// A records field of a Produce request, as a client might send it: first as it is, then with length and
// CRC put right, so that the fuzzer reaches what lies behind them.
#include <cstdint>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/protocol/batch_check.h"
#include "tidegate/protocol/batch_filter.h"

namespace {

using namespace tidegate;
using namespace tidegate::protocol;

constexpr RecordLimits kLimits{.max_inflated_bytes = 1U << 20, .max_headers = 100};

// As compaction does it: every second record goes, and what stays can be read again.
void filter(const RecordBatch& batch, std::int32_t records) {
  bool stays = false;
  const auto keep = [&](const RecordView&) { return stays = !stays; };
  const auto filtered =
      filter_records(batch, {.limits = kLimits, .delete_horizon_ms = 1'700'000'000'000}, keep);
  TIDEGATE_ASSERT(filtered.has_value());
  TIDEGATE_ASSERT(filtered->kept == (records + 1) / 2 && filtered->kept + filtered->dropped == records);
  TIDEGATE_ASSERT(filtered->batch.header.next_offset() == batch.header.next_offset());
  // A delete horizon may make each timestamp some bytes longer.
  const RecordLimits wider{.max_inflated_bytes = 16U << 20, .max_headers = kLimits.max_headers};
  std::int32_t left = 0;
  const auto walked = for_each_record(filtered->batch, wider, [&](const RecordView&) {
    ++left;
    return true;
  });
  TIDEGATE_ASSERT(walked.has_value() && left == filtered->kept);
}

void walk(const RecordBatch& batch) {
  std::int32_t records = 0;
  std::uint64_t touched = 0;  // every byte of every view is read, so that a view too long is found
  const auto walked = for_each_record(batch, kLimits, [&](const RecordView& record) {
    ++records;
    TIDEGATE_ASSERT(record.headers.size() <= kLimits.max_headers);
    if (record.key) touched += crc32c(*record.key);
    if (record.value) touched += crc32c(*record.value);
    for (const auto& header : record.headers) {
      touched += crc32c(header.key);
      if (header.value) touched += crc32c(*header.value);
    }
    return true;
  });
  volatile std::uint64_t keep = touched;
  static_cast<void>(keep);
  if (!walked) return;
  TIDEGATE_ASSERT(records == batch.header.records_count);

  const auto plain = recompress(batch, Compression::none, kLimits);
  TIDEGATE_ASSERT(plain.has_value());
  std::int32_t again = 0;
  TIDEGATE_ASSERT(for_each_record(*plain, kLimits, [&](const RecordView&) {
                    ++again;
                    return true;
                  }).has_value());
  TIDEGATE_ASSERT(again == records);
  filter(batch, records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  if (const auto split = split_batches(SharedBuffer::copy_of(input))) {
    for (const auto& batch : split->batches) walk(batch);
  }
  static_cast<void>(check_produced_batch(input, {}));

  auto header = parse_batch_header(input);
  if (!header) return 0;
  header->batch_length = static_cast<std::int32_t>(size - kBatchPrefixBytes);
  std::vector<std::uint8_t> mended(data, data + size);
  header->crc = batch_crc(mended);
  write_batch_header(*header, mended);
  const RecordBatch batch{*header, SharedBuffer::copy_of(mended)};
  walk(batch);
  if (check_produced_batch(batch.bytes, {})) {
    static_cast<void>(validate_records(batch, {.keys_required = true,
                                               .now_ms = 1'700'000'000'000,
                                               .before_max_ms = 1000,
                                               .after_max_ms = 1000,
                                               .limits = kLimits}));
  }
  return 0;
}
