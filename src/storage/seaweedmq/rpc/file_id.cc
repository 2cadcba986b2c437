#include "rpc/file_id.h"

#include <charconv>
#include <system_error>

namespace tidegate::storage::seaweedmq {
namespace {

template <class Int>
bool read_all(std::string_view text, Int& out, int base) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return bad == std::errc{} && end == text.data() + text.size();
}

void append_hex(std::string& out, std::uint64_t value, int bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (int shift = bytes * 8 - 4; shift >= 0; shift -= 4) out.push_back(digits[(value >> shift) & 0xf]);
}

}  // namespace

std::string FileId::text() const {
  std::string out = std::to_string(volume);
  out.push_back(',');
  int key_bytes = 8;
  // All of a zero key's bytes are left out.
  while (key_bytes > 0 && ((key >> (key_bytes * 8 - 8)) & 0xff) == 0) --key_bytes;
  append_hex(out, key, key_bytes);
  append_hex(out, cookie, 4);
  return out;
}

std::optional<FileId> FileId::parse(std::string_view text) {
  const auto comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  FileId id;
  if (!read_all(text.substr(0, comma), id.volume, 10)) return std::nullopt;
  auto rest = text.substr(comma + 1);
  std::uint64_t behind = 0;
  if (const auto underscore = rest.find('_'); underscore != std::string_view::npos) {
    if (!read_all(rest.substr(underscore + 1), behind, 10)) return std::nullopt;
    rest = rest.substr(0, underscore);
  }
  constexpr std::size_t cookie_digits = 8;
  if (rest.size() < cookie_digits || rest.size() > cookie_digits + 16) return std::nullopt;
  const auto key_digits = rest.substr(0, rest.size() - cookie_digits);
  if (!key_digits.empty() && !read_all(key_digits, id.key, 16)) return std::nullopt;
  if (!read_all(rest.substr(key_digits.size()), id.cookie, 16)) return std::nullopt;
  id.key += behind;
  return id;
}

}  // namespace tidegate::storage::seaweedmq
