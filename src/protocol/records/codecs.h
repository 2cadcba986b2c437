// One pair of functions a codec; compression.cc picks. Inflating never trusts a size that the stream
// declares. Library contexts are kept per thread, because making one costs more than a small batch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "records/growing_output.h"
#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::protocol::codecs {

Result<SharedBuffer> gzip_inflate(ByteView input, std::size_t max_bytes);
Result<SharedBuffer> gzip_deflate(ByteView input);
Result<SharedBuffer> snappy_inflate(ByteView input, std::size_t max_bytes);
Result<SharedBuffer> snappy_deflate(ByteView input);
Result<SharedBuffer> lz4_inflate(ByteView input, std::size_t max_bytes);
Result<SharedBuffer> lz4_deflate(ByteView input);
Result<SharedBuffer> zstd_inflate(ByteView input, std::size_t max_bytes);
Result<SharedBuffer> zstd_deflate(ByteView input);

inline std::unexpected<Error> bad_stream(std::string_view codec, std::string_view why) {
  return fail(ErrorCode::corrupt_message, std::string(codec).append(": ").append(why));
}
inline std::unexpected<Error> over_limit(std::string_view codec, std::size_t max_bytes) {
  return fail(ErrorCode::message_too_large, std::string(codec)
                                                .append(" inflates to more than ")
                                                .append(std::to_string(max_bytes))
                                                .append(" bytes"));
}

}  // namespace tidegate::protocol::codecs
