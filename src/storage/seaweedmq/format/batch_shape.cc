#include "batch_shape.h"

#include <limits>

namespace tidegate::storage::seaweedmq {

using protocol::BatchHeader;

void put_shape(std::string& out, const BatchHeader& header) {
  put_be(out, header.base_offset);
  put_be(out, header.partition_leader_epoch);
  put_be(out, header.attributes);
  put_be(out, header.last_offset_delta);
  put_be(out, header.base_timestamp);
  put_be(out, header.max_timestamp);
  put_be(out, header.producer_id);
  put_be(out, header.producer_epoch);
  put_be(out, header.base_sequence);
  put_be(out, header.records_count);
}

BatchHeader take_shape(BigEndianReader& from) {
  BatchHeader header;
  header.base_offset = from.integer<Offset>();
  header.partition_leader_epoch = from.integer<std::int32_t>();
  header.attributes = from.integer<std::int16_t>();
  header.last_offset_delta = from.integer<std::int32_t>();
  header.base_timestamp = from.integer<std::int64_t>();
  header.max_timestamp = from.integer<std::int64_t>();
  header.producer_id = from.integer<std::int64_t>();
  header.producer_epoch = from.integer<std::int16_t>();
  header.base_sequence = from.integer<std::int32_t>();
  header.records_count = from.integer<std::int32_t>();
  return header;
}

bool is_possible(const BatchHeader& header) {
  return header.base_offset >= 0 && header.last_offset_delta >= 0 && header.records_count > 0 &&
         header.base_offset < std::numeric_limits<Offset>::max() - header.last_offset_delta &&
         header.compression_is_legal();
}

}  // namespace tidegate::storage::seaweedmq
