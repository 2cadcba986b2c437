// Kafka's 128-bit ids (topic ids, cluster id). The zero id means "none". The text form is URL-safe
// base64 without padding, 22 characters, as Kafka's tools print it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
  std::string to_string() const;
  // nullopt unless `text` is exactly 22 characters of the alphabet with no stray bits.
  static std::optional<Uuid> parse(std::string_view text);
};

class Rng;
// A random (version 4) id. Never zero, and its text never begins with '-', as in Kafka.
Uuid random_uuid(Rng& rng);

}  // namespace tidegate

template <>
struct std::hash<tidegate::Uuid> {
  std::size_t operator()(const tidegate::Uuid& id) const noexcept;
};
