// One codec's inflater: it never passes the limit, and what it gives can be packed and read again.
#include <algorithm>
#include <cstdint>

#include "tidegate/base/assert.h"
#include "tidegate/protocol/compression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  using namespace tidegate::protocol;
  constexpr auto kCodec = Compression::FUZZED_CODEC;
  constexpr std::size_t kLimit = 256U << 10;
  const auto inflated = decompress(kCodec, ByteView(data, size), kLimit);
  if (!inflated) {
    TIDEGATE_ASSERT(inflated.error().code == ErrorCode::corrupt_message ||
                    inflated.error().code == ErrorCode::message_too_large);
    return 0;
  }
  TIDEGATE_ASSERT(inflated->size() <= kLimit);
  const auto packed = compress(kCodec, *inflated);
  TIDEGATE_ASSERT(packed.has_value());
  const auto again = decompress(kCodec, *packed, kLimit);
  TIDEGATE_ASSERT(again.has_value() && std::ranges::equal(again->bytes(), inflated->bytes()));
  return 0;
}
