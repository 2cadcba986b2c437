// Topic settings: the table of every topic config that Kafka knows, and what the broker acts on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tidegate/base/config_table.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/storage/topic.h"

namespace tidegate::broker {

const ConfigTable& topic_config_table();

// What the produce and fetch paths act on, with defaults filled in.
struct TopicSettings {
  storage::LogConfig log;                          // what the engine acts on
  std::int64_t max_message_bytes = 1'048'588;      // max.message.bytes, of one batch
  // compression.type; nullopt is "producer": keep what the client sent.
  std::optional<protocol::Compression> compression;
  std::int64_t timestamp_before_max_ms = INT64_MAX;  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms = 3'600'000;   // message.timestamp.after.max.ms
  std::int32_t min_insync_replicas = 1;
};

// `configs` are a topic's own; what is missing comes from the server's values of the synonyms.
TopicSettings make_topic_settings(const std::map<std::string, std::string>& configs, const ConfigValues& server);

}  // namespace tidegate::broker
