// Fixed-width big-endian integers for the engine's own on-disk records (slots, index entries, metadata
// values). Decoding is bounded: the first read past the end sticks and every later one gives zero.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "tidegate/base/bytes.h"
#include "tidegate/base/uuid.h"

namespace tidegate::storage::embedded {

template <class Int>
void put_int(std::uint8_t* at, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = sizeof(Int); i-- > 0; bits = static_cast<decltype(bits)>(bits >> 4 >> 4)) {
    at[i] = static_cast<std::uint8_t>(bits & 0xff);
  }
}
template <class Int>
Int get_int(const std::uint8_t* at) {
  std::make_unsigned_t<Int> bits = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) bits = static_cast<decltype(bits)>((bits << 4 << 4) | at[i]);
  return static_cast<Int>(bits);
}

// Appends to a string.
class ValueWriter {
 public:
  template <class Int>
  ValueWriter& integer(Int value) {
    std::uint8_t bytes[sizeof(Int)];
    put_int(bytes, value);
    out_.append(reinterpret_cast<const char*>(bytes), sizeof(Int));
    return *this;
  }
  ValueWriter& uuid(const Uuid& id) {
    out_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    return *this;
  }
  ValueWriter& raw(std::string_view text) {
    out_.append(text);
    return *this;
  }
  ValueWriter& text(std::string_view value) {
    return integer(static_cast<std::uint32_t>(value.size())).raw(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class ValueReader {
 public:
  explicit ValueReader(std::string_view bytes) : left_(bytes) {}
  template <class Int>
  Int integer() {
    const std::string_view bytes = raw(sizeof(Int));
    return bytes.empty() ? Int{} : get_int<Int>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
  }
  Uuid uuid() {
    Uuid id;
    const std::string_view bytes = raw(id.bytes.size());
    if (!bytes.empty()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
  }
  std::string_view raw(std::size_t length) {
    if (length > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view taken = left_.substr(0, length);
    left_.remove_prefix(length);
    return taken;
  }
  std::string text() { return std::string(raw(integer<std::uint32_t>())); }
  bool ok() const { return ok_; }
  // Nothing is left and nothing was missing.
  bool done() const { return ok_ && left_.empty(); }
  std::size_t remaining() const { return left_.size(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace tidegate::storage::embedded
