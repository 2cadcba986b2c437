#include "inherited_offsets.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "legacy_offsets.h"
#include "tidegate/groups/record.h"

namespace tidegate::app {

std::optional<std::pair<std::string, std::string>> inherited_offset(std::string topic, std::int32_t partition,
                                                                    std::string_view file,
                                                                    std::int64_t now_ms) {
  auto position = parse_position_file(file);
  if (!position) {
    spdlog::warn("event=position_of_others_unusable topic={:?} partition={} reason=\"{}\"", topic, partition,
                 position.error().message);
    return std::nullopt;
  }
  groups::PutOffset put{.topic = std::move(topic), .partition = partition, .value = {}};
  put.value.offset = position->offset;
  put.value.metadata = std::move(position->metadata);
  put.value.committed_at_ms = now_ms;
  std::vector<groups::StoredOp> ops;
  groups::encode(put, ops);
  return std::pair(std::move(ops.front().key), *std::move(ops.front().value));
}

}  // namespace tidegate::app
