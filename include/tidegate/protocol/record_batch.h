// Record batch v2 (magic 2), the unit of storage and of replication to clients. All integers are
// big-endian. Layout: docs/storage-format.md and wire facts of KIP-98.
//
// Bytes 0-60 are the header; the records behind it are compressed as a whole. The CRC covers byte 21
// to the end, so base offset and leader epoch can be rewritten without touching it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::protocol {

inline constexpr std::size_t kBatchHeaderBytes = 61;
inline constexpr std::size_t kBatchPrefixBytes =
    12;  // base offset and length: in front of what length counts
inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int64_t kNoProducerId = -1;

enum class Compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

struct BatchHeader {
  Offset base_offset = 0;
  std::int32_t batch_length = 0;  // bytes after this field: size_bytes() - 12
  std::int32_t partition_leader_epoch = -1;
  std::int8_t magic = 2;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = kNoTimestamp;
  std::int64_t max_timestamp = kNoTimestamp;
  std::int64_t producer_id = kNoProducerId;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::int32_t records_count = 0;

  Compression compression() const { return static_cast<Compression>(attributes & 7); }
  bool compression_is_legal() const { return (attributes & 7) <= 4; }
  TimestampType timestamp_type() const { return static_cast<TimestampType>((attributes >> 3) & 1); }
  bool is_transactional() const { return (attributes & 0x10) != 0; }
  bool is_control() const { return (attributes & 0x20) != 0; }
  bool has_delete_horizon() const { return (attributes & 0x40) != 0; }
  Offset last_offset() const { return base_offset + last_offset_delta; }
  Offset next_offset() const { return last_offset() + 1; }
  std::size_t size_bytes() const { return kBatchPrefixBytes + static_cast<std::size_t>(batch_length); }
  // The sequence of the last record; wraps from 2147483647 to 0.
  std::int32_t last_sequence() const;
};

// Reads the 61 bytes. Fails with corrupt_message when fewer are there, the magic is not 2 or the
// length is below 49 or negative. Does not look at the records or the CRC.
Result<BatchHeader> parse_batch_header(ByteView bytes);
// Writes the 61 bytes as they stand in `header` (the CRC too).
void write_batch_header(const BatchHeader& header, MutableByteView out);

// CRC-32C (Castagnoli) through ISA-L. `seed` continues an earlier value.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0);
// The CRC over byte 21 to the end of one whole batch.
std::uint32_t batch_crc(ByteView batch);
bool batch_crc_is_valid(ByteView batch, const BatchHeader& header);

// Forms in which storage is to keep the values of a batch's records, in their order; nullopt: the value
// itself.
struct StoredValues {
  std::vector<std::optional<std::string>> values;
};
using StoredValuesPtr = std::shared_ptr<const StoredValues>;

// A batch on its way: parsed header, and all its bytes (size() == header.size_bytes()).
struct RecordBatch {
  BatchHeader header;
  SharedBuffer bytes;
  // For engines that keep columns, which give back the values themselves. nullptr: the values.
  StoredValuesPtr stored_values = nullptr;
};

// Splits bytes that hold whole batches one after the other. A cut last batch is left out and
// `trailing_bytes` says how much of it there was.
struct SplitBatches {
  std::vector<RecordBatch> batches;
  std::size_t trailing_bytes = 0;
};
Result<SplitBatches> split_batches(const SharedBuffer& bytes);

struct HeaderView {
  ByteView key;
  std::optional<ByteView> value;
};
// Views into the records. Of an uncompressed batch they live as long as its buffer, of a compressed
// one (and `headers` always) only until the callback returns.
struct RecordView {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  std::span<const HeaderView> headers;
};

struct RecordLimits {
  std::size_t max_inflated_bytes = 128U << 20;  // of the whole batch
  std::size_t max_headers = 10'000;             // per record
};

// What lies behind the header, inflated: a slice of the batch's own bytes when it is not compressed.
// message_too_large beyond the limit, corrupt_message on a stream that cannot be inflated.
Result<SharedBuffer> inflate_records(const RecordBatch& batch, const RecordLimits& limits);

// Decompresses if needed and calls `each` for every record in order; `each` returns false to stop.
// Checks lengths, the count, and that offset deltas ascend (gaps are legal: compaction leaves them).
// invalid_record (code 87) on malformed records, message_too_large (10) over max_inflated_bytes,
// corrupt_message on a compressed stream that cannot be inflated. The CRC is not looked at.
Result<void> for_each_record(const RecordBatch& batch, const RecordLimits& limits,
                             std::function<bool(const RecordView&)> each);

// Builds batches for tests, recompression, append-time stamping and control records.
struct NewRecord {
  std::int64_t timestamp = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};
struct NewBatchOptions {
  Compression compression = Compression::none;
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t producer_id = kNoProducerId;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  bool transactional = false;
  Offset base_offset = 0;
  LeaderEpoch leader_epoch = kNoEpoch;
};
// invalid_record when there are no records, message_too_large from 2 GiB on.
Result<RecordBatch> build_batch(std::span<const NewRecord> records, const NewBatchOptions& options);

enum class ControlType : std::int16_t { abort = 0, commit = 1 };
RecordBatch build_control_batch(ControlType type, std::int64_t producer_id, std::int16_t producer_epoch,
                                std::int32_t coordinator_epoch, std::int64_t timestamp);

// The same records with another codec (topic compression.type). Keeps every header field but the
// codec bits, length and CRC.
Result<RecordBatch> recompress(const RecordBatch& batch, Compression to, const RecordLimits& limits);
// A copy stamped with append time: timestamp type bit set, max_timestamp = `now_ms`, CRC anew.
RecordBatch stamp_append_time(const RecordBatch& batch, std::int64_t now_ms);
// A copy with another max_timestamp, for clients that leave it wrong; CRC anew.
RecordBatch with_max_timestamp(const RecordBatch& batch, std::int64_t max_timestamp_ms);

}  // namespace tidegate::protocol
