// The checks of a produced batch. Codes are Kafka's; the order matters to clients only where two faults
// meet, and follows from what can be believed: nothing in the header before the CRC but size and codec.
#include "tidegate/protocol/batch_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "records/batch_layout.h"
#include "records/big_endian.h"

namespace tidegate::protocol {
namespace {

namespace at = batch_layout;

std::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::invalid_record, std::move(message));
}

// Like parse_batch_header, with the words and codes that a producer is told.
Result<BatchHeader> parse_single_batch(ByteView records) {
  if (records.empty()) return refuse("no record batch");
  // Magic lies at byte 16 in every format that ever was, so old message sets are named as such.
  if (records.size() > at::kMagic) {
    const auto magic = load_big_endian<std::int8_t>(records.data() + at::kMagic);
    if (magic != at::kMagicValue) return refuse(fmt::format("magic {} where 2 is required", magic));
  }
  auto header = parse_batch_header(records);
  if (!header) return refuse(std::move(header.error().message));
  if (header->size_bytes() > records.size()) {
    return refuse(fmt::format("record batch of {} bytes is cut at {}", header->size_bytes(), records.size()));
  }
  if (header->size_bytes() < records.size()) {
    return refuse(
        fmt::format("{} bytes behind the one batch that is allowed", records.size() - header->size_bytes()));
  }
  return header;
}

Result<void> check_producer_fields(const BatchHeader& header) {
  if (header.producer_id < kNoProducerId) return refuse(fmt::format("producer id {}", header.producer_id));
  if (header.producer_id == kNoProducerId) {
    if (header.is_transactional()) return refuse("transactional batch without a producer id");
    return {};
  }
  if (header.base_sequence < 0) {
    return refuse(fmt::format("producer id {} with sequence {}", header.producer_id, header.base_sequence));
  }
  if (header.producer_epoch < 0) {
    return refuse(fmt::format("producer id {} with epoch {}", header.producer_id, header.producer_epoch));
  }
  return {};
}

Result<void> check_trusted_header(const BatchHeader& header, const ProducedBatchRules& rules) {
  if (header.records_count < 1 || header.last_offset_delta != header.records_count - 1) {
    return refuse(fmt::format("records count {} with last offset delta {}", header.records_count,
                              header.last_offset_delta));
  }
  if (header.is_control()) return refuse("clients must not write control batches");
  if (header.has_delete_horizon()) return refuse("clients must not set a delete horizon");
  if (!header.compression_is_legal())
    return refuse(fmt::format("unknown codec {}", header.attributes & at::kCodecMask));
  if (auto checked = check_producer_fields(header); !checked) return checked;
  if (header.timestamp_type() == TimestampType::log_append_time &&
      rules.timestamp_type == TimestampType::create_time) {
    return fail(ErrorCode::invalid_timestamp, "append time claimed by the client");
  }
  return {};
}

// Looks at the frame's descriptor alone: nothing is inflated. What is no frame at all is left to readers,
// as with the other codecs.
bool has_linked_lz4_blocks(ByteView records) {
  constexpr std::uint32_t kFrameMagic = 0x04224D18;  // as its bytes are read in big-endian order
  constexpr std::uint8_t kIndependentBlocks = 0x20;
  const auto frame = records.subspan(kBatchHeaderBytes);
  return frame.size() > 4 && load_big_endian<std::uint32_t>(frame.data()) == kFrameMagic &&
         (frame[4] & kIndependentBlocks) == 0;
}

// Differences are taken in 128 bits: any 64-bit time may come in.
bool time_is_out_of_bounds(std::int64_t timestamp, const RecordRules& rules) {
  if (rules.timestamp_type != TimestampType::create_time || timestamp == kNoTimestamp) return false;
  const __int128 age = static_cast<__int128>(rules.now_ms) - timestamp;
  return age > rules.before_max_ms || -age > rules.after_max_ms;
}

class RecordsCheck {
 public:
  RecordsCheck(const BatchHeader& header, const RecordRules& rules) : header_(header), rules_(rules) {}

  bool on_record(const RecordView& record) {
    const std::int32_t index = next_index_++;
    if (record.offset_delta != index) {
      report_.error = {ErrorCode::invalid_record,
                       fmt::format("record {} has offset delta {}", index, record.offset_delta)};
      return false;
    }
    const std::int64_t timestamp = add_wrapping(header_.base_timestamp, record.timestamp_delta);
    // One problem a record is what a response can carry.
    if (rules_.keys_required && !record.key) {
      add_problem(index, "a compacted topic needs a key");
    } else if (time_is_out_of_bounds(timestamp, rules_)) {
      bad_times_ = true;
      add_problem(index, fmt::format("timestamp {} is out of bounds", timestamp));
    }
    if (report_.max_timestamp_index < 0 || timestamp > report_.max_timestamp) {
      report_.max_timestamp = timestamp;
      report_.max_timestamp_index = index;
    }
    return true;
  }

  RecordsReport finish(const Result<void>& walked) && {
    if (!walked) {
      report_.error = walked.error();
      report_.problems.clear();
      report_.problems_total = 0;
    } else if (report_.problems_total > 0 && report_.ok()) {
      report_.error = {
          bad_times_ ? ErrorCode::invalid_timestamp : ErrorCode::invalid_record,
          fmt::format("{} of {} records refused", report_.problems_total, header_.records_count)};
    }
    if (header_.timestamp_type() == TimestampType::log_append_time && report_.max_timestamp_index >= 0) {
      report_.max_timestamp = header_.max_timestamp;  // stands for every record, so the first has it too
      report_.max_timestamp_index = 0;
    }
    report_.max_timestamp_differs = report_.max_timestamp != header_.max_timestamp;
    return std::move(report_);
  }

 private:
  // Readers add the delta with wrap-around, so the check must see what they will.
  static std::int64_t add_wrapping(std::int64_t base, std::int64_t delta) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta));
  }
  void add_problem(std::int32_t index, std::string message) {
    ++report_.problems_total;
    if (report_.problems.size() < kMaxRecordProblems) report_.problems.push_back({index, std::move(message)});
  }

  const BatchHeader& header_;
  const RecordRules& rules_;
  RecordsReport report_;
  std::int32_t next_index_ = 0;
  bool bad_times_ = false;
};

}  // namespace

Result<BatchHeader> check_produced_batch(ByteView records, const ProducedBatchRules& rules) {
  auto header = parse_single_batch(records);
  if (!header) return header;
  if (header->compression() == Compression::zstd && !rules.zstd_allowed) {
    return fail(ErrorCode::unsupported_compression_type, "zstd needs Produce version 7 or above");
  }
  if (records.size() > rules.max_batch_bytes) {
    return fail(ErrorCode::message_too_large, fmt::format("record batch of {} bytes, max.message.bytes is {}",
                                                          records.size(), rules.max_batch_bytes));
  }
  if (!batch_crc_is_valid(records, *header))
    return fail(ErrorCode::corrupt_message, "record batch CRC does not match");
  if (auto checked = check_trusted_header(*header, rules); !checked) return fail(std::move(checked.error()));
  if (header->compression() == Compression::lz4 && has_linked_lz4_blocks(records)) {
    return refuse("lz4 frame of linked blocks, which Java clients cannot read");
  }
  return header;
}

std::size_t inflated_limit(std::size_t batch_bytes, std::size_t max_batch_bytes, std::size_t ratio) {
  std::size_t scaled = 0;
  if (__builtin_mul_overflow(batch_bytes, ratio, &scaled)) scaled = std::numeric_limits<std::size_t>::max();
  return std::max(scaled, max_batch_bytes);
}

RecordsReport validate_records(const RecordBatch& batch, const RecordRules& rules) {
  RecordsCheck check(batch.header, rules);
  const auto walked = for_each_record(batch, rules.limits,
                                      [&check](const RecordView& record) { return check.on_record(record); });
  return std::move(check).finish(walked);
}

bool records_need_validation(const BatchHeader& header, const RecordRules& rules) {
  if (rules.keys_required) return true;
  if (rules.timestamp_type != TimestampType::create_time) return false;
  if (rules.before_max_ms != std::numeric_limits<std::int64_t>::max()) return true;
  // The first record's time is above the maximum: the client did not fill that in.
  if (header.max_timestamp < header.base_timestamp) return true;
  return time_is_out_of_bounds(header.max_timestamp, rules);
}

}  // namespace tidegate::protocol
