#include "wire.h"

namespace tidegate::schema::protobuf {
namespace {

// Behind its tag.
void skip_value(ByteView& rest, WireType type, WireField& field) {
  std::size_t size = 0;
  switch (type) {
    case WireType::varint:
      read_varint(rest, field.number);
      return;
    case WireType::fixed64:
      size = 8;
      break;
    case WireType::fixed32:
      size = 4;
      break;
    case WireType::sized:
      read_size(rest, size);
      break;
    case WireType::group_begin:
    case WireType::group_end:
      return;
  }
  field.content = rest.first(size);
  rest = rest.subspan(size);
}

}  // namespace

WireField take_field(ByteView& rest) {
  WireField field;
  read_tag(rest, field.tag);
  skip_value(rest, field.tag.type, field);
  if (field.tag.type != WireType::group_begin) return field;
  const ByteView begin = rest;
  for (std::size_t open = 1; open > 0;) {
    const ByteView before = rest;
    WireField inner;
    read_tag(rest, inner.tag);
    skip_value(rest, inner.tag.type, inner);
    if (inner.tag.type == WireType::group_begin) ++open;
    if (inner.tag.type == WireType::group_end) --open;
    field.content = begin.first(begin.size() - before.size());
  }
  return field;
}

}  // namespace tidegate::schema::protobuf
