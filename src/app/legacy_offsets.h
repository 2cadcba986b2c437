// Committed offsets as other programs kept them, for `tidegate offsets import`: keys "topic:partition",
// SeaweedMQ's JSON position files and its older files of eight bytes. Pure; bytes in, values out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tidegate/base/bytes.h"
#include "tidegate/base/result.h"

namespace tidegate::app {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

// "topic:partition", split at the last colon: topic names of that time could hold colons. invalid_request
// for no colon, an empty topic, no partition, and one that is not a number from 0 to 2^31-1.
Result<TopicPartition> parse_legacy_key(std::string_view key);
std::string format_legacy_key(const TopicPartition& key);

struct LegacyOffset {
  std::int64_t offset = 0;  // the next one to be read
  std::string metadata;
  std::int64_t committed_at_ms = -1;  // wall time; -1: not known
  bool operator==(const LegacyOffset&) const = default;
};

// {"type":"offset","value":N,"committed_at":ms,"metadata":"..."}, the last two optional. invalid_request
// for anything else, another type and a negative value among it.
Result<LegacyOffset> parse_position_file(std::string_view json);
std::string format_position_file(const LegacyOffset& offset);

// Eight bytes, big-endian; any other length and a negative number are invalid_request.
Result<LegacyOffset> parse_offset_file(ByteView bytes);
std::string format_offset_file(std::int64_t offset);

// "0003-0003" -> 3, the directory of partition 3 in the older layout; invalid_request when it is not so.
Result<std::int32_t> parse_partition_dir(std::string_view name);
// Of digits alone, from 0 to 2^31-1.
Result<std::int32_t> parse_partition(std::string_view text);
// Of digits alone, from 0 to 2^63-1.
Result<std::int64_t> parse_offset(std::string_view text);

}  // namespace tidegate::app
