// Writes Kafka's primitive types into one exactly sized buffer and threads record bytes through
// uncopied: the result is a list of slices for a scatter write. SizeCounter has the same calls and
// adds up instead; an encoder runs over it first. Any thread; not shared.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "tidegate/base/assert.h"
#include "tidegate/base/bytes.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/base/uuid.h"

namespace tidegate::protocol {

constexpr std::size_t unsigned_varint_size(std::uint32_t value) {
  return 1 + (static_cast<std::size_t>(std::bit_width(value | 1U)) - 1) / 7;
}

class SizeCounter {
 public:
  void int8(std::int8_t) { inline_bytes_ += 1; }
  void int16(std::int16_t) { inline_bytes_ += 2; }
  void int32(std::int32_t) { inline_bytes_ += 4; }
  void int64(std::int64_t) { inline_bytes_ += 8; }
  void uuid(const Uuid& id) { inline_bytes_ += id.bytes.size(); }
  void unsigned_varint(std::uint32_t value) { inline_bytes_ += unsigned_varint_size(value); }
  void copy(ByteView bytes) { inline_bytes_ += bytes.size(); }
  void append(const SharedBuffer& bytes) { appended_bytes_ += bytes.size(); }

  // What a Writer's buffer must hold, and with the appended slices the size on the wire.
  std::size_t inline_bytes() const { return inline_bytes_; }
  std::size_t total_bytes() const { return inline_bytes_ + appended_bytes_; }

 private:
  std::size_t inline_bytes_ = 0;
  std::size_t appended_bytes_ = 0;
};

class Writer {
 public:
  // `inline_bytes` is exactly what will be written apart from append(): SizeCounter::inline_bytes().
  explicit Writer(std::size_t inline_bytes) : buffer_(inline_bytes) {}

  void int8(std::int8_t value) { integer(value); }
  void int16(std::int16_t value) { integer(value); }
  void int32(std::int32_t value) { integer(value); }
  void int64(std::int64_t value) { integer(value); }
  void uuid(const Uuid& id) { copy(id.bytes); }
  void unsigned_varint(std::uint32_t value);
  void copy(ByteView bytes);
  // The bytes follow here on the wire; the buffer is referred to, not copied.
  void append(const SharedBuffer& bytes);

  // Everything in wire order. The buffer must be full.
  std::vector<SharedBuffer> finish() &&;

 private:
  struct Appended {
    std::size_t position = 0;  // in buffer_, where the slice is let in
    SharedBuffer bytes;
  };

  template <std::integral T>
  void integer(T value) {
    if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
    std::memcpy(claim(sizeof(T)), &value, sizeof(T));
  }
  std::uint8_t* claim(std::size_t length) {
    TIDEGATE_ASSERT(length <= buffer_.size() - position_);
    return buffer_.data() + std::exchange(position_, position_ + length);
  }

  MutableBuffer buffer_;
  std::size_t position_ = 0;
  std::vector<Appended> appended_;
};

}  // namespace tidegate::protocol
