// The bodies of Codec<M>. A message's .cc includes this and instantiates Codec for its two structs.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/protocol/codec.h"
#include "visitors/decoder.h"
#include "visitors/encoder.h"

namespace tidegate::protocol {

namespace detail {
// What admission counted on before the body was read; only requests name a factor.
template <class M>
std::size_t memory_limit(std::size_t body_bytes) {
  if constexpr (requires { M::kMemoryFactor; }) {
    return static_cast<std::size_t>(M::kMemoryFactor * static_cast<double>(body_bytes)) +
           kDecodeAllowanceBytes;
  } else {
    return Reader::kNoMemoryLimit;
  }
}
// Some clients in the field write a request too long; its message says which, and why it is let pass.
template <class M>
constexpr bool tolerates_trailing_bytes() {
  if constexpr (requires { M::kToleratesTrailingBytes; }) return M::kToleratesTrailingBytes;
  return false;
}
}  // namespace detail

template <class M>
Result<M> Codec<M>::decode(SharedBuffer body, std::int16_t version) {
  if (!M::versions.contains(version)) {
    return fail(ErrorCode::unsupported_version, fmt::format("version {} is not known", version));
  }
  const std::size_t memory_limit = detail::memory_limit<M>(body.size());
  Reader in(std::move(body), memory_limit);
  Result<M> message(std::in_place);
  detail::decode_struct(in, {version, M::versions.is_flexible(version)}, *message);
  if (in.ok() && in.remaining() > 0 && !detail::tolerates_trailing_bytes<M>())
    in.fail(fmt::format("{} bytes follow the end", in.remaining()));
  if (!in.ok()) return fail(in.error());
  return message;
}

template <class M>
Encoded Codec<M>::encode(const M& message, std::int16_t version, ByteView prefix) {
  TIDEGATE_ASSERT(M::versions.contains(version));
  detail::EncodeContext context{{version, M::versions.is_flexible(version)}, {}};
  SizeCounter size;
  detail::encode_struct(size, context, message);
  Writer out(prefix.size() + size.inline_bytes());
  out.copy(prefix);
  detail::encode_struct(out, context, message);
  return {std::move(out).finish(), std::move(context.problem)};
}

template <class M>
std::size_t Codec<M>::size_bytes(const M& message, std::int16_t version) {
  detail::EncodeContext context{{version, M::versions.is_flexible(version)}, {}};
  SizeCounter size;
  detail::encode_struct(size, context, message);
  return size.total_bytes();
}

}  // namespace tidegate::protocol
