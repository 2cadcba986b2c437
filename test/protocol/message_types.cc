#include "protocol/message_types.h"

#include <algorithm>

namespace tidegate::protocol::testkit {

// Two files by API key, so that two compilers share the work.
void add_messages_below_18(std::vector<MessageType>& types);
void add_messages_from_18(std::vector<MessageType>& types);

std::span<const MessageType> message_types() {
  static const std::vector<MessageType> all = [] {
    std::vector<MessageType> types;
    add_messages_below_18(types);
    add_messages_from_18(types);
    return types;
  }();
  return all;
}

const MessageType* find_message_type(std::string_view name) {
  const auto types = message_types();
  const auto found = std::ranges::find(types, name, &MessageType::name);
  return found == types.end() ? nullptr : &*found;
}

SharedBuffer join(const std::vector<SharedBuffer>& chunks) {
  std::vector<std::uint8_t> all;
  for (const SharedBuffer& chunk : chunks) all.insert(all.end(), chunk.data(), chunk.data() + chunk.size());
  return SharedBuffer::copy_of(all);
}

}  // namespace tidegate::protocol::testkit
