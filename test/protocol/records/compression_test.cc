// Streams that lie, end early or go on for ever. The good ones made by other programs are in the golden
// batches; here are those that no client should send.
#include "tidegate/protocol/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "records/big_endian.h"
#include "records/growing_output.h"
#include "tidegate/base/rng.h"

namespace tidegate::protocol {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr Compression kCodecs[] = {Compression::gzip, Compression::snappy, Compression::lz4,
                                   Compression::zstd};
constexpr std::size_t kMegabyte = 1U << 20;

Bytes bytes_of(const SharedBuffer& buffer) { return {buffer.data(), buffer.data() + buffer.size()}; }
Bytes packed(Compression codec, const std::string& text) {
  return bytes_of(compress(codec, as_bytes(text)).value());
}
std::string inflated(Compression codec, ByteView bytes, std::size_t limit = 64 * kMegabyte) {
  const auto result = decompress(codec, bytes, limit);
  return result ? std::string(as_text(*result))
                : "error " + std::to_string(static_cast<int>(result.error().code));
}
ErrorCode refusal(Compression codec, ByteView bytes, std::size_t limit = 64 * kMegabyte) {
  const auto result = decompress(codec, bytes, limit);
  return result ? ErrorCode::none : result.error().code;
}

std::string noise(std::size_t size, std::uint64_t seed) {
  SeededRng rng(seed);
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>(rng.next());
  return text;
}

TEST(Compression, RoundTripsEverySize) {
  for (const auto codec : kCodecs) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{32} << 10,
          (std::size_t{32} << 10) + 1, std::size_t{64} << 10, std::size_t{200'017}}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(codec) << " of " << size);
      const std::string same(size, 'a');
      EXPECT_EQ(inflated(codec, packed(codec, same)), same);
      const auto mixed = noise(size, size);
      EXPECT_EQ(inflated(codec, packed(codec, mixed)), mixed);
    }
  }
  EXPECT_EQ(inflated(Compression::none, as_bytes("plain")), "plain");
}

TEST(Compression, LimitIsExact) {
  const std::string text(100'000, 'x');
  for (const auto codec : kCodecs) {
    const auto stream = packed(codec, text);
    EXPECT_EQ(refusal(codec, stream, text.size()), ErrorCode::none) << static_cast<int>(codec);
    EXPECT_EQ(refusal(codec, stream, text.size() - 1), ErrorCode::message_too_large)
        << static_cast<int>(codec);
    EXPECT_EQ(refusal(codec, stream, 0), ErrorCode::message_too_large) << static_cast<int>(codec);
    EXPECT_EQ(refusal(codec, stream, SIZE_MAX), ErrorCode::none) << static_cast<int>(codec);
  }
  EXPECT_EQ(refusal(Compression::none, as_bytes("plain"), 4), ErrorCode::message_too_large);
}

TEST(Compression, RefusesInputsBeyond32Bits) {
  // Refused by its size: the bytes are never looked at.
  static const std::uint8_t byte = 0;
  const ByteView huge(&byte, std::size_t{1} << 31);
  for (const auto codec : kCodecs) {
    EXPECT_EQ(refusal(codec, huge), ErrorCode::message_too_large);
    EXPECT_EQ(compress(codec, huge).error().code, ErrorCode::message_too_large);
  }
}

TEST(Compression, RefusesCodecsThatAreNone) {
  EXPECT_EQ(refusal(static_cast<Compression>(5), {}), ErrorCode::unsupported_compression_type);
  EXPECT_EQ(compress(static_cast<Compression>(7), {}).error().code, ErrorCode::unsupported_compression_type);
}

TEST(Compression, RefusesEveryTruncation) {
  const auto text = noise(800, 1) + std::string(3000, 'x');
  for (const auto codec : kCodecs) {
    const auto stream = packed(codec, text);
    for (std::size_t size = 0; size < stream.size(); ++size) {
      const Bytes cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      const auto result = decompress(codec, cut, kMegabyte);
      // xerial has no end mark: a cut between two blocks cannot be seen here, only by the record count.
      if (result && codec == Compression::snappy) continue;
      ASSERT_FALSE(result) << static_cast<int>(codec) << " cut at " << size;
      EXPECT_EQ(result.error().code, ErrorCode::corrupt_message);
    }
  }
}

TEST(Compression, SurvivesEveryFlippedByteAndGoesOn) {
  const auto text = noise(200, 2) + std::string(500, 'x');
  for (const auto codec : kCodecs) {
    const auto stream = packed(codec, text);
    for (std::size_t at = 0; at < stream.size(); ++at) {
      auto flipped = stream;
      flipped[at] ^= 0xff;
      const auto result = decompress(codec, flipped, kMegabyte);
      if (!result) {
        EXPECT_TRUE(result.error().code == ErrorCode::corrupt_message ||
                    result.error().code == ErrorCode::message_too_large);
      }
      // The thread's context is as good as new.
      ASSERT_EQ(inflated(codec, stream), text) << static_cast<int>(codec) << " after a flip at " << at;
    }
  }
}

TEST(Gzip, ReadsConcatenatedMembersAndIgnoresWhatFollows) {
  auto stream = packed(Compression::gzip, "one, ");
  const auto second = packed(Compression::gzip, "two");
  const auto empty = packed(Compression::gzip, "");
  stream.insert(stream.end(), empty.begin(), empty.end());
  stream.insert(stream.end(), second.begin(), second.end());
  EXPECT_EQ(inflated(Compression::gzip, stream), "one, two");
  stream.push_back(0);
  stream.push_back(0);
  EXPECT_EQ(inflated(Compression::gzip, stream), "one, two");
}

TEST(Gzip, RefusesOtherWrappings) {
  uLongf size = 100;
  Bytes zlib_stream(size);
  ASSERT_EQ(compress2(zlib_stream.data(), &size, reinterpret_cast<const Bytef*>("abc"), 3, 6), Z_OK);
  zlib_stream.resize(size);
  EXPECT_EQ(refusal(Compression::gzip, zlib_stream), ErrorCode::corrupt_message);
}

TEST(Snappy, ReadsARawBlock) {
  const auto text = noise(100, 3) + std::string(100'000, 'y');
  std::string block;
  snappy::Compress(text.data(), text.size(), &block);
  EXPECT_EQ(inflated(Compression::snappy, as_bytes(block)), text);
  EXPECT_EQ(refusal(Compression::snappy, as_bytes(block), text.size() - 1), ErrorCode::message_too_large);
}

TEST(Snappy, WritesXerialBlocksOf32KiB) {
  const auto stream = packed(Compression::snappy, noise(70'000, 4));
  ASSERT_GT(stream.size(), 20U);
  EXPECT_EQ(as_text(ByteView(stream).first(8)), std::string_view("\x82SNAPPY\0", 8));
  EXPECT_EQ(load_big_endian<std::int32_t>(stream.data() + 8), 1);
  EXPECT_EQ(load_big_endian<std::int32_t>(stream.data() + 12), 1);
  std::size_t at = 16;
  std::vector<std::size_t> lengths;
  while (at < stream.size()) {
    const auto size = static_cast<std::size_t>(load_big_endian<std::int32_t>(stream.data() + at));
    std::size_t length = 0;
    ASSERT_TRUE(
        snappy::GetUncompressedLength(reinterpret_cast<const char*>(stream.data()) + at + 4, size, &length));
    lengths.push_back(length);
    at += 4 + size;
  }
  EXPECT_EQ(lengths, (std::vector<std::size_t>{32768, 32768, 70'000 - 65'536}));
}

TEST(Snappy, RefusesDeclaredLengthsThatCannotBe) {
  // A raw block that says 4 GiB - 1, in ten bytes.
  const Bytes raw = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'a', 0, 'b', 0};
  EXPECT_EQ(refusal(Compression::snappy, raw, kMegabyte), ErrorCode::message_too_large);
  EXPECT_EQ(refusal(Compression::snappy, raw, SIZE_MAX), ErrorCode::corrupt_message);
  Bytes xerial = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
  EXPECT_EQ(inflated(Compression::snappy, xerial), "");
  auto block = xerial;
  block.insert(block.end(), {0, 0, 0, 10});
  block.insert(block.end(), raw.begin(), raw.end());
  EXPECT_EQ(refusal(Compression::snappy, block, kMegabyte), ErrorCode::message_too_large);
  EXPECT_EQ(refusal(Compression::snappy, block, SIZE_MAX), ErrorCode::corrupt_message);
  for (const std::uint8_t first : {0x00, 0x7f, 0x80, 0xff}) {
    auto beyond = xerial;
    beyond.insert(beyond.end(), {first, 0xff, 0xff, 0xff, 1, 2, 3});
    EXPECT_EQ(refusal(Compression::snappy, beyond), ErrorCode::corrupt_message);
  }
}

TEST(Lz4, WritesIndependent64KiBBlocks) {
  const auto stream = packed(Compression::lz4, std::string(200'000, 'z'));
  ASSERT_GE(stream.size(), 7U);
  EXPECT_EQ(load_big_endian<std::uint32_t>(stream.data()), 0x04224D18U);
  EXPECT_EQ(stream[4], 0x60);  // version 1, independent, no checksums, no content size
  EXPECT_EQ(stream[5], 0x40);  // 64 KiB
}

TEST(Lz4, ReadsBigBlocksChecksumsSizesAndSeveralFrames) {
  const auto text = noise(50'000, 5) + std::string(4 * kMegabyte, 'q');
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  preferences.frameInfo.contentSize = text.size();
  Bytes stream(LZ4F_compressFrameBound(text.size(), &preferences));
  const auto size = LZ4F_compressFrame(stream.data(), stream.size(), text.data(), text.size(), &preferences);
  ASSERT_FALSE(LZ4F_isError(size));
  stream.resize(size);
  EXPECT_EQ(inflated(Compression::lz4, stream), text);
  const auto more = packed(Compression::lz4, "and more");
  stream.insert(stream.end(), more.begin(), more.end());
  EXPECT_EQ(inflated(Compression::lz4, stream), text + "and more");
  stream.push_back(1);
  EXPECT_EQ(refusal(Compression::lz4, stream), ErrorCode::corrupt_message);
}

TEST(Zstd, ReadsFramesWithoutContentSizeAndSeveralOfThem) {
  const auto text = noise(5000, 6) + std::string(300'000, 'w');
  Bytes stream(ZSTD_compressBound(text.size()));
  auto* context = ZSTD_createCStream();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);  // as level 22 declares it
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer out{stream.data(), stream.size(), 0};
  while (in.pos < in.size) ASSERT_FALSE(ZSTD_isError(ZSTD_compressStream(context, &out, &in)));
  ASSERT_EQ(ZSTD_endStream(context, &out), 0U);
  ZSTD_freeCStream(context);
  stream.resize(out.pos);
  EXPECT_EQ(ZSTD_getFrameContentSize(stream.data(), stream.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  EXPECT_EQ(inflated(Compression::zstd, stream), text);
  const auto more = packed(Compression::zstd, "and more");
  stream.insert(stream.end(), more.begin(), more.end());
  EXPECT_EQ(inflated(Compression::zstd, stream), text + "and more");
}

TEST(GrowingOutput, TellsTheLimitFromMore) {
  GrowingOutput output(0, 100);
  EXPECT_EQ(output.room().size(), 101U);
  output.commit(100);
  EXPECT_FALSE(output.over_limit());
  EXPECT_EQ(output.room().size(), 1U);
  output.commit(1);
  EXPECT_TRUE(output.over_limit());
  EXPECT_TRUE(output.room().empty());
}

TEST(GrowingOutput, GivesExactRoomUpToTheLimitOnly) {
  GrowingOutput output(0, kMegabyte);
  EXPECT_EQ(output.room_for(kMegabyte).size(), kMegabyte);
  EXPECT_TRUE(output.room_for(kMegabyte + 1).empty());
  output.commit(10);
  EXPECT_TRUE(output.room_for(kMegabyte - 9).empty());
  EXPECT_EQ(output.room_for(kMegabyte - 10).size(), kMegabyte - 10);
  EXPECT_TRUE(output.room_for(SIZE_MAX).empty());
}

}  // namespace
}  // namespace tidegate::protocol
