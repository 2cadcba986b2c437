#include "tidegate/protocol/headers.h"

#include "tidegate/protocol/reader.h"
#include "tidegate/protocol/writer.h"
#include "visitors/decoder.h"

namespace tidegate::protocol {

Result<RequestPrefix> parse_request_prefix(ByteView frame) {
  if (frame.size() < kRequestPrefixBytes) {
    return fail(ErrorCode::invalid_request, "request is shorter than its header");
  }
  Reader in(SharedBuffer::of_static(frame.first(kRequestPrefixBytes)));
  RequestPrefix prefix;
  prefix.api_key = in.int16();
  prefix.api_version = in.int16();
  prefix.correlation_id = in.int32();
  return prefix;
}

Result<ParsedRequest> parse_request(const SharedBuffer& frame, std::int16_t header_version) {
  Reader in(frame);
  ParsedRequest request;
  request.header.api_key = in.int16();
  request.header.api_version = in.int16();
  request.header.correlation_id = in.int32();
  const std::int32_t length = in.string_length(/*compact=*/false);
  if (length >= 0) {
    request.header.client_id = as_text(in.view(static_cast<std::size_t>(length)));
    if (!in.ok()) in.add_path("client_id");
  }
  if (header_version >= 2) detail::skip_tagged_section(in);
  if (!in.ok()) {
    in.add_path("header");
    return fail(in.error());
  }
  request.body = frame.slice(in.position(), in.remaining());
  return request;
}

ResponseHeaderBytes response_header(std::int32_t correlation_id, std::int16_t header_version) {
  ResponseHeaderBytes header;
  const auto id = static_cast<std::uint32_t>(correlation_id);
  for (unsigned i = 0; i < 4; ++i) header.bytes[i] = static_cast<std::uint8_t>(id >> (24 - 8 * i));
  header.size = header_version >= 1 ? 5 : 4;
  return header;
}

SharedBuffer request_header(const RequestHeader& header, std::int16_t header_version) {
  const std::size_t client_bytes = header.client_id ? header.client_id->size() : 0;
  Writer out(kRequestPrefixBytes + 2 + client_bytes + (header_version >= 2 ? 1 : 0));
  out.int16(header.api_key);
  out.int16(header.api_version);
  out.int32(header.correlation_id);
  out.int16(header.client_id ? static_cast<std::int16_t>(client_bytes) : std::int16_t{-1});
  if (header.client_id) out.copy(as_bytes(*header.client_id));
  if (header_version >= 2) out.unsigned_varint(0);
  return std::move(out).finish().front();
}

Result<ParsedResponse> parse_response(const SharedBuffer& frame, std::int16_t header_version) {
  Reader in(frame);
  ParsedResponse response;
  response.correlation_id = in.int32();
  if (header_version >= 1) detail::skip_tagged_section(in);
  if (!in.ok()) {
    in.add_path("header");
    return fail(in.error());
  }
  response.body = frame.slice(in.position(), in.remaining());
  return response;
}

}  // namespace tidegate::protocol
