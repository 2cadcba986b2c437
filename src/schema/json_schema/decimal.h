// A number of JSON text, exactly. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::schema::json_schema {

class Decimal {
 public:
  Decimal() = default;
  // `text` is a number of JSON with an exponent of at most nine digits.
  explicit Decimal(std::string_view text);

  bool whole() const { return exponent_ >= 0; }
  bool positive() const { return !negative_ && !digits_.empty(); }
  // nullopt: negative, not whole, or too large.
  std::optional<std::uint64_t> as_count() const;
  // Digits beside zeros at both ends.
  std::size_t digits() const { return digits_.size(); }
  // `divisor` is positive and has at most 18 digits.
  bool multiple_of(const Decimal& divisor) const;
  friend int compare(const Decimal& a, const Decimal& b);

 private:
  // digits * 10^exponent, without zeros at either end; zero has no digits and the exponent 0.
  bool negative_ = false;
  std::string digits_;
  std::int64_t exponent_ = 0;
};

void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace tidegate::schema::json_schema
