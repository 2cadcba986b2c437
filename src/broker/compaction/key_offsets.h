// The last offset of each key in a stretch of log, in memory that is fixed when it is made: keys are kept
// as 128-bit hashes under a secret (SipHash-2-4), so that no client can choose two keys of one hash and
// have one of them deleted. Used by one cleaning at a time, on any one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/ids.h"

namespace tidegate::broker {

struct KeyHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const KeyHash&) const = default;
};

struct HashSecret {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

KeyHash hash_key(const HashSecret& secret, ByteView key);

class KeyOffsets {
 public:
  static constexpr std::size_t kSlotBytes = 24;

  // Takes keys up to `load` (0 to 1) of the slots that `memory_bytes` hold; one key at least.
  KeyOffsets(std::size_t memory_bytes, double load, HashSecret secret);

  // Offsets must ascend from call to call. False when the key is not there and there is no room for it.
  bool put(ByteView key, Offset offset);
  // -1 when the key was never put.
  Offset find(ByteView key) const;
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }

 private:
  struct Slot {
    KeyHash hash;
    Offset offset = -1;  // -1: free
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  std::size_t place_of(const KeyHash& hash) const;

  HashSecret secret_;
  std::vector<Slot> slots_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tidegate::broker
