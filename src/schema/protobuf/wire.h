// Tags, varints and sizes of the Protobuf encoding, as libprotobuf reads them. Each takes what it reads from
// the front of `rest`; false: it is not there, and `rest` means nothing any more. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tidegate/base/bytes.h"

namespace tidegate::schema::protobuf {

enum class WireType : std::uint8_t {
  varint = 0,
  fixed64 = 1,
  sized = 2,
  group_begin = 3,
  group_end = 4,
  fixed32 = 5
};
struct Tag {
  std::uint32_t number = 0;
  WireType type = WireType::varint;  // 6 and 7 are none of them
};

// At most ten bytes; what does not fit 64 bits is dropped.
inline bool read_varint(ByteView& rest, std::uint64_t& number) {
  number = 0;
  for (std::size_t i = 0; i < rest.size() && i < 10; ++i) {
    number |= static_cast<std::uint64_t>(rest[i] & 0x7f) << (7 * i);
    if (rest[i] < 0x80) {
      rest = rest.subspan(i + 1);
      return true;
    }
  }
  return false;
}

// At most five bytes; what does not fit 32 bits is dropped.
inline bool read_tag(ByteView& rest, Tag& tag) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < rest.size() && i < 5; ++i) {
    bits |= static_cast<std::uint32_t>(rest[i] & 0x7f) << (7 * i);
    if (rest[i] < 0x80) {
      rest = rest.subspan(i + 1);
      tag = {bits >> 3, static_cast<WireType>(bits & 7)};
      return true;
    }
  }
  return false;
}

// At most five bytes and 31 bits.
inline bool read_size(ByteView& rest, std::size_t& size) {
  size = 0;
  for (std::size_t i = 0; i < rest.size() && i < 5; ++i) {
    if (i == 4 && rest[i] >= 8) return false;
    size |= static_cast<std::size_t>(rest[i] & 0x7f) << (7 * i);
    if (rest[i] < 0x80) {
      rest = rest.subspan(i + 1);
      return true;
    }
  }
  return false;
}

// A field of a message that is known to be well-formed.
struct WireField {
  Tag tag;
  std::uint64_t number = 0;  // of a varint
  ByteView content;          // of what has a size, and of a group without its end
};
// Does not end a group: that is the field's last tag.
WireField take_field(ByteView& rest);

}  // namespace tidegate::schema::protobuf
