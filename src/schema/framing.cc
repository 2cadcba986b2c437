#include "framing.h"

#include <fmt/format.h>

namespace tidegate::schema {
namespace {

constexpr std::size_t kGuidBytes = 17;  // a byte 1 and the GUID
constexpr std::string_view kKeyHeader = "__key_schema_id";
constexpr std::string_view kValueHeader = "__value_schema_id";

std::int32_t id_at(ByteView bytes) {
  std::uint32_t id = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) id = id << 8 | bytes[i];
  return static_cast<std::int32_t>(id);
}

Framed refused(Field field, std::string_view why) {
  return {.payload = {}, .problem = fmt::format("{}: {}", field_name(field), why)};
}

}  // namespace

Framed unframe(Field field, ByteView value, std::span<const protocol::HeaderView> headers) {
  const std::string_view name = field == Field::key ? kKeyHeader : kValueHeader;
  for (const auto& header : headers) {
    if (as_text(header.key) != name) continue;
    if (header.value && header.value->size() == kPrefixBytes && header.value->front() == 0) {
      return {.id = id_at(*header.value), .payload = value, .problem = {}};
    }
    if (header.value && header.value->size() == kGuidBytes && header.value->front() == 1) {
      return refused(field,
                     fmt::format("the schema is named by a GUID in header {}, which cannot be looked up; "
                                 "let the serializer put the schema id in front of the record",
                                 name));
    }
    return refused(field, fmt::format("header {} holds no schema id", name));
  }
  if (value.size() < kPrefixBytes) {
    return refused(field, fmt::format("no schema id: {} bytes, and 5 come before the record", value.size()));
  }
  if (value.front() != 0) {
    return refused(field, fmt::format("no schema id: the first byte is {} instead of 0", value.front()));
  }
  return {.id = id_at(value), .payload = value.subspan(kPrefixBytes), .problem = {}};
}

}  // namespace tidegate::schema
