// Byte views shared by every module. A ByteView never owns; who keeps the bytes alive is said where
// the view is handed out (usually a SharedBuffer beside it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tidegate {

using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tidegate
