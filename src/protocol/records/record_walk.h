// Walking records that are inflated already: for_each_record() and the filter stand on it.
#pragma once

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

// As for_each_record(); `records` is what inflate_records() gave.
Result<void> walk_records(const BatchHeader& header, ByteView records, const RecordLimits& limits,
                          const std::function<bool(const RecordView&)>& each);

}  // namespace tidegate::protocol
