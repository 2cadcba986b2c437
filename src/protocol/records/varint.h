// Zigzag varints as they stand inside records: at most 5 bytes for 32 bits, 10 for 64. A longer or
// overflowing one is malformed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tidegate/base/bytes.h"

namespace tidegate::protocol {

inline std::uint32_t zigzag32(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
inline std::uint64_t zigzag64(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int32_t unzigzag32(std::uint32_t raw) {
  return static_cast<std::int32_t>((raw >> 1) ^ (0 - (raw & 1)));
}
inline std::int64_t unzigzag64(std::uint64_t raw) {
  return static_cast<std::int64_t>((raw >> 1) ^ (0 - (raw & 1)));
}

inline std::size_t varint_size(std::int32_t value) {
  std::size_t size = 1;
  for (auto raw = zigzag32(value); raw >= 0x80; raw >>= 7) ++size;
  return size;
}
inline std::size_t varlong_size(std::int64_t value) {
  std::size_t size = 1;
  for (auto raw = zigzag64(value); raw >= 0x80; raw >>= 7) ++size;
  return size;
}

// Both return the byte behind what they wrote.
inline std::uint8_t* write_varint(std::uint8_t* to, std::int32_t value) {
  auto raw = zigzag32(value);
  for (; raw >= 0x80; raw >>= 7) *to++ = static_cast<std::uint8_t>(raw | 0x80);
  *to++ = static_cast<std::uint8_t>(raw);
  return to;
}
inline std::uint8_t* write_varlong(std::uint8_t* to, std::int64_t value) {
  auto raw = zigzag64(value);
  for (; raw >= 0x80; raw >>= 7) *to++ = static_cast<std::uint8_t>(raw | 0x80);
  *to++ = static_cast<std::uint8_t>(raw);
  return to;
}

// Takes bytes off the front of a view; false when they are not there or malformed (the view is then
// of no further use).
class RecordCursor {
 public:
  explicit RecordCursor(ByteView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }

  bool read_byte(std::uint8_t& value) {
    if (at_ == end_) return false;
    value = *at_++;
    return true;
  }
  bool read_varint(std::int32_t& value) {
    // Most lengths and deltas are one byte.
    if (at_ != end_ && *at_ < 0x80) {
      value = unzigzag32(*at_++);
      return true;
    }
    std::uint64_t raw = 0;
    if (!read_raw(raw, 5) || raw > 0xffff'ffff) return false;
    value = unzigzag32(static_cast<std::uint32_t>(raw));
    return true;
  }
  bool read_varlong(std::int64_t& value) {
    std::uint64_t raw = 0;
    if (!read_raw(raw, 10)) return false;
    value = unzigzag64(raw);
    return true;
  }
  // `length` must not be negative.
  bool read_bytes(std::int32_t length, ByteView& bytes) {
    if (static_cast<std::size_t>(length) > remaining()) return false;
    bytes = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

 private:
  bool read_raw(std::uint64_t& value, int max_bytes) {
    std::uint64_t raw = 0;
    for (int i = 0; i < max_bytes; ++i) {
      if (at_ == end_) return false;
      const std::uint64_t byte = *at_++;
      if (i == 9 && byte > 1) return false;  // would be a 65th bit
      raw |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        value = raw;
        return true;
      }
    }
    return false;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

}  // namespace tidegate::protocol
