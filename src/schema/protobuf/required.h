// Whether the required fields of a message are there. A message may come in pieces that are put together (a
// field that is not repeated, twice), so that no piece needs to have them all, and a oneof's last member
// makes the others go. Used by check() when some piece lacks one. Pure.
#pragma once

#include <string>

#include "protobuf_schema.h"
#include "tidegate/base/bytes.h"

namespace tidegate::schema::protobuf {

// The path to the first required field that is missing, empty when none is. `bytes` are a well-formed
// message that is nested less deeply than a stack allows.
std::string missing_required(const Schema& schema, const Message& message, ByteView bytes);

}  // namespace tidegate::schema::protobuf
