#include "visitors/decoder.h"

#include <fmt/format.h>

namespace tidegate::protocol::detail {

std::size_t next_tag(Reader& in, std::int64_t& previous) {
  const std::int64_t tag = in.unsigned_varint();
  const std::uint32_t size = in.unsigned_varint();
  // KIP-482 demands ascending order; it also keeps a field from being filled twice.
  if (in.ok() && tag <= previous) in.fail(fmt::format("tag {} follows tag {}", tag, previous));
  previous = tag;
  return in.ok() ? size : 0;
}

void skip_tagged_section(Reader& in) {
  const std::uint32_t count = in.unsigned_varint();
  std::int64_t tag = -1;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) in.skip(next_tag(in, tag));
}

bool decode_nullable(Reader& in, WireForm form, std::string& out) {
  const std::int32_t length = in.string_length(form.flexible);
  if (length < 0) return false;
  const std::string_view text = as_text(in.view(static_cast<std::size_t>(length)));
  // Short strings live inside the std::string itself.
  if (text.size() <= out.capacity() || in.charge(text.size() + 1)) out.assign(text);
  return true;
}

bool decode_nullable(Reader& in, WireForm form, std::vector<std::uint8_t>& out) {
  const std::int32_t length = in.bytes_length(form.flexible);
  if (length < 0) return false;
  const ByteView bytes = in.view(static_cast<std::size_t>(length));
  if (in.charge(bytes.size())) out.assign(bytes.begin(), bytes.end());
  return true;
}

bool decode_nullable(Reader& in, WireForm form, SharedBuffer& out) {
  const std::int32_t length = in.bytes_length(form.flexible);
  if (length < 0) return false;
  out = in.slice(static_cast<std::size_t>(length));
  return true;
}

bool decode_nullable(Reader& in, WireForm form, RecordChunks& out) {
  SharedBuffer bytes;
  if (!decode_nullable(in, form, bytes)) return false;
  if (in.charge(sizeof(SharedBuffer))) out.add(std::move(bytes));
  return true;
}

}  // namespace tidegate::protocol::detail
