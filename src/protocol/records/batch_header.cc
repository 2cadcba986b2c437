// The 61 bytes in front of every record batch, and cutting a run of batches into single ones.
#include <fmt/format.h>

#include "records/batch_layout.h"
#include "records/big_endian.h"
#include "tidegate/base/assert.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

namespace at = batch_layout;

std::int32_t BatchHeader::last_sequence() const {
  if (base_sequence < 0) return -1;
  const std::int64_t last = std::int64_t{base_sequence} + last_offset_delta;
  constexpr std::int64_t kSequences = std::int64_t{1} << 31;  // 0 follows 2147483647
  return static_cast<std::int32_t>(((last % kSequences) + kSequences) % kSequences);
}

Result<BatchHeader> parse_batch_header(ByteView bytes) {
  if (bytes.size() < kBatchHeaderBytes) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("a record batch header has {} bytes, only {} are there", kBatchHeaderBytes,
                            bytes.size()));
  }
  const std::uint8_t* from = bytes.data();
  BatchHeader header;
  header.magic = load_big_endian<std::int8_t>(from + at::kMagic);
  if (header.magic != at::kMagicValue) {
    return fail(ErrorCode::corrupt_message, fmt::format("record batch magic is {}, not 2", header.magic));
  }
  header.batch_length = load_big_endian<std::int32_t>(from + at::kBatchLength);
  if (header.batch_length < at::kMinBatchLength) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("record batch length {} is below 49", header.batch_length));
  }
  header.base_offset = load_big_endian<std::int64_t>(from + at::kBaseOffset);
  header.partition_leader_epoch = load_big_endian<std::int32_t>(from + at::kLeaderEpoch);
  header.crc = load_big_endian<std::uint32_t>(from + at::kCrc);
  header.attributes = load_big_endian<std::int16_t>(from + at::kAttributes);
  header.last_offset_delta = load_big_endian<std::int32_t>(from + at::kLastOffsetDelta);
  header.base_timestamp = load_big_endian<std::int64_t>(from + at::kBaseTimestamp);
  header.max_timestamp = load_big_endian<std::int64_t>(from + at::kMaxTimestamp);
  header.producer_id = load_big_endian<std::int64_t>(from + at::kProducerId);
  header.producer_epoch = load_big_endian<std::int16_t>(from + at::kProducerEpoch);
  header.base_sequence = load_big_endian<std::int32_t>(from + at::kBaseSequence);
  header.records_count = load_big_endian<std::int32_t>(from + at::kRecordsCount);
  return header;
}

void write_batch_header(const BatchHeader& header, MutableByteView out) {
  TIDEGATE_ASSERT(out.size() >= kBatchHeaderBytes);
  std::uint8_t* to = out.data();
  store_big_endian(to + at::kBaseOffset, header.base_offset);
  store_big_endian(to + at::kBatchLength, header.batch_length);
  store_big_endian(to + at::kLeaderEpoch, header.partition_leader_epoch);
  store_big_endian(to + at::kMagic, header.magic);
  store_big_endian(to + at::kCrc, header.crc);
  store_big_endian(to + at::kAttributes, header.attributes);
  store_big_endian(to + at::kLastOffsetDelta, header.last_offset_delta);
  store_big_endian(to + at::kBaseTimestamp, header.base_timestamp);
  store_big_endian(to + at::kMaxTimestamp, header.max_timestamp);
  store_big_endian(to + at::kProducerId, header.producer_id);
  store_big_endian(to + at::kProducerEpoch, header.producer_epoch);
  store_big_endian(to + at::kBaseSequence, header.base_sequence);
  store_big_endian(to + at::kRecordsCount, header.records_count);
}

std::uint32_t batch_crc(ByteView batch) {
  TIDEGATE_ASSERT(batch.size() >= kBatchHeaderBytes);
  return crc32c(batch.subspan(at::kAttributes));
}

bool batch_crc_is_valid(ByteView batch, const BatchHeader& header) {
  return batch.size() == header.size_bytes() && batch_crc(batch) == header.crc;
}

Result<SplitBatches> split_batches(const SharedBuffer& bytes) {
  SplitBatches split;
  std::size_t from = 0;
  while (bytes.size() - from >= kBatchPrefixBytes) {
    const auto length = load_big_endian<std::int32_t>(bytes.data() + from + at::kBatchLength);
    if (length < at::kMinBatchLength) {
      return fail(ErrorCode::corrupt_message, fmt::format("record batch length {} is below 49", length));
    }
    const std::size_t size_bytes = kBatchPrefixBytes + static_cast<std::size_t>(length);
    if (size_bytes > bytes.size() - from) break;  // cut
    auto slice = bytes.slice(from, size_bytes);
    auto header = parse_batch_header(slice);
    if (!header) return fail(std::move(header.error()));
    split.batches.push_back({*header, std::move(slice)});
    from += size_bytes;
  }
  split.trailing_bytes = bytes.size() - from;
  return split;
}

}  // namespace tidegate::protocol
