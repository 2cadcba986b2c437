// Header and records in one buffer; sets length and CRC. message_too_large from 2 GiB on.
#pragma once

#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

Result<RecordBatch> assemble_batch(BatchHeader header, ByteView records);

}  // namespace tidegate::protocol
