#include "decimal.h"

#include <algorithm>
#include <charconv>

namespace tidegate::schema::json_schema {

Decimal::Decimal(std::string_view text) {
  if (text.starts_with('-')) {
    negative_ = true;
    text.remove_prefix(1);
  }
  if (const auto e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), exponent_);
    text = text.substr(0, e);
  }
  if (const auto point = text.find('.'); point != std::string_view::npos) {
    exponent_ -= static_cast<std::int64_t>(text.size() - point - 1);
    digits_ = text.substr(0, point);
    digits_ += text.substr(point + 1);
  } else {
    digits_ = text;
  }
  const auto last = digits_.find_last_not_of('0');
  if (last == std::string::npos) {
    *this = {};
    return;
  }
  exponent_ += static_cast<std::int64_t>(digits_.size() - last - 1);
  digits_.erase(last + 1);
  digits_.erase(0, digits_.find_first_not_of('0'));
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.digits_.empty() || b.digits_.empty() || a.negative_ != b.negative_) {
    const auto sign = [](const Decimal& each) { return each.digits_.empty() ? 0 : each.negative_ ? -1 : 1; };
    return sign(a) - sign(b);
  }
  const int larger = a.negative_ ? -1 : 1;
  const auto length = [](const Decimal& each) {
    return static_cast<std::int64_t>(each.digits_.size()) + each.exponent_;
  };
  if (length(a) != length(b)) return length(a) > length(b) ? larger : -larger;
  const int order = a.digits_.compare(b.digits_);
  return order == 0 ? 0 : order > 0 ? larger : -larger;
}

std::optional<std::uint64_t> Decimal::as_count() const {
  if (digits_.empty()) return 0;
  if (negative_ || exponent_ < 0 || digits_.size() + static_cast<std::size_t>(exponent_) > 18)
    return std::nullopt;
  std::uint64_t count = 0;
  std::from_chars(digits_.data(), digits_.data() + digits_.size(), count);
  for (std::int64_t i = 0; i < exponent_; ++i) count *= 10;
  return count;
}

bool Decimal::multiple_of(const Decimal& divisor) const {
  if (digits_.empty()) return true;
  // Whole multiples of 10 end with a zero, which these digits do not.
  if (exponent_ < divisor.exponent_) return false;
  using Wide = unsigned __int128;
  std::uint64_t by = 0;
  std::from_chars(divisor.digits_.data(), divisor.digits_.data() + divisor.digits_.size(), by);
  if (by == 0) return false;
  Wide rest = 0;
  for (const char digit : digits_) rest = (rest * 10 + static_cast<unsigned>(digit - '0')) % by;
  Wide factor = 10 % by;
  for (auto power = static_cast<std::uint64_t>(exponent_ - divisor.exponent_); power > 0; power /= 2) {
    if (power % 2 == 1) rest = rest * factor % by;
    factor = factor * factor % by;
  }
  return rest == 0;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto follow = [&](int shift) { put(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      put(0xe0 | (code >> 12));
    } else {
      put(0xf0 | (code >> 18));
      follow(12);
    }
    follow(6);
  }
  follow(0);
}

}  // namespace tidegate::schema::json_schema
