#include <algorithm>

#include "column_kinds.h"

namespace tidegate::schema::avro {
namespace {
constexpr std::size_t kMaxBytes = 16;
constexpr std::int32_t kMaxScale = 38;
}  // namespace

std::string decimal_text(ByteView unscaled, std::int32_t scale) {
  if (unscaled.empty() || unscaled.size() > kMaxBytes || scale > kMaxScale) return {};
  const bool negative = unscaled.front() >= 0x80;
  unsigned __int128 number = negative ? ~static_cast<unsigned __int128>(0) : 0;
  for (const std::uint8_t byte : unscaled) number = number << 8 | byte;
  if (negative) number = ~number + 1;
  std::string text;  // from its end
  std::int32_t digits = 0;
  while (number != 0 || digits <= scale) {
    if (digits == scale && scale > 0) text.push_back('.');
    text.push_back(static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
    ++digits;
  }
  if (negative) text.push_back('-');
  std::ranges::reverse(text);
  return text;
}

bool decimal_bytes(std::string_view text, std::int32_t scale, std::size_t size, std::string& unscaled) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = scale > 0 ? text.size() - static_cast<std::size_t>(scale) - 1 : text.size();
  if (text.empty() || (scale > 0 && (point == 0 || point >= text.size() || text[point] != '.'))) return false;
  unsigned __int128 number = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == point) continue;
    if (text[i] < '0' || text[i] > '9') return false;
    unsigned __int128 more = 0;
    if (__builtin_mul_overflow(number, static_cast<unsigned __int128>(10), &more)) return false;
    if (__builtin_add_overflow(more, static_cast<unsigned __int128>(text[i] - '0'), &number)) return false;
  }
  if (negative) number = ~number + 1;
  std::string bytes;
  for (std::size_t i = kMaxBytes; i-- > 0;) bytes.push_back(static_cast<char>(number >> (8 * i)));
  const char fill = negative && number != 0 ? '\xff' : '\0';
  const auto is_needed = [&](std::size_t at) {
    const bool high = static_cast<std::uint8_t>(bytes[at + 1]) >= 0x80;
    return bytes[at] != fill || high != (fill != '\0');
  };
  std::size_t skip = 0;
  while (skip + 1 < bytes.size() && !is_needed(skip)) ++skip;
  bytes.erase(0, skip);
  if (size > 0) {
    if (bytes.size() > size) return false;
    bytes.insert(0, size - bytes.size(), fill);
  }
  unscaled = std::move(bytes);
  return true;
}

}  // namespace tidegate::schema::avro
