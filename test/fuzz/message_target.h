// One target for all requests and one for all responses: the first byte is the API key, the second
// picks the version, the rest is the body. What decodes must encode to bytes that decode to the same: to what
// encodes to these bytes, because a message with a double that is no number does not equal itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/message_types.h"
#include "tidegate/base/assert.h"

namespace tidegate::test {

inline const protocol::testkit::MessageType& pick_message(bool request, std::uint8_t key) {
  static const auto of_kind = [](bool wanted) {
    std::vector<const protocol::testkit::MessageType*> types;
    for (const auto& type : protocol::testkit::message_types()) {
      if (type.is_request == wanted) types.push_back(&type);
    }
    return types;
  };
  static const auto requests = of_kind(true);
  static const auto responses = of_kind(false);
  const auto& types = request ? requests : responses;
  for (const auto* type : types) {
    if (type->api_key == key) return *type;
  }
  return *types[key % types.size()];
}

inline int fuzz_message(bool request, const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const protocol::testkit::MessageType& type = pick_message(request, data[0]);
  const int versions = type.versions.max - type.versions.min + 1;
  const auto version = static_cast<std::int16_t>(
      type.versions.contains(data[1]) ? data[1] : type.versions.min + data[1] % versions);
  const auto decoded = type.decode(SharedBuffer::copy_of({data + 2, size - 2}), version);
  if (!decoded) {
    TIDEGATE_ASSERT(!decoded.error().message.empty());
    return 0;
  }
  const protocol::Encoded encoded = (*decoded)->encode(version);
  TIDEGATE_ASSERT(encoded.problem.empty());
  const SharedBuffer bytes = protocol::testkit::join(encoded.chunks);
  TIDEGATE_ASSERT(bytes.size() == (*decoded)->size_bytes(version));
  const auto again = type.decode(bytes, version);
  // Dropped unknown tags shorten a request and so lower what it may allocate.
  if (!again && bytes.size() < size - 2 && type.is_request) return 0;
  TIDEGATE_ASSERT(again.has_value());
  const SharedBuffer same = protocol::testkit::join((*again)->encode(version).chunks);
  TIDEGATE_ASSERT(std::ranges::equal(same.bytes(), bytes.bytes()));
  return 0;
}

}  // namespace tidegate::test
