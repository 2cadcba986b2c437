// The table of topic settings, the server settings that are their defaults, and what they mean together.
#include "tidegate/broker/topic_config.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "tidegate/base/assert.h"
#include "tidegate/broker/schema_config.h"

namespace tidegate::broker {
namespace {

using enum ConfigType;

constexpr std::string_view kCompressionTypes[] = {"uncompressed", "zstd", "lz4",
                                                  "snappy",       "gzip", "producer"};
constexpr std::string_view kCleanupPolicies[] = {"compact", "delete"};
constexpr std::string_view kSeaweedLayouts[] = {"batch", "record"};
constexpr std::string_view kSeaweedPaths[] = {"direct", "broker"};
constexpr std::string_view kTimestampTypes[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view kValidations[] = {"off", "id", "full"};
constexpr std::string_view kStrategies[] = {"topic", "record", "topic-record"};
constexpr std::string_view kStrategyClasses[] = {
    "io.confluent.kafka.serializers.subject.TopicNameStrategy",
    "io.confluent.kafka.serializers.subject.RecordNameStrategy",
    "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
    "TopicNameStrategy",
    "RecordNameStrategy",
    "TopicRecordNameStrategy"};
constexpr std::string_view kRegistryErrors[] = {"fail", "accept"};

// One line or two a key: clang-format would make it ten.
// clang-format off
constexpr ConfigKey kKeys[] = {
    {.name = "cleanup.policy", .type = list, .default_value = "delete",
     .doc = "What happens to old records: delete them by age and size, compact (keep the last record of each key), or "
            "both; empty keeps them.",
     .allowed = kCleanupPolicies, .reloadable = true, .synonym = "log.cleanup.policy"},
    {.name = "compression.gzip.level", .type = int32, .default_value = "-1",
     .doc = "Recompression uses each codec's default level.", .min = -1, .max = 9, .reloadable = true,
     .synonym = "compression.gzip.level", .no_effect = true},
    {.name = "compression.lz4.level", .type = int32, .default_value = "9",
     .doc = "Recompression uses each codec's default level.", .min = 1, .max = 17, .reloadable = true,
     .synonym = "compression.lz4.level", .no_effect = true},
    {.name = "compression.type", .default_value = "producer",
     .doc = "Codec that batches are stored with; producer keeps the client's.", .allowed = kCompressionTypes,
     .reloadable = true, .synonym = "compression.type"},
    {.name = "compression.zstd.level", .type = int32, .default_value = "3",
     .doc = "Recompression uses each codec's default level.", .min = -131'072, .max = 22, .reloadable = true,
     .synonym = "compression.zstd.level", .no_effect = true},
    {.name = "confluent.key.schema.validation", .type = boolean, .default_value = "false",
     .doc = "Confluent's name: true is tidegate.key.schema.validation=id, which wins when it is set.",
     .reloadable = true},
    {.name = "confluent.key.subject.name.strategy",
     .default_value = "io.confluent.kafka.serializers.subject.TopicNameStrategy",
     .doc = "Confluent's name for tidegate.key.schema.subject.name.strategy, which wins when it is set.",
     .allowed = kStrategyClasses, .reloadable = true},
    {.name = "confluent.value.schema.validation", .type = boolean, .default_value = "false",
     .doc = "Confluent's name: true is tidegate.value.schema.validation=id, which wins when it is set.",
     .reloadable = true},
    {.name = "confluent.value.subject.name.strategy",
     .default_value = "io.confluent.kafka.serializers.subject.TopicNameStrategy",
     .doc = "Confluent's name for tidegate.value.schema.subject.name.strategy, which wins when it is set.",
     .allowed = kStrategyClasses, .reloadable = true},
    {.name = "delete.retention.ms", .type = int64, .default_value = "86400000",
     .doc = "How long compaction keeps a record without a value after it has cleaned everything older of that key, in "
            "milliseconds.",
     .min = 0, .reloadable = true, .synonym = "log.cleaner.delete.retention.ms"},
    {.name = "errors.deadletterqueue.group.enable", .type = boolean, .default_value = "false",
     .doc = "There are no share groups.", .reloadable = true, .no_effect = true},
    {.name = "file.delete.delay.ms", .type = int64, .default_value = "60000",
     .doc = "Time between taking a segment out of the log and deleting its file, in milliseconds.", .min = 0,
     .reloadable = true, .synonym = "log.segment.delete.delay.ms"},
    {.name = "flush.messages", .type = int64, .default_value = "9223372036854775807",
     .doc = "The server's storage.flush says when data is synced, for all topics.", .min = 1, .reloadable = true,
     .synonym = "log.flush.interval.messages", .no_effect = true},
    {.name = "flush.ms", .type = int64, .default_value = "9223372036854775807",
     .doc = "The server's storage.flush says when data is synced, for all topics.", .min = 0, .reloadable = true,
     .synonym = "log.flush.interval.ms", .no_effect = true},
    {.name = "follower.replication.throttled.replicas", .type = list, .default_value = "",
     .doc = "There is one replica: nothing is copied between brokers.", .reloadable = true, .no_effect = true},
    {.name = "index.interval.bytes", .type = int32, .default_value = "4096",
     .doc = "Bytes of log between two entries of the offset index.", .min = 0, .reloadable = true,
     .synonym = "log.index.interval.bytes"},
    {.name = "leader.replication.throttled.replicas", .type = list, .default_value = "",
     .doc = "There is one replica: nothing is copied between brokers.", .reloadable = true, .no_effect = true},
    {.name = "local.retention.bytes", .type = int64, .default_value = "-2", .doc = "There is no tiered storage.",
     .min = -2, .reloadable = true, .no_effect = true},
    {.name = "local.retention.ms", .type = int64, .default_value = "-2", .doc = "There is no tiered storage.",
     .min = -2, .reloadable = true, .no_effect = true},
    {.name = "max.compaction.lag.ms", .type = int64, .default_value = "9223372036854775807",
     .doc = "Age at which a record is compacted whatever min.cleanable.dirty.ratio says, in milliseconds. A segment is "
            "also closed at this age when a record comes.",
     .min = 1, .reloadable = true, .synonym = "log.cleaner.max.compaction.lag.ms"},
    {.name = "max.decompressed.message.bytes", .type = int32, .default_value = "134217728",
     .doc = "Bytes that a compressed record batch may inflate to when the server has to look inside.", .min = 1,
     .reloadable = true, .synonym = "max.decompressed.message.bytes"},
    {.name = "max.message.bytes", .type = int32, .default_value = "1048588",
     .doc = "Largest record batch, in bytes as sent; larger ones are refused with MESSAGE_TOO_LARGE.", .min = 0,
     .reloadable = true, .synonym = "message.max.bytes"},
    {.name = "message.timestamp.after.max.ms", .type = int64, .default_value = "3600000",
     .doc = "How far ahead of the server's clock a record's timestamp may be, in milliseconds.", .min = 0,
     .reloadable = true, .synonym = "log.message.timestamp.after.max.ms"},
    {.name = "message.timestamp.before.max.ms", .type = int64, .default_value = "9223372036854775807",
     .doc = "How much older than the server's clock a record's timestamp may be, in milliseconds.", .min = 0,
     .reloadable = true, .synonym = "log.message.timestamp.before.max.ms"},
    {.name = "message.timestamp.type", .default_value = "CreateTime",
     .doc = "Whether records keep the client's timestamp or get the time of the append.",
     .allowed = kTimestampTypes, .reloadable = true, .synonym = "log.message.timestamp.type"},
    {.name = "min.cleanable.dirty.ratio", .type = float64, .default_value = "0.5",
     .doc = "A log is compacted when more than this share of its closed segments' bytes has not been.", .min = 0,
     .max = 1, .reloadable = true, .synonym = "log.cleaner.min.cleanable.ratio"},
    {.name = "min.compaction.lag.ms", .type = int64, .default_value = "0",
     .doc = "Age that a record has at least before it is compacted, in milliseconds.", .min = 0, .reloadable = true,
     .synonym = "log.cleaner.min.compaction.lag.ms"},
    {.name = "min.insync.replicas", .type = int32, .default_value = "1",
     .doc = "In-sync replicas that a produce with acks=all needs. There is one replica: above 1 every such produce "
            "is refused with NOT_ENOUGH_REPLICAS.",
     .min = 1, .reloadable = true, .synonym = "min.insync.replicas"},
    {.name = "preallocate", .type = boolean, .default_value = "false", .doc = "Segments grow as they are written.",
     .reloadable = true, .synonym = "log.preallocate", .no_effect = true},
    {.name = "redpanda.key.schema.id.validation", .type = boolean, .default_value = "false",
     .doc = "Redpanda's name: true is tidegate.key.schema.validation=id, which wins when it is set.",
     .reloadable = true},
    {.name = "redpanda.key.subject.name.strategy", .default_value = "TopicNameStrategy",
     .doc = "Redpanda's name for tidegate.key.schema.subject.name.strategy, which wins when it is set.",
     .allowed = kStrategyClasses, .reloadable = true},
    {.name = "redpanda.value.schema.id.validation", .type = boolean, .default_value = "false",
     .doc = "Redpanda's name: true is tidegate.value.schema.validation=id, which wins when it is set.",
     .reloadable = true},
    {.name = "redpanda.value.subject.name.strategy", .default_value = "TopicNameStrategy",
     .doc = "Redpanda's name for tidegate.value.schema.subject.name.strategy, which wins when it is set.",
     .allowed = kStrategyClasses, .reloadable = true},
    {.name = "remote.copy.lag.bytes", .type = int64, .default_value = "-1", .doc = "There is no tiered storage.",
     .min = -1, .reloadable = true, .no_effect = true},
    {.name = "remote.copy.lag.ms", .type = int64, .default_value = "0", .doc = "There is no tiered storage.",
     .min = -1, .reloadable = true, .no_effect = true},
    {.name = "remote.log.copy.disable", .type = boolean, .default_value = "false",
     .doc = "There is no tiered storage.", .reloadable = true, .no_effect = true},
    {.name = "remote.log.delete.on.disable", .type = boolean, .default_value = "false",
     .doc = "There is no tiered storage.", .reloadable = true, .no_effect = true},
    {.name = "remote.storage.enable", .type = boolean, .default_value = "false",
     .doc = "There is no tiered storage: true is refused.", .reloadable = true, .no_effect = true},
    {.name = "retention.bytes", .type = int64, .default_value = "-1",
     .doc = "Size of a partition above which its oldest closed segments are deleted, in bytes; negative is no limit.", .reloadable = true, .synonym = "log.retention.bytes"},
    {.name = "retention.ms", .type = int64, .default_value = "604800000",
     .doc = "Age at which a closed segment is deleted, in milliseconds; -1 keeps it.", .min = -1,
     .reloadable = true, .synonym = "log.retention.ms"},
    {.name = "seaweedmq.layout", .default_value = "batch",
     .doc = "With the seaweedmq engine, fixed when the topic is made: what its log files hold. batch is record batches as "
            "producers sent them, record an entry for each record, which SeaweedFS's SQL engine and SeaweedMQ's "
            "subscribers can read. Topics with tidegate.value.schema.validation=full have record, whatever the "
            "gateway's default is, unless they say batch.",
     .allowed = kSeaweedLayouts, .synonym = "seaweedmq.layout"},
    {.name = "seaweedmq.path", .default_value = "direct",
     .doc = "With the seaweedmq engine, fixed when the topic is made: how records are written. direct is straight to "
            "volume servers and filer; broker is through SeaweedMQ's brokers, without compaction and further "
            "partitions. Topics that those made have it.",
     .allowed = kSeaweedPaths, .synonym = "seaweedmq.path"},
    {.name = "segment.bytes", .type = int32, .default_value = "1073741824",
     .doc = "Size at which a segment is closed and the next begun, in bytes.", .min = 1'048'576,
     .reloadable = true, .synonym = "log.segment.bytes"},
    {.name = "segment.index.bytes", .type = int32, .default_value = "10485760",
     .doc = "Index files grow with their segment.", .min = 4, .reloadable = true,
     .synonym = "log.index.size.max.bytes", .no_effect = true},
    {.name = "segment.jitter.ms", .type = int64, .default_value = "0", .doc = "Segments roll exactly at their age.",
     .min = 0, .reloadable = true, .synonym = "log.roll.jitter.ms", .no_effect = true},
    {.name = "segment.ms", .type = int64, .default_value = "604800000",
     .doc = "Age at which a segment is closed although it is not full, in milliseconds.", .min = 1,
     .reloadable = true, .synonym = "log.roll.ms"},
    {.name = "tidegate.key.schema.on.registry.error", .default_value = "fail",
     .doc = "What happens to a record whose key schema cannot be looked up now: fail refuses the batch with "
            "NOT_ENOUGH_REPLICAS, which producers retry; accept stores it unchecked.",
     .allowed = kRegistryErrors, .reloadable = true},
    {.name = "tidegate.key.schema.subject.name.strategy", .default_value = "topic",
     .doc = "Subject that the key schema has to be registered under: topic (the topic's name and -key), record (the full "
            "name of the record's type) or topic-record (the topic's name, - and that full name).",
     .allowed = kStrategies, .reloadable = true},
    {.name = "tidegate.key.schema.validation", .default_value = "off",
     .doc = "off stores keys as they are. id refuses records whose key does not begin with the id of a schema of its "
            "subject (null is fine), with INVALID_RECORD for the batch. full also refuses those that are no value of that "
            "schema: Avro, Protobuf or JSON Schema.",
     .allowed = kValidations, .reloadable = true},
    {.name = "tidegate.value.schema.on.registry.error", .default_value = "fail",
     .doc = "What happens to a record whose value schema cannot be looked up now: fail refuses the batch with "
            "NOT_ENOUGH_REPLICAS, which producers retry; accept stores it unchecked.",
     .allowed = kRegistryErrors, .reloadable = true},
    {.name = "tidegate.value.schema.subject.name.strategy", .default_value = "topic",
     .doc = "Subject that the value schema has to be registered under: topic (the topic's name and -value), record (the full "
            "name of the record's type) or topic-record (the topic's name, - and that full name).",
     .allowed = kStrategies, .reloadable = true},
    {.name = "tidegate.value.schema.validation", .default_value = "off",
     .doc = "off stores values as they are. id refuses records whose value does not begin with the id of a schema of its "
            "subject (null is fine), with INVALID_RECORD for the batch. full also refuses those that are no value of that "
            "schema: Avro, Protobuf or JSON Schema.",
     .allowed = kValidations, .reloadable = true},
    {.name = "unclean.leader.election.enable", .type = boolean, .default_value = "false",
     .doc = "One replica is always the leader.", .reloadable = true, .synonym = "unclean.leader.election.enable",
     .no_effect = true},
};
// clang-format on

// Server settings that are a topic setting's default in another unit, behind ConfigKey::synonym, the
// first that is set wins.
struct ScaledSynonym {
  std::string_view topic_key;
  std::string_view server_key;
  std::int64_t unit_ms;
};
constexpr ScaledSynonym kScaled[] = {
    {"retention.ms", "log.retention.minutes", 60'000},
    {"retention.ms", "log.retention.hours", 3'600'000},
    {"segment.ms", "log.roll.hours", 3'600'000},
    {"segment.jitter.ms", "log.roll.jitter.hours", 3'600'000},
};

// The largest number that does not overflow; -1 ("no limit") stays.
std::string scaled(std::int64_t value, std::int64_t unit) {
  if (value < 0) return "-1";
  return std::to_string(value > INT64_MAX / unit ? INT64_MAX : value * unit);
}

// The server setting whose default is this topic setting's default, with that default in its own unit; the
// topic setting itself when there is none.
TopicSetting::Synonym default_synonym(const ConfigKey& key, const ConfigTable& server) {
  using Source = TopicSetting::Source;
  const auto with_default = [&server](std::string_view name) {
    const ConfigKey* behind = server.find(name);
    return behind != nullptr && behind->has_default ? behind : nullptr;
  };
  if (!key.synonym.empty() && with_default(key.synonym) != nullptr) {
    return {key.synonym, std::string(key.default_value), Source::default_value};
  }
  for (const ScaledSynonym& other : kScaled) {
    if (other.topic_key != key.name) continue;
    if (const ConfigKey* behind = with_default(other.server_key)) {
      return {behind->name, std::string(behind->default_value), Source::default_value};
    }
  }
  return {key.name, std::string(key.default_value), Source::default_value};
}

std::int64_t to_integer(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  TIDEGATE_ASSERT(error == std::errc() && end == text.data() + text.size());
  return number;
}

double to_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  TIDEGATE_ASSERT(error == std::errc() && end == text.data() + text.size());
  return number;
}

std::optional<protocol::Compression> to_compression(std::string_view name) {
  if (name == "uncompressed") return protocol::Compression::none;
  if (name == "gzip") return protocol::Compression::gzip;
  if (name == "snappy") return protocol::Compression::snappy;
  if (name == "lz4") return protocol::Compression::lz4;
  if (name == "zstd") return protocol::Compression::zstd;
  return std::nullopt;
}

// Reads one topic's effective values.
class Effective {
 public:
  Effective(const TopicConfigs& configs, const ConfigValues& server) : configs_(configs), server_(server) {}
  std::string text(std::string_view name) const {
    const ConfigKey* key = topic_config_table().find(name);
    TIDEGATE_ASSERT(key != nullptr);
    return describe_topic_setting(*key, configs_, server_).value;
  }
  std::int64_t integer(std::string_view name) const { return to_integer(text(name)); }
  double number(std::string_view name) const { return to_number(text(name)); }

 private:
  const TopicConfigs& configs_;
  const ConfigValues& server_;
};

bool list_contains(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == item) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// "*" or partition:broker pairs.
Result<void> check_throttled_replicas(std::string_view name, std::string_view list) {
  if (list == "*") return {};
  for (std::string_view rest = list; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t colon = item.find(':');
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool good = colon != std::string_view::npos && colon > 0 && colon + 1 < item.size() &&
                      std::ranges::all_of(item.substr(0, colon), is_digit) &&
                      std::ranges::all_of(item.substr(colon + 1), is_digit);
    if (!good) {
      return fail(ErrorCode::invalid_config,
                  fmt::format("Invalid value for {}: expected '*' or a list of PARTITION:BROKER.", name));
    }
  }
  return {};
}

constexpr std::string_view kLayoutKey = "seaweedmq.layout";
constexpr std::string_view kPathKey = "seaweedmq.path";

Result<void> check_together(const TopicConfigs& configs, const ConfigValues& server) {
  const Effective effective(configs, server);
  const std::int64_t min_lag = effective.integer("min.compaction.lag.ms");
  const std::int64_t max_lag = effective.integer("max.compaction.lag.ms");
  if (min_lag > max_lag) {
    return fail(ErrorCode::invalid_config,
                fmt::format("min.compaction.lag.ms ({}) is larger than max.compaction.lag.ms ({}).", min_lag,
                            max_lag));
  }
  if (effective.text("remote.storage.enable") == "true") {
    return fail(ErrorCode::invalid_config,
                "remote.storage.enable cannot be true: there is no tiered storage.");
  }
  for (const std::string_view name :
       {"leader.replication.throttled.replicas", "follower.replication.throttled.replicas"}) {
    if (auto good = check_throttled_replicas(name, effective.text(name)); !good) return good;
  }
  return check_schema_policy(make_schema_policy([&](std::string_view name) { return effective.text(name); }),
                             server);
}

}  // namespace

const ConfigTable& topic_config_table() {
  static const ConfigTable table(kKeys);
  return table;
}

bool is_setting_of(const ConfigKey& key, const storage::Capabilities& engine) {
  return !engine.write_paths.empty() || (key.name != kLayoutKey && key.name != kPathKey);
}

TopicSetting describe_topic_setting(const ConfigKey& key, const TopicConfigs& configs,
                                    const ConfigValues& server) {
  using Source = TopicSetting::Source;
  TopicSetting setting{.key = &key};
  if (const auto at = configs.find(std::string(key.name)); at != configs.end()) {
    setting.synonyms.push_back({key.name, at->second, Source::topic});
  }
  for (const SchemaAlias& other : schema_aliases_of(key.name)) {
    const auto at = configs.find(std::string(other.alias));
    if (at == configs.end()) continue;
    setting.synonyms.push_back({other.alias, at->second, Source::topic});
    if (setting.synonyms.size() == 1) setting.value = from_schema_alias(at->second);
  }
  if (!key.synonym.empty() && server.is_set(key.synonym)) {
    setting.synonyms.push_back({key.synonym, server.text(key.synonym), Source::server});
  }
  if (!setting.synonyms.empty() && setting.value.empty()) setting.value = setting.synonyms.front().value;
  for (const ScaledSynonym& other : kScaled) {
    if (other.topic_key != key.name || !server.is_set(other.server_key)) continue;
    // The synonym as it was set, in its own unit; the value in the topic setting's.
    if (setting.synonyms.empty()) setting.value = scaled(server.integer(other.server_key), other.unit_ms);
    setting.synonyms.push_back({other.server_key, server.text(other.server_key), Source::server});
  }
  if (setting.synonyms.empty()) setting.value = key.default_value;
  setting.synonyms.push_back(default_synonym(key, server.table()));
  setting.source = setting.synonyms.front().source;
  return setting;
}

TopicSettings make_topic_settings(const TopicConfigs& configs, const ConfigValues& server) {
  const Effective effective(configs, server);
  const std::string policy = effective.text("cleanup.policy");
  TopicSettings settings;
  settings.log = {
      .retention_ms = effective.integer("retention.ms"),
      .retention_bytes = std::max<std::int64_t>(effective.integer("retention.bytes"), -1),
      .segment_bytes = effective.integer("segment.bytes"),
      .segment_ms = effective.integer("segment.ms"),
      .index_interval_bytes = effective.integer("index.interval.bytes"),
      .file_delete_delay_ms = effective.integer("file.delete.delay.ms"),
      .cleanup_delete = list_contains(policy, "delete"),
      .cleanup_compact = list_contains(policy, "compact"),
      .log_append_time = effective.text("message.timestamp.type") == "LogAppendTime",
  };
  settings.max_message_bytes = effective.integer("max.message.bytes");
  settings.max_decompressed_bytes = effective.integer("max.decompressed.message.bytes");
  settings.compression = to_compression(effective.text("compression.type"));
  settings.timestamp_before_max_ms = effective.integer("message.timestamp.before.max.ms");
  settings.timestamp_after_max_ms = effective.integer("message.timestamp.after.max.ms");
  settings.compaction = {.delete_retention_ms = effective.integer("delete.retention.ms"),
                         .min_lag_ms = effective.integer("min.compaction.lag.ms"),
                         .max_lag_ms = effective.integer("max.compaction.lag.ms"),
                         .min_dirty_ratio = effective.number("min.cleanable.dirty.ratio")};
  // What is never closed is never compacted.
  if (settings.log.cleanup_compact) {
    settings.log.segment_ms = std::min(settings.log.segment_ms, settings.compaction.max_lag_ms);
  }
  settings.schema = make_schema_policy([&](std::string_view name) { return effective.text(name); });
  settings.min_insync_replicas = static_cast<std::int32_t>(effective.integer("min.insync.replicas"));
  return settings;
}

Result<TopicConfigs> check_topic_configs(const TopicConfigs& configs, const ConfigValues& server,
                                         const storage::Capabilities& engine) {
  // Nothing of its own: thousands of topics are made this way at once.
  if (configs.empty()) return TopicConfigs{};
  TopicConfigs checked;
  for (const auto& [name, value] : configs) {
    const auto key = topic_config_table().require(name);
    if (!key) return fail(key.error());
    if (!is_setting_of(**key, engine)) {
      return fail(
          ErrorCode::invalid_config,
          fmt::format(
              "{} is a setting of topics in a SeaweedFS: this server's storage engine has no use for it.",
              name));
    }
    auto normal = ConfigTable::normalise(**key, value);
    if (!normal) return fail(std::move(normal.error()));
    checked.emplace(name, std::move(*normal));
  }
  if (auto good = check_together(checked, server); !good) return fail(std::move(good.error()));
  return checked;
}

Result<void> check_creatable(const TopicConfigs& configs, const storage::Capabilities& engine) {
  const auto path = configs.find(std::string(kPathKey));
  const auto policy = configs.find("cleanup.policy");
  if (path != configs.end() && path->second == "broker" && policy != configs.end() &&
      list_contains(policy->second, "compact"))
    return fail(ErrorCode::invalid_config,
                fmt::format("A topic with {}=broker cannot be compacted.", kPathKey));
  if (path == configs.end() ||
      std::ranges::find(engine.write_paths, path->second) != engine.write_paths.end())
    return {};
  return fail(ErrorCode::invalid_config, fmt::format("{}={} is not available; there is: {}.", kPathKey,
                                                     path->second, fmt::join(engine.write_paths, ", ")));
}

TopicConfigs with_layout(TopicConfigs configs, const ConfigValues& server,
                         const storage::Capabilities& engine) {
  if (engine.write_paths.empty() || configs.contains(std::string(kLayoutKey))) return configs;
  const Effective effective(configs, server);
  const schema::TopicPolicy policy =
      make_schema_policy([&](std::string_view name) { return effective.text(name); });
  if (policy.value.validation == schema::Validation::full && effective.text(kLayoutKey) != "record")
    configs.emplace(kLayoutKey, "record");
  return configs;
}

Result<void> check_fixed(const TopicConfigs& before, const TopicConfigs& after, const ConfigValues& server) {
  for (const ConfigKey& key : topic_config_table().keys()) {
    if (!is_fixed(key)) continue;
    const std::string present = describe_topic_setting(key, before, server).value;
    if (describe_topic_setting(key, after, server).value == present) continue;
    return fail(ErrorCode::invalid_config,
                fmt::format("{} is fixed when a topic is made: this one has {}.", key.name, present));
  }
  return {};
}

TopicConfigs with_fixed(TopicConfigs wanted, const TopicConfigs& present) {
  for (const auto& [name, value] : present) {
    const ConfigKey* const key = topic_config_table().find(name);
    if (key != nullptr && is_fixed(*key)) wanted.emplace(name, value);
  }
  return wanted;
}

}  // namespace tidegate::broker
