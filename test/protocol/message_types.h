// Every message behind one face, so that a test or a fuzz target can run over all of them. A new
// message joins by its line in message_types_low.cc or _high.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"
#include "tidegate/base/rng.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/codec.h"
#include "tidegate/protocol/fields.h"

namespace tidegate::protocol::testkit {

class AnyMessage {
 public:
  virtual ~AnyMessage() = default;
  virtual Encoded encode(std::int16_t version) const = 0;
  virtual std::size_t size_bytes(std::int16_t version) const = 0;
  virtual std::string to_json(std::int16_t version) const = 0;  // in Kafka's form
  virtual bool equals(const AnyMessage& other) const = 0;
};
using AnyMessagePtr = std::unique_ptr<AnyMessage>;

struct MessageType {
  std::string name;  // Kafka's, e.g. ProduceRequest
  std::int16_t api_key = 0;
  bool is_request = false;
  Versions versions;
  double memory_factor = 0;  // of requests

  Result<AnyMessagePtr> (*decode)(SharedBuffer body, std::int16_t version) = nullptr;
  // Decodes and drops; allocates nothing but what the decoder does.
  bool (*try_decode)(const SharedBuffer& body, std::int16_t version) = nullptr;
  AnyMessagePtr (*random)(Rng& rng, std::int16_t version) = nullptr;
  // A message whose array number `which` (counted over all fields, nested ones included) holds `count`
  // default elements, its parents one each; nullptr when there are not so many arrays.
  AnyMessagePtr (*bloated)(std::size_t which, std::size_t count, std::int16_t version) = nullptr;
  std::string (*schema)() = nullptr;

  bool is_flexible(std::int16_t version) const { return versions.is_flexible(version); }
  std::int16_t header_version(std::int16_t version) const {
    return is_request ? request_header_version(is_flexible(version))
                      : response_header_version(api_key, is_flexible(version));
  }
};

// By API key, the request before the response: the order of schema.txt.
std::span<const MessageType> message_types();
const MessageType* find_message_type(std::string_view name);

SharedBuffer join(const std::vector<SharedBuffer>& chunks);
inline SharedBuffer encode_body(const AnyMessage& message, std::int16_t version) {
  return join(message.encode(version).chunks);
}

}  // namespace tidegate::protocol::testkit
