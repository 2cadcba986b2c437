#include "compaction/key_offsets.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tidegate::broker {
namespace {

std::uint64_t load_word(const std::uint8_t* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = std::byteswap(word);
  return word;
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;
  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t squeeze() {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

// The published 128-bit variant; the constants are its own.
KeyHash hash_key(const HashSecret& secret, ByteView key) {
  SipState state{.v0 = 0x736f6d6570736575ULL ^ secret.first,
                 .v1 = 0x646f72616e646f6dULL ^ secret.second ^ 0xee,
                 .v2 = 0x6c7967656e657261ULL ^ secret.first,
                 .v3 = 0x7465646279746573ULL ^ secret.second};
  const std::uint8_t* at = key.data();
  std::size_t left = key.size();
  for (; left >= 8; left -= 8, at += 8) state.absorb(load_word(at));
  std::uint64_t last = static_cast<std::uint64_t>(key.size() & 0xff) << 56;
  for (std::size_t i = 0; i < left; ++i) last |= static_cast<std::uint64_t>(at[i]) << (8 * i);
  state.absorb(last);
  KeyHash hash;
  state.v2 ^= 0xee;
  hash.low = state.squeeze();
  state.v1 ^= 0xdd;
  hash.high = state.squeeze();
  return hash;
}

KeyOffsets::KeyOffsets(std::size_t memory_bytes, double load, HashSecret secret)
    : secret_(secret), slots_(std::max<std::size_t>(memory_bytes / kSlotBytes, 2)) {
  // A free slot stays in any case: it is what ends a search.
  const auto wanted = static_cast<std::size_t>(static_cast<double>(slots_.size()) * load);
  capacity_ = std::clamp<std::size_t>(wanted, 1, slots_.size() - 1);
}

// The key's slot, or the free one where it would go.
std::size_t KeyOffsets::place_of(const KeyHash& hash) const {
  std::size_t at = hash.low % slots_.size();
  while (slots_[at].offset >= 0 && slots_[at].hash != hash) at = at + 1 == slots_.size() ? 0 : at + 1;
  return at;
}

bool KeyOffsets::put(ByteView key, Offset offset) {
  const KeyHash hash = hash_key(secret_, key);
  Slot& slot = slots_[place_of(hash)];
  if (slot.offset < 0) {
    if (size_ == capacity_) return false;
    ++size_;
    slot.hash = hash;
  }
  slot.offset = offset;
  return true;
}

Offset KeyOffsets::find(ByteView key) const { return slots_[place_of(hash_key(secret_, key))].offset; }

}  // namespace tidegate::broker
