// Where a key or value says which schema it has: the 5 bytes in front of it, or the id in a record header.
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tidegate/base/bytes.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/schema/policy.h"

namespace tidegate::schema {

// A byte 0 and the id as a big-endian int32, in front of the encoded record.
inline constexpr std::size_t kPrefixBytes = 5;

// Where a record's field names its schema, and what is left of it.
struct Framed {
  std::int32_t id = 0;
  ByteView payload;
  std::string problem;  // set: the others mean nothing
};
// `value` is not null. Looks at `headers` first, as readers do.
Framed unframe(Field field, ByteView value, std::span<const protocol::HeaderView> headers);

}  // namespace tidegate::schema
