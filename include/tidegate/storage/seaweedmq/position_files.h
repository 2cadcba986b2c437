// What SeaweedFS's own Kafka gateway leaves of a consumer group: a file for each partition that it has
// committed. A scope of the meta store that has no entry yet begins with what app/ makes of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tidegate/storage/engine.h"

namespace tidegate::storage {

struct PositionFile {
  std::string topic;
  std::int32_t partition = 0;
  std::string content;
};

struct PositionFiles {
  // A scope is this and the name of a group. Without `to_entries` no file is looked at.
  std::string scope_prefix;
  // Any shard. Files that make no sense are left out.
  std::function<std::vector<MetaEntry>(const std::vector<PositionFile>&)> to_entries;
};

}  // namespace tidegate::storage
