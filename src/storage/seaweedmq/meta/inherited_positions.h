// What a scope begins with that has no entry: the positions that SeaweedFS's own Kafka gateway has left of
// the group, in one file for each partition below consumer_offsets/. Reads only. Called by ScopeStore; any
// shard.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "tidegate/storage/seaweedmq/position_files.h"

namespace tidegate::storage::seaweedmq {

class InheritedPositions {
 public:
  // Of one group; what goes beyond is left out, with a warning.
  static constexpr std::size_t kMaxFiles = 10'000;

  InheritedPositions(Filer& filer, PositionFiles files) : filer_(filer), files_(std::move(files)) {}

  // Whether files can stand for this scope: names that would be another path in the filer have none.
  bool covers(const std::string& scope) const { return group_of(scope).has_value(); }
  // Empty when there are none.
  Task<Result<std::map<std::string, std::string>>> of(std::string scope);

 private:
  std::optional<std::string> group_of(const std::string& scope) const;
  Task<Result<std::vector<std::string>>> directories(std::string in);
  Task<Result<void>> read_topic(std::string directory, std::string topic, std::vector<PositionFile>* found);

  Filer& filer_;
  const PositionFiles files_;
};

}  // namespace tidegate::storage::seaweedmq
