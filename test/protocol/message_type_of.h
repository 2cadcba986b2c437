// MessageType of one message struct. Included by message_types*.cc alone: every use instantiates all
// the test visitors.
#pragma once

#include <utility>

#include "protocol/message_types.h"
#include "protocol/visitors/bloater.h"
#include "protocol/visitors/json_printer.h"
#include "protocol/visitors/random_filler.h"
#include "protocol/visitors/schema_dump.h"

namespace tidegate::protocol::testkit {

template <class M>
class MessageOf final : public AnyMessage {
 public:
  M message{};

  Encoded encode(std::int16_t version) const override { return Codec<M>::encode(message, version, {}); }
  std::size_t size_bytes(std::int16_t version) const override {
    return Codec<M>::size_bytes(message, version);
  }
  std::string to_json(std::int16_t version) const override { return testkit::to_json(message, version); }
  bool equals(const AnyMessage& other) const override {
    const auto* same = dynamic_cast<const MessageOf*>(&other);
    return same != nullptr && same->message == message;
  }
};

template <class M>
Result<AnyMessagePtr> decode_any(SharedBuffer body, std::int16_t version) {
  Result<M> decoded = Codec<M>::decode(std::move(body), version);
  if (!decoded) return fail(std::move(decoded.error()));
  auto any = std::make_unique<MessageOf<M>>();
  any->message = std::move(*decoded);
  return any;
}

template <class M>
bool try_decode_any(const SharedBuffer& body, std::int16_t version) {
  return Codec<M>::decode(body, version).has_value();
}

template <class M>
AnyMessagePtr random_any(Rng& rng, std::int16_t version) {
  auto any = std::make_unique<MessageOf<M>>();
  RandomFiller filler{rng, version};
  M::fields(any->message, filler);
  return any;
}

template <class M>
AnyMessagePtr bloated_any(std::size_t which, std::size_t count, std::int16_t version) {
  auto any = std::make_unique<MessageOf<M>>();
  Bloater bloater{which, count, version};
  M::fields(any->message, bloater);
  if (!bloater.done) return nullptr;
  return any;
}

template <class M>
MessageType message_type_of() {
  MessageType type;
  type.name = short_type_name<M>();
  type.api_key = M::kApiKey;
  type.versions = M::versions;
  if constexpr (requires { M::kMemoryFactor; }) {
    type.is_request = true;
    type.memory_factor = M::kMemoryFactor;
  }
  type.decode = decode_any<M>;
  type.try_decode = try_decode_any<M>;
  type.random = random_any<M>;
  type.bloated = bloated_any<M>;
  type.schema = schema_of<M>;
  return type;
}

template <class Request, class Response>
void add_api(std::vector<MessageType>& types) {
  types.push_back(message_type_of<Request>());
  types.push_back(message_type_of<Response>());
}

}  // namespace tidegate::protocol::testkit
