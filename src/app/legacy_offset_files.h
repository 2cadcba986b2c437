// Finds committed offsets in files and directories that other programs left: lists of "topic:partition"
// keys, SeaweedMQ's consumer_offsets tree and its older <group>.offset files. Reads only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "legacy_offsets.h"

namespace tidegate::app {

struct FoundOffset {
  std::string group;
  TopicPartition at;
  LegacyOffset value;
  std::string where;  // the file, and the line of a list
};

struct FoundOffsets {
  // By group, topic, partition.
  std::map<std::tuple<std::string, std::string, std::int32_t>, FoundOffset> offsets;
  // What could not be read, a line each. With any, nothing should be imported.
  std::vector<std::string> problems;
};

// `group` is for lists of keys, which name none. A path is a list (a file) or a tree (a directory); in a
// tree, files of other kinds are passed over.
FoundOffsets find_legacy_offsets(const std::vector<std::string>& paths,
                                 const std::optional<std::string>& group);

}  // namespace tidegate::app
