// Headers of requests and responses from arbitrary bytes. What parses must encode to bytes that parse
// to the same.
#include <cstddef>
#include <cstdint>

#include "tidegate/base/assert.h"
#include "tidegate/protocol/headers.h"

namespace {

using namespace tidegate;

void check_request(const SharedBuffer& frame, std::int16_t header_version) {
  const auto parsed = protocol::parse_request(frame, header_version);
  if (!parsed) return;
  TIDEGATE_ASSERT(parsed->body.size() <= frame.size());
  const auto prefix = protocol::parse_request_prefix(frame);
  TIDEGATE_ASSERT(prefix.has_value());
  TIDEGATE_ASSERT(prefix->correlation_id == parsed->header.correlation_id);
  const auto again =
      protocol::parse_request(protocol::request_header(parsed->header, header_version), header_version);
  TIDEGATE_ASSERT(again.has_value());
  TIDEGATE_ASSERT(again->body.empty());
  TIDEGATE_ASSERT(again->header.api_key == parsed->header.api_key);
  TIDEGATE_ASSERT(again->header.api_version == parsed->header.api_version);
  TIDEGATE_ASSERT(again->header.client_id == parsed->header.client_id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of exactly this size, so that a read behind its end is an error.
  const SharedBuffer frame = SharedBuffer::copy_of({data, size});
  check_request(frame, 1);
  check_request(frame, 2);
  for (const std::int16_t header_version : {0, 1}) {
    const auto parsed = protocol::parse_response(frame, header_version);
    TIDEGATE_ASSERT(!parsed || parsed->body.size() <= frame.size());
  }
  return 0;
}
