// Whether bytes are an encoded message of a Protobuf schema: read from end to end, nothing is built. The
// verdict is that of libprotobuf 3.21, which is what consumers in most languages do too: a field of a wire
// type that it is not declared with counts as an unknown one, and those are fine. Memory is a stack of
// bounded depth and, where messages with required fields come in pieces, 16 bytes a piece. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "protobuf_schema.h"
#include "tidegate/base/bytes.h"

namespace tidegate::schema::protobuf {

// What libprotobuf reads: 100 messages and groups in the outermost one.
inline constexpr std::size_t kMaxMessageDepth = 101;

struct CheckLimits {
  std::size_t max_depth = kMaxMessageDepth;  // of messages and groups within each other; more has no effect
};

// What the path in front of a record names.
struct FoundMessages {
  Schema::Named messages;
  ByteView bytes;       // behind the path
  std::string problem;  // set: there is no such message
};
FoundMessages find_messages(const Schema& schema, ByteView bytes);

// Empty when `bytes` are a message path and one whole message that it names; else what is wrong, with
// the path to it. Where a path means two messages, either will do.
std::string check(const Schema& schema, ByteView bytes, const CheckLimits& limits = {});
// The same for the message alone.
std::string check_message(const Schema& schema, std::uint32_t message, ByteView bytes,
                          const CheckLimits& limits = {});

}  // namespace tidegate::schema::protobuf
