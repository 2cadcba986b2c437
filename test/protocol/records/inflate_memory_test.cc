// Bombs: what 10 KB of hostile input may cost in memory. This program replaces operator new to count,
// so it stands alone. Work memory of the C libraries is theirs (per thread, bounded, see the codecs).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "tidegate/protocol/compression.h"

namespace {
std::size_t live_bytes = 0;
std::size_t peak_bytes = 0;
constexpr std::size_t kPrefix = 16;  // keeps the alignment of malloc

void* counted(std::size_t size) {
  auto* block = static_cast<char*>(std::malloc(size + kPrefix));
  if (block == nullptr) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(block) = size;
  live_bytes += size;
  peak_bytes = std::max(peak_bytes, live_bytes);
  return block + kPrefix;
}
void uncounted(void* memory) {
  if (memory == nullptr) return;
  auto* block = static_cast<char*>(memory) - kPrefix;
  live_bytes -= *reinterpret_cast<std::size_t*>(block);
  std::free(block);
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { uncounted(memory); }
void operator delete(void* memory, std::size_t) noexcept { uncounted(memory); }

namespace tidegate::protocol {
namespace {

constexpr std::size_t kMegabyte = 1U << 20;
constexpr std::size_t kBombBytes = 10'000;

// The bytes of a bomb of at most kBombBytes: zeros, as many as fit.
std::vector<std::uint8_t> bomb(Compression codec) {
  std::vector<std::uint8_t> best;
  for (std::size_t size = 64U << 10; size <= 128 * kMegabyte; size *= 2) {
    const auto stream = compress(codec, std::vector<std::uint8_t>(size, 0)).value();
    if (stream.size() > kBombBytes) break;
    best.assign(stream.data(), stream.data() + stream.size());
  }
  return best;
}

TEST(InflateMemory, ABombCostsLessThanTwiceTheLimit) {
  for (const auto codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    const auto stream = bomb(codec);
    ASSERT_FALSE(stream.empty()) << static_cast<int>(codec);
    // With a limit of 1 MiB, or below what the stream holds where a codec cannot reach that in 10 KB.
    const std::size_t limit = codec == Compression::snappy ? 100U << 10 : kMegabyte;
    const std::size_t before = live_bytes;
    peak_bytes = live_bytes;
    const auto result = decompress(codec, stream, limit);
    ASSERT_FALSE(result) << static_cast<int>(codec);
    EXPECT_EQ(result.error().code, ErrorCode::message_too_large);
    EXPECT_LE(peak_bytes - before, 2 * kMegabyte) << static_cast<int>(codec);
  }
}

TEST(InflateMemory, ALimitThatIsNotReachedCostsNothing) {
  for (const auto codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    const auto stream = compress(codec, as_bytes("small")).value();
    const std::size_t before = live_bytes;
    peak_bytes = live_bytes;
    ASSERT_TRUE(decompress(codec, stream, std::size_t{1} << 40));
    EXPECT_LE(peak_bytes - before, 64U << 10) << static_cast<int>(codec);
  }
}

}  // namespace
}  // namespace tidegate::protocol
