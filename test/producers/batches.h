// Batch headers as the produce path hands them to the table.
#pragma once

#include <cstdint>

#include "tidegate/protocol/record_batch.h"

namespace tidegate::producers::test {

struct Batch {
  std::int64_t producer = 1;
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  std::int32_t records = 1;
  bool transactional = false;
};

inline protocol::BatchHeader header_at(Offset base_offset, const Batch& batch) {
  protocol::BatchHeader header;
  header.base_offset = base_offset;
  header.last_offset_delta = batch.records - 1;
  header.records_count = batch.records;
  header.producer_id = batch.producer;
  header.producer_epoch = batch.epoch;
  header.base_sequence = batch.sequence;
  header.max_timestamp = 1000 + base_offset;
  if (batch.transactional) header.attributes |= 0x10;
  return header;
}

inline protocol::BatchHeader marker_at(Offset base_offset, std::int64_t producer, std::int16_t epoch) {
  protocol::BatchHeader header =
      header_at(base_offset, {.producer = producer, .epoch = epoch, .sequence = -1});
  header.attributes = 0x30;
  return header;
}

}  // namespace tidegate::producers::test
