// Topic settings: the table of every topic config that Kafka knows, and what the broker acts on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/result.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/schema/policy.h"
#include "tidegate/storage/engine.h"
#include "tidegate/storage/topic.h"

namespace tidegate::broker {

const ConfigTable& topic_config_table();
// Some settings are those of an engine, and not of topics that another one keeps.
bool is_setting_of(const ConfigKey& key, const storage::Capabilities& engine);
// A topic has it from its creation on, and it never changes.
inline bool is_fixed(const ConfigKey& key) { return !key.reloadable; }

// What log compaction acts on; Kafka's key is beside each.
struct CompactionSettings {
  std::int64_t delete_retention_ms = 86'400'000;  // delete.retention.ms
  std::int64_t min_lag_ms = 0;                    // min.compaction.lag.ms
  std::int64_t max_lag_ms = INT64_MAX;            // max.compaction.lag.ms
  double min_dirty_ratio = 0.5;                   // min.cleanable.dirty.ratio
};

// What the produce and fetch paths act on, with defaults filled in.
struct TopicSettings {
  storage::LogConfig log;                      // what the engine acts on
  std::int64_t max_message_bytes = 1'048'588;  // max.message.bytes, of one batch
  // max.decompressed.message.bytes, of one batch.
  std::int64_t max_decompressed_bytes = 134'217'728;
  // compression.type; nullopt is "producer": keep what the client sent.
  std::optional<protocol::Compression> compression;
  std::int64_t timestamp_before_max_ms = INT64_MAX;  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms = 3'600'000;   // message.timestamp.after.max.ms
  std::int32_t min_insync_replicas = 1;
  CompactionSettings compaction;
  schema::TopicPolicy schema;  // tidegate.{key,value}.schema.*
};

using TopicConfigs = std::map<std::string, std::string>;

// `configs` are a topic's own; what is missing comes from the server's values of the synonyms.
TopicSettings make_topic_settings(const TopicConfigs& configs, const ConfigValues& server);

// Every value in its normal form. invalid_config for the first that is unknown or bad, and for those
// that contradict each other or what this server can do.
Result<TopicConfigs> check_topic_configs(const TopicConfigs& configs, const ConfigValues& server,
                                         const storage::Capabilities& engine = {});
// invalid_config when a topic cannot be made with them although others of its kind may have them.
Result<void> check_creatable(const TopicConfigs& configs, const storage::Capabilities& engine);
// Configs of a new topic with the seaweedmq.layout that its value validation asks for, when it names none:
// `full` goes with `record`. As they are on other engines.
TopicConfigs with_layout(TopicConfigs configs, const ConfigValues& server,
                         const storage::Capabilities& engine);
// invalid_config when what is fixed would change.
Result<void> check_fixed(const TopicConfigs& before, const TopicConfigs& after, const ConfigValues& server);
// `wanted` with what is fixed, where it says nothing of that.
TopicConfigs with_fixed(TopicConfigs wanted, const TopicConfigs& present);

// One topic setting as DescribeConfigs shows it. Synonyms run from what wins to the table's default.
struct TopicSetting {
  enum class Source { topic, server, default_value };
  struct Synonym {
    std::string_view name;
    std::string value;
    Source source = Source::default_value;
  };
  const ConfigKey* key = nullptr;
  std::string value;
  Source source = Source::default_value;
  std::vector<Synonym> synonyms;  // as they were set, each in its own unit; the first one is the source
};
TopicSetting describe_topic_setting(const ConfigKey& key, const TopicConfigs& configs,
                                    const ConfigValues& server);

}  // namespace tidegate::broker
