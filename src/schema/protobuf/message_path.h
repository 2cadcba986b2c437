// Which message of a .proto file a record is: Confluent's serializers put a list of indexes between the
// schema id and the message, from the file's messages down through nested ones. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tidegate/base/bytes.h"

namespace tidegate::schema::protobuf {

struct MessagePath {
  std::vector<std::uint32_t> indexes;  // at least one
  ByteView message;                    // what stands behind the path
  std::string problem;                 // set: the others mean nothing
};
// A count and so many indexes, each a zigzag varint of 32 bits; a count of 0 stands for the list [0].
// `max_length` is looked at before the indexes are, so that a count costs nothing.
MessagePath read_message_path(ByteView bytes, std::size_t max_length);

}  // namespace tidegate::schema::protobuf
