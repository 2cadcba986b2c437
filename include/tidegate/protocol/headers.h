// The headers in front of every body. Requests: version 1, or 2 (with tagged fields) when the API's
// version is flexible; the client id keeps its old 16-bit length in both. Responses: version 0, or 1
// with tagged fields when flexible, except ApiVersions, which answers with version 0 always because a
// client that asks does not know yet what this broker speaks (KIP-511). Used by server/ and tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::protocol {

inline constexpr std::int16_t kApiVersionsKey = 18;
// Key, version and correlation id: enough to know how the rest is to be read. No frame is shorter.
inline constexpr std::size_t kRequestPrefixBytes = 8;

struct RequestPrefix {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
};
// Reads the first eight bytes of a frame (behind its length).
Result<RequestPrefix> parse_request_prefix(ByteView frame);

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};
struct ParsedRequest {
  RequestHeader header;
  SharedBuffer body;  // a slice of the frame
};
// `frame` is everything behind the length. invalid_request when it is cut or malformed.
Result<ParsedRequest> parse_request(const SharedBuffer& frame, std::int16_t header_version);

constexpr std::int16_t request_header_version(bool flexible) { return flexible ? 2 : 1; }
constexpr std::int16_t response_header_version(std::int16_t api_key, bool flexible) {
  return flexible && api_key != kApiVersionsKey ? 1 : 0;
}

// The bytes of a response header: four, or five with the empty tagged section.
struct ResponseHeaderBytes {
  std::array<std::uint8_t, 5> bytes{};
  std::size_t size = 4;

  ByteView view() const { return {bytes.data(), size}; }
};
ResponseHeaderBytes response_header(std::int32_t correlation_id, std::int16_t header_version);

// The client's side, for tests and for connections to other brokers.
SharedBuffer request_header(const RequestHeader& header, std::int16_t header_version);
struct ParsedResponse {
  std::int32_t correlation_id = 0;
  SharedBuffer body;
};
Result<ParsedResponse> parse_response(const SharedBuffer& frame, std::int16_t header_version);

}  // namespace tidegate::protocol
