// Where things are in the filer, and what SeaweedMQ calls them: topic, version, range and log file names, and
// how names that are no paths become some. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tidegate/base/ids.h"

namespace tidegate::storage::seaweedmq {

// SeaweedMQ divides every topic's ring among its partitions and finds them by their part of it, so the number
// of parts is fixed for a generation. Ours has parts in reserve, which growth brings to use.
inline constexpr std::int32_t kRingSize = 2520;
inline constexpr std::int32_t kReservedSlots = 64;
// Parts for a topic that begins with so many partitions.
std::int32_t slots_for(std::int32_t partitions);

struct RingRange {
  std::int32_t start = 0;
  std::int32_t stop = 0;  // exclusive
};
RingRange ring_range(std::int32_t index, std::int32_t slots);

namespace paths {
inline constexpr std::string_view kNamespace = "/topics/kafka";
inline constexpr std::string_view kMeta = "/topics/kafka/.meta";
inline constexpr std::string_view kTopicConf = "topic.conf";
inline constexpr std::string_view kCheckpoint = "checkpoint.offset";

std::string topic_dir(std::string_view topic);
// "v2026-01-31-23-59-59": the generation's time, in UTC seconds.
std::string version_name(std::int64_t generation_ns);
// Its second in nanoseconds; nullopt when `name` is no version directory.
std::optional<std::int64_t> parse_version(std::string_view name);
std::string partition_dir(std::string_view topic, std::int64_t generation_ns, RingRange range);

// Ours, beside the topics.
std::string topics_dir();
std::string scopes_dir();
// Of the groups of SeaweedFS's own Kafka gateway.
std::string positions_dir();
std::string states_dir(const TopicId& id);
std::string state_name(std::int32_t index);
std::string fences_dir();
std::string sessions_dir();
std::string nodes_dir();
std::string fence_name(unsigned shard);
std::string join(std::string_view directory, std::string_view name);
}  // namespace paths

// Log files are named by the UTC second of their first entry. A second one in the same second has a suffix.
struct LogFileName {
  std::int64_t second = 0;
  std::int32_t suffix = 0;  // 0: none; at most kMaxFileSuffix

  auto operator<=>(const LogFileName&) const = default;
  std::string to_string() const;
  static std::optional<LogFileName> parse(std::string_view name);
};
inline constexpr std::int32_t kMaxFileSuffix = 999;
// The name of a file whose first entry is not before `ts_ns`, and which sorts behind `last`.
LogFileName next_file_name(std::int64_t ts_ns, std::optional<LogFileName> last);

// Any bytes as one name: 0-9, A-Z and a-z stand for themselves, every other byte becomes '-', '@', '_' or '~'
// and two hexadecimal digits. Which of the four is chosen so that names sort as the bytes do, and a prefix
// stays a prefix.
std::string escape_name(std::string_view bytes);
std::optional<std::string> unescape_name(std::string_view name);

}  // namespace tidegate::storage::seaweedmq
