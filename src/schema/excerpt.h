// Names from schemas stand in reasons, and a name may be as long as a schema: reasons take their beginning.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidegate::schema {

// At most `max_bytes` and three dots; does not end within a UTF-8 sequence.
inline std::string excerpt(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xc0) == 0x80) --max_bytes;
  return std::string(text.substr(0, max_bytes)) + "...";
}

}  // namespace tidegate::schema
