// What storage knows of a topic. Names and configs are checked by broker/ before they get here.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "tidegate/base/ids.h"

namespace tidegate::storage {

// The settings that an engine acts on; broker/topic_config makes this from a topic's configs and the
// broker's defaults. Kafka's key is beside each.
struct LogConfig {
  std::int64_t retention_ms = 604'800'000;     // retention.ms; -1: no limit
  std::int64_t retention_bytes = -1;           // retention.bytes, per partition; -1: no limit
  std::int64_t segment_bytes = 1'073'741'824;  // segment.bytes
  std::int64_t segment_ms = 604'800'000;       // segment.ms
  std::int64_t index_interval_bytes = 4096;    // index.interval.bytes
  std::int64_t file_delete_delay_ms = 60'000;  // file.delete.delay.ms
  bool cleanup_delete = true;                  // cleanup.policy contains "delete"
  bool cleanup_compact = false;                // cleanup.policy contains "compact"
  bool log_append_time = false;                // message.timestamp.type

  bool operator==(const LogConfig&) const = default;
};

struct Topic {
  std::string name;
  TopicId id;
  std::int32_t partitions = 1;
  // As the client set them (Kafka's names), defaults not included.
  std::map<std::string, std::string> configs;
  std::int64_t created_ms = 0;
};

}  // namespace tidegate::storage
