// What handlers call: a request from its body, a response into the pieces of a scatter write, and the
// client's twins for tests. Codec<M> is instantiated in the message's own .cc (see src/protocol/
// visitors/), so that including a message costs no more than its struct. Any thread; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/fields.h"
#include "tidegate/protocol/headers.h"
#include "tidegate/protocol/records.h"

namespace tidegate::protocol {

// Decoding a request allocates at most Req::kMemoryFactor times its bytes plus this: what the server
// admits before it reads the body. A request that would need more is refused as malformed.
inline constexpr std::size_t kDecodeAllowanceBytes = 64U << 10;

struct Encoded {
  std::vector<SharedBuffer> chunks;
  // Empty, or what the version could not carry. The chunks are well formed even then: a field that
  // the version lacks is left out, a null that it does not allow is sent as empty.
  std::string problem;
};

template <class M>
struct Codec {
  static Result<M> decode(SharedBuffer body, std::int16_t version);
  // `prefix` (a header) and the message in one buffer, with record bytes let in as they are.
  static Encoded encode(const M& message, std::int16_t version, ByteView prefix);
  // Bytes on the wire, record bytes included.
  static std::size_t size_bytes(const M& message, std::int16_t version);
};

// Our own mistake, met while a client waits: an abort where assertions are debugged (NDEBUG is not
// set), a log line and the best-effort bytes in a release build.
void report_encode_problem(std::int16_t api_key, std::int16_t version, const std::string& problem);

template <class M>
constexpr std::int16_t response_header_version_of(std::int16_t version) {
  return response_header_version(M::kApiKey, M::versions.is_flexible(version));
}
template <class M>
constexpr std::int16_t request_header_version_of(std::int16_t version) {
  return request_header_version(M::versions.is_flexible(version));
}

// `body` is what follows the request header. invalid_request on anything malformed, bytes behind the
// end included; unsupported_version outside Req::versions.
template <class Req>
Result<Req> decode_request(SharedBuffer body, std::int16_t version) {
  return Codec<Req>::decode(std::move(body), version);
}

// Header and body, without the frame's length. `version` must be one of Resp::versions.
template <class Resp>
std::vector<SharedBuffer> encode_response(const Resp& response, std::int16_t version,
                                          std::int32_t correlation_id, std::int16_t header_version) {
  const ResponseHeaderBytes header = response_header(correlation_id, header_version);
  Encoded encoded = Codec<Resp>::encode(response, version, header.view());
  if (!encoded.problem.empty()) report_encode_problem(Resp::kApiKey, version, encoded.problem);
  return std::move(encoded.chunks);
}
template <class Resp>
std::vector<SharedBuffer> encode_response(const Resp& response, std::int16_t version,
                                          std::int32_t correlation_id) {
  return encode_response(response, version, correlation_id, response_header_version_of<Resp>(version));
}

// The client's side. Both leave the frame's length out.
template <class Req>
std::vector<SharedBuffer> encode_request(const Req& request, std::int16_t version,
                                         std::int32_t correlation_id,
                                         const std::optional<std::string>& client_id) {
  const SharedBuffer header = request_header({Req::kApiKey, version, correlation_id, client_id},
                                             request_header_version_of<Req>(version));
  Encoded encoded = Codec<Req>::encode(request, version, header.bytes());
  if (!encoded.problem.empty()) report_encode_problem(Req::kApiKey, version, encoded.problem);
  return std::move(encoded.chunks);
}

template <class Resp>
struct DecodedResponse {
  std::int32_t correlation_id = 0;
  Resp response;
};
template <class Resp>
Result<DecodedResponse<Resp>> decode_response(const SharedBuffer& frame, std::int16_t version) {
  Result<ParsedResponse> parsed = parse_response(frame, response_header_version_of<Resp>(version));
  if (!parsed) return fail(std::move(parsed.error()));
  Result<Resp> response = Codec<Resp>::decode(std::move(parsed->body), version);
  if (!response) return fail(std::move(response.error()));
  return DecodedResponse<Resp>{parsed->correlation_id, std::move(*response)};
}

}  // namespace tidegate::protocol
