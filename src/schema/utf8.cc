#include "utf8.h"

#include <cstdint>
#include <cstring>

namespace tidegate::schema {
namespace {

// The length of the sequence at the front, 0 when there is none.
std::size_t utf8_step(ByteView at) {
  const std::uint8_t first = at.front();
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
      (first == 0xf4 && at[1] > 0x8f)) {
    return 0;
  }
  return length;
}

}  // namespace

bool is_utf8(ByteView text) {
  while (!text.empty()) {
    // Most text is ASCII: eight at a time.
    std::uint64_t eight = 0;
    if (text.size() >= sizeof(eight)) {
      std::memcpy(&eight, text.data(), sizeof(eight));
      if ((eight & 0x8080'8080'8080'8080U) == 0) {
        text = text.subspan(sizeof(eight));
        continue;
      }
    }
    const std::size_t step = utf8_step(text);
    if (step == 0) return false;
    text = text.subspan(step);
  }
  return true;
}

}  // namespace tidegate::schema
