// What belongs to a record batch as a whole, for layouts that keep its records one by one: 52 bytes, in
// docs/seaweedmq.md. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "coding.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::seaweedmq {

// Length, attributes, timestamp, offset, key, value and count of headers of the smallest record.
inline constexpr std::size_t kMinRecordBytes = 7;

void put_shape(std::string& out, const protocol::BatchHeader& header);
// Without length and CRC. The reader's state says whether all of it was there.
protocol::BatchHeader take_shape(BigEndianReader& from);
// Whether a batch that holds records can have it.
bool is_possible(const protocol::BatchHeader& header);

}  // namespace tidegate::storage::seaweedmq
