// Picks the codec.
#include "tidegate/protocol/compression.h"

#include <limits>

#include "records/codecs.h"

namespace tidegate::protocol {
namespace {

// Batch lengths are int32, and zlib and snappy count in 32 bits.
constexpr std::size_t kMaxInputBytes = std::numeric_limits<std::int32_t>::max();

}  // namespace

Result<SharedBuffer> decompress(Compression codec, ByteView input, std::size_t max_bytes) {
  if (input.size() > kMaxInputBytes)
    return fail(ErrorCode::message_too_large, "more than 2 GiB to decompress");
  switch (codec) {
    case Compression::none:
      if (input.size() > max_bytes) return codecs::over_limit("uncompressed", max_bytes);
      return SharedBuffer::copy_of(input);
    case Compression::gzip:
      return codecs::gzip_inflate(input, max_bytes);
    case Compression::snappy:
      return codecs::snappy_inflate(input, max_bytes);
    case Compression::lz4:
      return codecs::lz4_inflate(input, max_bytes);
    case Compression::zstd:
      return codecs::zstd_inflate(input, max_bytes);
  }
  return fail(ErrorCode::unsupported_compression_type, "unknown codec");
}

Result<SharedBuffer> compress(Compression codec, ByteView input) {
  if (input.size() > kMaxInputBytes) return fail(ErrorCode::message_too_large, "more than 2 GiB to compress");
  switch (codec) {
    case Compression::none:
      return SharedBuffer::copy_of(input);
    case Compression::gzip:
      return codecs::gzip_deflate(input);
    case Compression::snappy:
      return codecs::snappy_deflate(input);
    case Compression::lz4:
      return codecs::lz4_deflate(input);
    case Compression::zstd:
      return codecs::zstd_deflate(input);
  }
  return fail(ErrorCode::unsupported_compression_type, "unknown codec");
}

}  // namespace tidegate::protocol
