#include "tidegate/protocol/writer.h"

namespace tidegate::protocol {

void Writer::unsigned_varint(std::uint32_t value) {
  std::uint8_t* out = claim(unsigned_varint_size(value));
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<std::uint8_t>(value | 0x80);
  *out = static_cast<std::uint8_t>(value);
}

void Writer::copy(ByteView bytes) {
  if (!bytes.empty()) std::memcpy(claim(bytes.size()), bytes.data(), bytes.size());
}

void Writer::append(const SharedBuffer& bytes) {
  if (!bytes.empty()) appended_.push_back({position_, bytes});
}

std::vector<SharedBuffer> Writer::finish() && {
  TIDEGATE_ASSERT(position_ == buffer_.size());
  const SharedBuffer written = std::move(buffer_).freeze();
  std::vector<SharedBuffer> out;
  out.reserve(2 * appended_.size() + 1);
  std::size_t from = 0;
  for (Appended& slice : appended_) {
    if (slice.position > from) out.push_back(written.slice(from, slice.position - from));
    from = slice.position;
    out.push_back(std::move(slice.bytes));
  }
  if (written.size() > from) out.push_back(written.slice(from, written.size() - from));
  return out;
}

}  // namespace tidegate::protocol
