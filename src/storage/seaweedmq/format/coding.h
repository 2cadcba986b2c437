// Big-endian integers and protobuf varints, for what the engine keeps in entries and log files. Readers
// never read past their bytes: the first mistake sticks and every later read gives zero or empty.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "tidegate/base/bytes.h"

namespace tidegate::storage::seaweedmq {

template <std::integral Int>
void put_be(std::string& out, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = sizeof(Int); i-- > 0;) out.push_back(static_cast<char>((bits >> (8 * i)) & 0xFF));
}

template <std::integral Int>
std::string be_bytes(Int value) {
  std::string out;
  put_be(out, value);
  return out;
}

// A 4-byte length and the bytes.
inline void put_text(std::string& out, std::string_view text) {
  put_be(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

class BigEndianReader {
 public:
  explicit BigEndianReader(ByteView bytes) : bytes_(bytes) {}
  explicit BigEndianReader(std::string_view bytes) : bytes_(as_bytes(bytes)) {}

  bool ok() const { return ok_; }
  std::size_t remaining() const { return bytes_.size(); }

  template <std::integral Int>
  Int integer() {
    const ByteView from = take(sizeof(Int));
    std::make_unsigned_t<Int> bits = 0;
    for (const std::uint8_t byte : from)
      bits = static_cast<std::make_unsigned_t<Int>>((std::uint64_t{bits} << 8) | byte);
    return static_cast<Int>(bits);
  }
  std::string_view text() { return as_text(take(integer<std::uint32_t>())); }
  ByteView take(std::size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const ByteView taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }

 private:
  ByteView bytes_;
  bool ok_ = true;
};

}  // namespace tidegate::storage::seaweedmq
