#include "tidegate/base/uuid.h"

#include <cstring>

#include "tidegate/base/rng.h"

namespace tidegate {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(22);
  std::uint32_t accumulator = 0;
  int bits = 0;
  for (const std::uint8_t byte : bytes) {
    accumulator = (accumulator << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(kAlphabet[(accumulator >> bits) & 63]);
    }
  }
  text.push_back(kAlphabet[(accumulator << (6 - bits)) & 63]);
  return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  Uuid id;
  std::uint32_t accumulator = 0;
  int bits = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    accumulator = (accumulator << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      id.bytes[at++] = static_cast<std::uint8_t>(accumulator >> bits);
    }
  }
  if ((accumulator & ((1U << bits) - 1)) != 0) return std::nullopt;
  return id;
}

Uuid random_uuid(Rng& rng) {
  for (;;) {
    Uuid id;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::uint64_t word = rng.next();
      std::memcpy(id.bytes.data() + half * 8, &word, 8);
    }
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
    if (id.bytes[0] >> 2 != 62) return id;  // 62 is '-', which command lines take for an option
  }
}

}  // namespace tidegate

std::size_t std::hash<tidegate::Uuid>::operator()(const tidegate::Uuid& id) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), 8);
  std::memcpy(&low, id.bytes.data() + 8, 8);
  return static_cast<std::size_t>(high ^ (low * 0x9e3779b97f4a7c15ULL));
}
