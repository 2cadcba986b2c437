// Fixed-width big-endian integers at a known place: batch headers, markers, block lengths. The caller
// has checked that the bytes are there; streams of fields with sticky errors go through Reader instead.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace tidegate::protocol {

template <std::integral T>
T load_big_endian(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) value = std::byteswap(value);
  return value;
}

template <std::integral T>
void store_big_endian(std::uint8_t* to, T value) {
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof(T));
}

}  // namespace tidegate::protocol
