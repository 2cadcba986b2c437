#include "tidegate/protocol/reader.h"

#include <fmt/format.h>

namespace tidegate::protocol {

namespace {
// Strings never exceed what the 16-bit length of old versions could say, compact ones included.
constexpr std::uint32_t kMaxStringBytes = 0x7fff;
}  // namespace

Uuid Reader::uuid() {
  Uuid id;
  const ByteView bytes = view(id.bytes.size());
  if (ok()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

std::uint32_t Reader::unsigned_varint() {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (remaining() == 0) {
      fail_short(1);
      return 0;
    }
    const std::uint8_t byte = buffer_.data()[position_++];
    if (shift == 28 && byte > 0x0f) break;
    value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail("varint is longer than 32 bits");
  return 0;
}

ByteView Reader::view(std::size_t length) {
  if (failed_) return {};
  if (length > remaining()) {
    fail_short(length);
    return {};
  }
  const ByteView bytes(buffer_.data() + position_, length);
  position_ += length;
  return bytes;
}

SharedBuffer Reader::slice(std::size_t length) {
  if (failed_) return {};
  if (length > remaining()) {
    fail_short(length);
    return {};
  }
  position_ += length;
  return buffer_.slice(position_ - length, length);
}

std::int32_t Reader::string_length(bool compact) {
  if (compact) {
    const std::uint32_t raw = unsigned_varint();
    if (raw == 0) return -1;
    if (raw - 1 <= kMaxStringBytes) return static_cast<std::int32_t>(raw - 1);
    fail(fmt::format("string length {} is over {}", raw - 1, kMaxStringBytes));
    return -1;
  }
  const std::int16_t length = int16();
  if (length < -1) fail(fmt::format("negative string length {}", length));
  return length;
}

std::int32_t Reader::length32(bool compact) {
  if (compact) {
    const std::uint32_t raw = unsigned_varint();
    if (raw == 0) return -1;
    if (raw - 1 <= 0x7fffffffU) return static_cast<std::int32_t>(raw - 1);
    fail(fmt::format("length {} is over 31 bits", raw - 1));
    return -1;
  }
  const std::int32_t length = int32();
  if (length < -1) fail(fmt::format("negative length {}", length));
  return length;
}

void Reader::promise(std::size_t count, std::size_t each_bytes) {
  if (failed_) return;
  if (count > remaining() / each_bytes) {
    fail(fmt::format("{} elements of at least {} bytes are claimed, {} bytes are left", count, each_bytes,
                     remaining()));
    return;
  }
  end_ -= count * each_bytes;
}

bool Reader::charge(std::size_t bytes) {
  if (failed_) return false;
  if (bytes > memory_left_) {
    fail("the message takes more memory than its size allows");
    return false;
  }
  memory_left_ -= bytes;
  return true;
}

std::size_t Reader::enter(std::size_t length) {
  if (length > remaining()) fail_short(length);
  const std::size_t outer_end = end_;
  if (!failed_) end_ = position_ + length;
  return outer_end;
}

void Reader::leave(std::size_t outer_end) {
  if (!failed_) end_ = outer_end;
}

void Reader::fail(std::string reason) {
  if (failed_) return;
  failed_ = true;
  reason_ = std::move(reason);
  // Nothing is left to read: later reads fail without looking at the flag.
  end_ = position_;
}

void Reader::fail_short(std::size_t wanted) {
  fail(fmt::format("{} bytes are wanted at {}, {} are left", wanted, position_, remaining()));
}

void Reader::add_path(std::string_view field_name) {
  path_ = path_.empty() || path_.front() == '[' ? fmt::format("{}{}", field_name, path_)
                                                : fmt::format("{}.{}", field_name, path_);
}

void Reader::add_path(std::size_t index) {
  path_ = path_.empty() ? fmt::format("[{}]", index) : fmt::format("[{}].{}", index, path_);
}

Error Reader::error() const {
  return Error{ErrorCode::invalid_request, path_.empty() ? reason_ : fmt::format("{}: {}", path_, reason_)};
}

}  // namespace tidegate::protocol
