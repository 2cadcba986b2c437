#include "compaction/key_offsets.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::broker {
namespace {

constexpr HashSecret kSecret{.first = 0x0706050403020100, .second = 0x0f0e0d0c0b0a0908};

std::string hex_of(const KeyHash& hash) {
  std::string out;
  for (const std::uint64_t half : {hash.low, hash.high}) {
    for (int i = 0; i < 8; ++i) out += fmt::format("{:02x}", (half >> (8 * i)) & 0xff);
  }
  return out;
}
ByteView key_of(const std::string& text) { return as_bytes(text); }

// The reference vectors of SipHash-2-4 with 128 bits: key 00..0f, input 00, 01, 02, ...
TEST(KeyHash, IsSipHash) {
  std::string input;
  EXPECT_EQ(hex_of(hash_key(kSecret, key_of(input))), "a3817f04ba25a8e66df67214c7550293");
  input.push_back('\x00');
  EXPECT_EQ(hex_of(hash_key(kSecret, key_of(input))), "da87c1d86b99af44347659119b22fc45");
}

TEST(KeyHash, DependsOnSecretAndEveryByte) {
  const std::string key = "a key of nineteen b";
  const KeyHash hash = hash_key(kSecret, key_of(key));
  EXPECT_NE(hash, hash_key({.first = 1, .second = 2}, key_of(key)));
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] ^= 1;
    EXPECT_NE(hash, hash_key(kSecret, key_of(other))) << i;
  }
}

TEST(KeyOffsets, GivesTheLastOffsetOfEachKey) {
  KeyOffsets map(100 * KeyOffsets::kSlotBytes, 0.9, kSecret);
  for (Offset offset = 0; offset < 400; ++offset) {
    const std::string key = "key-" + std::to_string(offset % 80);
    ASSERT_TRUE(map.put(key_of(key), offset));
  }
  EXPECT_EQ(map.size(), 80U);
  for (Offset key = 0; key < 80; ++key) EXPECT_EQ(map.find(key_of("key-" + std::to_string(key))), 320 + key);
  EXPECT_EQ(map.find(key_of("key-80")), -1);
}

TEST(KeyOffsets, TakesNoMoreThanItsCapacityAndStillUpdates) {
  KeyOffsets map(10 * KeyOffsets::kSlotBytes, 0.9, kSecret);
  EXPECT_EQ(map.capacity(), 9U);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(map.put(key_of(std::to_string(i)), i));
  EXPECT_FALSE(map.put(key_of("ten"), 9));
  EXPECT_TRUE(map.put(key_of("3"), 10));
  EXPECT_EQ(map.find(key_of("3")), 10);
  EXPECT_EQ(map.find(key_of("ten")), -1);
}

TEST(KeyOffsets, TheSmallestTakesOneKey) {
  KeyOffsets map(0, 0.9, kSecret);
  EXPECT_EQ(map.capacity(), 1U);
  EXPECT_TRUE(map.put(key_of("a"), 1));
  EXPECT_FALSE(map.put(key_of("b"), 2));
  EXPECT_EQ(map.find(key_of("b")), -1);
}

}  // namespace
}  // namespace tidegate::broker
