// A committed offset as SeaweedFS's own Kafka gateway keeps it, for the engine that finds it in the filer
// (storage/seaweedmq/position_files.h). Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidegate::app {

// Key and value of the entry of the group's scope. Committed now: how long the group may stay away counts
// from when it was taken over. Nothing for a file that makes no sense (logged), or that names no offset.
std::optional<std::pair<std::string, std::string>> inherited_offset(std::string topic, std::int32_t partition,
                                                                    std::string_view file,
                                                                    std::int64_t now_ms);

}  // namespace tidegate::app
