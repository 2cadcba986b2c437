// Entries between our own type and the filer's message. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "backend.h"
#include "seaweedfs/filer.pb.h"

namespace tidegate::storage::seaweedmq {

// Times that are 0 become `now_s`.
filer_pb::Entry to_message(const Entry& entry, std::int64_t now_s);
Entry from_message(const filer_pb::Entry& message);

}  // namespace tidegate::storage::seaweedmq
