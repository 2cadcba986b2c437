// Reads Kafka's primitive types from one bounded buffer. The first mistake sticks: every later read
// gives zero or empty, so decoders run straight through and look at ok() once. The failure names the
// field's path ("topics[3].name"). Nothing is allocated before its length was checked against the
// bytes that remain, and a byte that an array count has claimed cannot be claimed a second time
// (promise()), which bounds the memory of a whole message. Any thread; not shared.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"

namespace tidegate::protocol {

class Reader {
 public:
  static constexpr std::size_t kNoMemoryLimit = std::numeric_limits<std::size_t>::max();

  // The slices that the reader hands out keep `bytes` alive.
  // `memory_limit` bounds what may be allocated for the message (charge()).
  explicit Reader(SharedBuffer bytes, std::size_t memory_limit = kNoMemoryLimit)
      : buffer_(std::move(bytes)), end_(buffer_.size()), memory_left_(memory_limit) {}

  bool ok() const { return !failed_; }
  std::size_t position() const { return position_; }
  // Bytes that may still be read here: without what array counts have claimed for later elements.
  std::size_t remaining() const { return end_ - position_; }

  std::int8_t int8() { return integer<std::int8_t>(); }
  std::int16_t int16() { return integer<std::int16_t>(); }
  std::int32_t int32() { return integer<std::int32_t>(); }
  std::int64_t int64() { return integer<std::int64_t>(); }
  bool boolean() { return int8() != 0; }
  Uuid uuid();
  // LEB128, at most five bytes and 32 bits.
  std::uint32_t unsigned_varint();

  // The next `length` bytes; empty after a failure.
  ByteView view(std::size_t length);
  SharedBuffer slice(std::size_t length);
  void skip(std::size_t length) { view(length); }

  // Lengths and counts; -1 means null. `compact` is the form of flexible versions (value plus one as
  // unsigned varint). Fails on anything below -1.
  std::int32_t string_length(bool compact);
  std::int32_t bytes_length(bool compact) { return length32(compact); }
  std::int32_t array_count(bool compact) { return length32(compact); }

  // Claims `count` elements of at least `each_bytes`; fails when they cannot be there. redeem() gives
  // one element's claim back, just before that element is read.
  void promise(std::size_t count, std::size_t each_bytes);
  void redeem(std::size_t each_bytes) { end_ += each_bytes; }

  // Announces an allocation; false, and a failure, when it would pass the memory limit.
  bool charge(std::size_t bytes);

  // Confines reading to the next `length` bytes (a tagged field); leave() takes what enter() gave.
  std::size_t enter(std::size_t length);
  void leave(std::size_t outer_end);

  // Only the first failure is kept.
  void fail(std::string reason);
  // While the failure travels outwards each level puts its own part in front.
  void add_path(std::string_view field_name);
  void add_path(std::size_t index);
  // Code invalid_request with "path: reason".
  Error error() const;

 private:
  template <std::integral T>
  T integer() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail_short(sizeof(T));
      return 0;
    }
    T value;
    std::memcpy(&value, buffer_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
    return value;
  }
  std::int32_t length32(bool compact);
  void fail_short(std::size_t wanted);

  SharedBuffer buffer_;
  std::size_t position_ = 0;
  std::size_t end_ = 0;  // less the claims of array elements that are still to come
  std::size_t memory_left_ = kNoMemoryLimit;
  bool failed_ = false;
  std::string path_;
  std::string reason_;
};

}  // namespace tidegate::protocol
