// The five codecs of record batches. Inflating streams and stops at the limit: a bomb costs no more
// than the limit. snappy accepts Java's xerial framing and a raw block; lz4 is the frame format.
#pragma once

#include <cstddef>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {

// message_too_large when the output would pass `max_bytes`; corrupt_message on a bad stream.
Result<SharedBuffer> decompress(Compression codec, ByteView input, std::size_t max_bytes);
Result<SharedBuffer> compress(Compression codec, ByteView input);

}  // namespace tidegate::protocol
