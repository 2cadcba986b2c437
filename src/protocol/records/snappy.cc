// snappy in its two dresses: one raw block (librdkafka, Go clients) or the xerial framing of Java
// (0x82 "SNAPPY" 0x00, two int32 versions, then blocks of int32 length and a raw block).
//
// We write xerial: it is what Java clients and Java brokers write, so every consumer that reads snappy
// at all must read it, while raw blocks were refused by some older ones. Blocks are Java's 32 KiB.
#include <snappy.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "records/big_endian.h"
#include "records/codecs.h"

namespace tidegate::protocol::codecs {
namespace {

constexpr std::array<std::uint8_t, 8> kXerialMagic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kXerialHeaderBytes = 16;
constexpr std::size_t kXerialBlockBytes = 32U << 10;
// The densest snappy element writes 64 bytes from 3. A length above that is a lie, found before
// memory is taken for it.
constexpr std::size_t kMaxRatio = 22;

const char* chars(ByteView bytes) { return reinterpret_cast<const char*>(bytes.data()); }
char* chars(MutableByteView bytes) { return reinterpret_cast<char*>(bytes.data()); }

// Checks the declared length before there is room for it; the library itself checks that the block
// keeps to it.
Result<std::size_t> declared_length(ByteView block, std::size_t max_bytes) {
  std::size_t length = 0;
  if (!snappy::GetUncompressedLength(chars(block), block.size(), &length))
    return bad_stream("snappy", "no length");
  if (length > max_bytes) return over_limit("snappy", max_bytes);
  if (length > block.size() * kMaxRatio) return bad_stream("snappy", "length that the block cannot have");
  return length;
}

Result<SharedBuffer> inflate_raw(ByteView block, std::size_t max_bytes) {
  const auto length = declared_length(block, max_bytes);
  if (!length) return fail(length.error());
  MutableBuffer output(*length);
  if (!snappy::RawUncompress(chars(block), block.size(), chars(output.bytes()))) {
    return bad_stream("snappy", "bad block");
  }
  return std::move(output).freeze();
}

Result<SharedBuffer> inflate_xerial(ByteView input, std::size_t max_bytes) {
  GrowingOutput output(input.size(), max_bytes);
  input = input.subspan(kXerialHeaderBytes);
  while (!input.empty()) {
    if (input.size() < sizeof(std::int32_t)) return bad_stream("snappy", "cut block length");
    const auto block_bytes = load_big_endian<std::uint32_t>(input.data());
    input = input.subspan(sizeof(std::int32_t));
    if (block_bytes > input.size()) return bad_stream("snappy", "block longer than its bytes");
    const auto block = input.first(block_bytes);
    input = input.subspan(block_bytes);
    const auto length = declared_length(block, max_bytes - output.size());
    if (!length) {
      if (length.error().code == ErrorCode::message_too_large) return over_limit("snappy", max_bytes);
      return fail(length.error());
    }
    const auto room = output.room_for(*length);
    if (room.size() != *length) return over_limit("snappy", max_bytes);
    if (!snappy::RawUncompress(chars(block), block.size(), chars(room)))
      return bad_stream("snappy", "bad block");
    output.commit(*length);
  }
  return std::move(output).finish();
}

}  // namespace

Result<SharedBuffer> snappy_inflate(ByteView input, std::size_t max_bytes) {
  if (input.size() >= kXerialHeaderBytes &&
      std::ranges::equal(input.first(kXerialMagic.size()), kXerialMagic)) {
    return inflate_xerial(input, max_bytes);
  }
  return inflate_raw(input, max_bytes);
}

Result<SharedBuffer> snappy_deflate(ByteView input) {
  const std::size_t blocks = (input.size() + kXerialBlockBytes - 1) / kXerialBlockBytes;
  const std::size_t bound =
      kXerialHeaderBytes + blocks * (sizeof(std::int32_t) + snappy::MaxCompressedLength(kXerialBlockBytes));
  MutableBuffer output(bound);
  std::uint8_t* to = output.data();
  std::memcpy(to, kXerialMagic.data(), kXerialMagic.size());
  store_big_endian<std::int32_t>(to + 8, 1);   // version
  store_big_endian<std::int32_t>(to + 12, 1);  // oldest version that can read it
  to += kXerialHeaderBytes;
  while (!input.empty()) {
    const auto block = input.first(std::min(input.size(), kXerialBlockBytes));
    std::size_t written = 0;
    snappy::RawCompress(chars(block), block.size(), reinterpret_cast<char*>(to + sizeof(std::int32_t)),
                        &written);
    store_big_endian(to, static_cast<std::int32_t>(written));
    to += sizeof(std::int32_t) + written;
    input = input.subspan(block.size());
  }
  const auto size = static_cast<std::size_t>(to - output.data());
  // The bound is generous; what is kept in caches should be as large as it looks.
  return SharedBuffer::copy_of({output.data(), size});
}

}  // namespace tidegate::protocol::codecs
