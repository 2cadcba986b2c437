#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "support/paths.h"
#include "tidegate/broker/kafka_settings.h"
#include "tidegate/broker/server_config.h"
#include "tidegate/broker/topic_config.h"

namespace tidegate::broker {
namespace {

using ::testing::HasSubstr;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

ConfigValues server(std::map<std::string, std::string> values = {}) {
  ConfigValues made(server_config_table());
  for (const auto& [name, value] : values) EXPECT_TRUE(made.set(name, value, ConfigSource::file)) << name;
  return made;
}

std::string check_error(const TopicConfigs& configs) {
  const auto checked = check_topic_configs(configs, server());
  if (checked) return "";
  EXPECT_EQ(checked.error().code, ErrorCode::invalid_config);
  return checked.error().message;
}

TEST(ServerConfig, Table_DocumentsEveryKeyAndHasNoContradiction) {
  for (const ConfigKey& key : server_config_table().keys()) {
    EXPECT_FALSE(key.doc.empty()) << key.name;
    EXPECT_EQ(key.doc.find('|'), std::string_view::npos) << key.name << " would break the table of the docs";
    EXPECT_TRUE(key.has_default || key.default_value.empty()) << key.name;
  }
  EXPECT_TRUE(check_server_config(server()));
}

TEST(ServerConfig, Check_NamesSettingsThatContradictEachOther) {
  const auto error = [](std::map<std::string, std::string> values) {
    const auto result = check_server_config(server(std::move(values)));
    return result ? std::string("good") : result.error().message;
  };
  EXPECT_THAT(error({{"log.dirs", "/a,/b"}}), HasSubstr("log.dirs"));
  EXPECT_THAT(error({{"broker.id", "1"}, {"node.id", "2"}}), HasSubstr("node.id"));
  EXPECT_EQ(error({{"broker.id", "2"}, {"node.id", "2"}}), "good");
  EXPECT_THAT(error({{"log.retention.ms", "0"}}), HasSubstr("log.retention.ms"));
  EXPECT_THAT(error({{"log.retention.minutes", "0"}}), HasSubstr("log.retention.minutes"));
  EXPECT_THAT(error({{"log.retention.hours", "0"}}), HasSubstr("log.retention.hours"));
  EXPECT_THAT(error({{"socket.request.max.bytes", "2048"}}), HasSubstr("message.max.bytes"));
  EXPECT_THAT(error({{"listener.security.protocol.map", "PLAINTEXT"}}), HasSubstr("NAME:PROTOCOL"));
  EXPECT_EQ(error({{"listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"}}), "good");
  EXPECT_THAT(error({{"group.min.session.timeout.ms", "9000"}, {"group.max.session.timeout.ms", "8000"}}),
              HasSubstr("group.min.session.timeout.ms"));
  EXPECT_THAT(error({{"group.coordinator.rebalance.protocols", "consumer"}}), HasSubstr("classic"));
  EXPECT_THAT(error({{"group.consumer.heartbeat.interval.ms", "45000"}}),
              HasSubstr("group.consumer.heartbeat.interval.ms"));
  EXPECT_THAT(error({{"group.consumer.assignors", ""}}), HasSubstr("group.consumer.assignors"));
}

TEST(ServerConfig, Check_RefusesListenersThatWouldNotBePlaintext) {
  const auto good = [](std::string listeners, std::string map) {
    return check_server_config(server({{"listeners", listeners}, {"listener.security.protocol.map", map}}))
        .has_value();
  };
  EXPECT_TRUE(good("127.0.0.1:9092", "PLAINTEXT:PLAINTEXT"));
  EXPECT_TRUE(good("IN://127.0.0.1:9092,OUT://127.0.0.1:9093", "IN:PLAINTEXT,OUT:PLAINTEXT"));
  EXPECT_TRUE(good("IN://127.0.0.1:9092", "CONTROLLER:SSL,IN:PLAINTEXT"));
  EXPECT_TRUE(good("SSL://127.0.0.1:9092", "SSL:PLAINTEXT"));
  EXPECT_FALSE(good("IN://127.0.0.1:9092", "IN:SASL_SSL"));
  EXPECT_FALSE(good("127.0.0.1:9092", "PLAINTEXT:SSL")) << "a listener without a name is called PLAINTEXT";
  EXPECT_FALSE(good("SSL://127.0.0.1:9092", "PLAINTEXT:PLAINTEXT"));
  EXPECT_FALSE(good("SASL_PLAINTEXT://127.0.0.1:9092", ""));
  EXPECT_FALSE(good("ssl://127.0.0.1:9092", "")) << "names do not differ by case";
  EXPECT_FALSE(good("Out://127.0.0.1:9092", "OUT:SSL"));
  EXPECT_TRUE(good("Out://127.0.0.1:9092", "out:PLAINTEXT"));
}

TEST(ServerConfig, KafkasOtherNames_AreUnderstood) {
  EXPECT_EQ(server_data_dir(server()), "data");
  EXPECT_EQ(server_data_dir(server({{"log.dirs", "/a"}})), "/a");
  EXPECT_EQ(server_data_dir(server({{"log.dir", "/b"}})), "/b");
  EXPECT_EQ(server_data_dir(server({{"log.dirs", "/a"}, {"data.dir", "/c"}})), "/c");
  EXPECT_EQ(server_node_id(server()), 1);
  EXPECT_EQ(server_node_id(server({{"broker.id", "7"}})), 7);
  EXPECT_EQ(server_node_id(server({{"node.id", "8"}})), 8);
}

// kafka_settings.txt is what KafkaConfig of 3.9.1 and 4.3.0 defines; test/clients/kafka/KafkaSettings.java
// prints it.
TEST(ServerConfig, EveryNameThatKafkaKnows_IsASettingOrWithoutMeaning) {
  std::istringstream known(text_of(test::source_dir() / "test" / "broker" / "kafka_settings.txt"));
  const ConfigTable& table = server_config_table();
  std::set<std::string> names;
  for (std::string name; std::getline(known, name);) {
    EXPECT_NE(table.find(name) != nullptr, table.ignores(name)) << name;
    names.insert(name);
  }
  EXPECT_GT(names.size(), 400U);
  const auto ignored = kafka_settings_without_meaning();
  EXPECT_TRUE(std::ranges::is_sorted(ignored));
  for (const std::string_view name : ignored) {
    const bool of_authorizer = name == "super.users" || name == "allow.everyone.if.no.acl.found";
    EXPECT_TRUE(name.ends_with('.') || of_authorizer || names.contains(std::string(name))) << name;
  }
  EXPECT_FALSE(table.ignores("zookeeper.conect"));
  EXPECT_FALSE(table.ignores("listener.name."));
}

TEST(ServerConfig, SettingsThatKeepSomebodyOut_AreTold) {
  for (const char* name : {"authorizer.class.name", "super.users", "ssl.client.auth", "sasl.jaas.config",
                           "listener.name.out.ssl.client.auth"}) {
    EXPECT_TRUE(is_protecting(name)) << name;
  }
  for (const char* name : {"zookeeper.ssl.protocol", "replica.fetch.max.bytes",
                           "listener.name.out.max.connections", "listener.name.out"}) {
    EXPECT_FALSE(is_protecting(name)) << name;
  }
}

TEST(ServerConfig, ControllersListeners_AreNotOpened) {
  const ConfigValues values =
      server({{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"},
              {"advertised.listeners", "PLAINTEXT://a:9092,controller://a:9093"},
              {"listener.security.protocol.map", "CONTROLLER:SASL_SSL,PLAINTEXT:PLAINTEXT"},
              {"controller.listener.names", "CONTROLLER"}});
  EXPECT_EQ(client_listeners(values), std::vector<std::string>{"PLAINTEXT://:9092"});
  EXPECT_EQ(client_advertised_listeners(values), std::vector<std::string>{"PLAINTEXT://a:9092"});
  EXPECT_TRUE(check_server_config(values));
}

// The names that Apache Kafka 4.4's brokers accept in CreateTopics.
TEST(TopicConfig, Table_HasEveryNameThatKafkaHas) {
  const std::set<std::string_view> kafka{"cleanup.policy",
                                         "compression.gzip.level",
                                         "compression.lz4.level",
                                         "compression.type",
                                         "compression.zstd.level",
                                         "delete.retention.ms",
                                         "errors.deadletterqueue.group.enable",
                                         "file.delete.delay.ms",
                                         "flush.messages",
                                         "flush.ms",
                                         "follower.replication.throttled.replicas",
                                         "index.interval.bytes",
                                         "leader.replication.throttled.replicas",
                                         "local.retention.bytes",
                                         "local.retention.ms",
                                         "max.compaction.lag.ms",
                                         "max.decompressed.message.bytes",
                                         "max.message.bytes",
                                         "message.timestamp.after.max.ms",
                                         "message.timestamp.before.max.ms",
                                         "message.timestamp.type",
                                         "min.cleanable.dirty.ratio",
                                         "min.compaction.lag.ms",
                                         "min.insync.replicas",
                                         "preallocate",
                                         "remote.copy.lag.bytes",
                                         "remote.copy.lag.ms",
                                         "remote.log.copy.disable",
                                         "remote.log.delete.on.disable",
                                         "remote.storage.enable",
                                         "retention.bytes",
                                         "retention.ms",
                                         "segment.bytes",
                                         "segment.index.bytes",
                                         "segment.jitter.ms",
                                         "segment.ms",
                                         "unclean.leader.election.enable"};
  std::set<std::string_view> ours;
  const auto is_of_schemas = [](std::string_view name) {
    return name.starts_with("tidegate.") || name.starts_with("confluent.") || name.starts_with("redpanda.");
  };
  for (const ConfigKey& key : topic_config_table().keys()) {
    EXPECT_FALSE(key.doc.empty()) << key.name;
    EXPECT_TRUE(key.has_default) << key.name;
    if (!is_of_schemas(key.name) && is_setting_of(key, {})) ours.insert(key.name);
  }
  EXPECT_EQ(ours, kafka);
}

TEST(TopicConfig, Synonyms_AreServerSettingsWithTheSameDefaultAndEffect) {
  const ConfigTable& servers = server_config_table();
  for (const ConfigKey& key : topic_config_table().keys()) {
    if (key.synonym.empty()) continue;
    const ConfigKey* behind = servers.find(key.synonym);
    ASSERT_NE(behind, nullptr) << key.name;
    EXPECT_EQ(behind->no_effect, key.no_effect) << key.name;
    if (behind->has_default) EXPECT_EQ(behind->default_value, key.default_value) << key.name;
    EXPECT_TRUE(behind->allowed.empty() == key.allowed.empty()) << key.name;
  }
}

TEST(TopicConfig, Defaults_AreThoseOfTheStructs) {
  const TopicSettings made = make_topic_settings({}, server());
  const TopicSettings plain;
  EXPECT_EQ(made.log, plain.log);
  EXPECT_EQ(made.max_message_bytes, plain.max_message_bytes);
  EXPECT_EQ(made.max_decompressed_bytes, plain.max_decompressed_bytes);
  EXPECT_EQ(made.compression, plain.compression);
  EXPECT_EQ(made.timestamp_before_max_ms, plain.timestamp_before_max_ms);
  EXPECT_EQ(made.timestamp_after_max_ms, plain.timestamp_after_max_ms);
  EXPECT_EQ(made.min_insync_replicas, plain.min_insync_replicas);
}

TEST(TopicConfig, OwnValue_WinsOverServerValue_WinsOverDefault) {
  const ConfigValues values = server({{"message.max.bytes", "5000"}, {"log.segment.bytes", "2097152"}});
  const TopicSettings made = make_topic_settings({{"max.message.bytes", "7000"}}, values);
  EXPECT_EQ(made.max_message_bytes, 7000);
  EXPECT_EQ(made.log.segment_bytes, 2'097'152);
  EXPECT_EQ(made.log.retention_bytes, -1);
}

TEST(TopicConfig, Settings_ReachTheStructs) {
  const TopicSettings made = make_topic_settings({{"cleanup.policy", "compact"},
                                                  {"compression.type", "zstd"},
                                                  {"message.timestamp.type", "LogAppendTime"},
                                                  {"message.timestamp.before.max.ms", "1"},
                                                  {"message.timestamp.after.max.ms", "2"},
                                                  {"min.insync.replicas", "3"},
                                                  {"retention.ms", "4"},
                                                  {"retention.bytes", "5"},
                                                  {"segment.ms", "6"},
                                                  {"index.interval.bytes", "7"},
                                                  {"file.delete.delay.ms", "8"},
                                                  {"max.decompressed.message.bytes", "9"}},
                                                 server());
  EXPECT_FALSE(made.log.cleanup_delete);
  EXPECT_TRUE(made.log.cleanup_compact);
  EXPECT_EQ(made.compression, protocol::Compression::zstd);
  EXPECT_TRUE(made.log.log_append_time);
  EXPECT_EQ(made.timestamp_before_max_ms, 1);
  EXPECT_EQ(made.timestamp_after_max_ms, 2);
  EXPECT_EQ(made.min_insync_replicas, 3);
  EXPECT_EQ(made.log.retention_ms, 4);
  EXPECT_EQ(made.log.retention_bytes, 5);
  EXPECT_EQ(made.log.segment_ms, 6);
  EXPECT_EQ(made.log.index_interval_bytes, 7);
  EXPECT_EQ(made.log.file_delete_delay_ms, 8);
  EXPECT_EQ(made.max_decompressed_bytes, 9);
}

TEST(TopicConfig, CompressionType_NamesEachCodec) {
  const auto codec = [](const char* name) {
    return make_topic_settings({{"compression.type", name}}, server()).compression;
  };
  EXPECT_EQ(codec("producer"), std::nullopt);
  EXPECT_EQ(codec("uncompressed"), protocol::Compression::none);
  EXPECT_EQ(codec("gzip"), protocol::Compression::gzip);
  EXPECT_EQ(codec("snappy"), protocol::Compression::snappy);
  EXPECT_EQ(codec("lz4"), protocol::Compression::lz4);
}

TEST(TopicConfig, CleanupPolicy_MayBeBothOrNone) {
  const auto both = make_topic_settings({{"cleanup.policy", "compact,delete"}}, server()).log;
  EXPECT_TRUE(both.cleanup_delete && both.cleanup_compact);
  const auto none = make_topic_settings({{"cleanup.policy", ""}}, server()).log;
  EXPECT_FALSE(none.cleanup_delete || none.cleanup_compact);
}

TEST(TopicConfig, RetentionInOtherUnits_IsTheDefaultInMilliseconds) {
  const auto retention = [](std::map<std::string, std::string> values) {
    return make_topic_settings({}, server(std::move(values))).log.retention_ms;
  };
  EXPECT_EQ(retention({{"log.retention.hours", "2"}}), 7'200'000);
  EXPECT_EQ(retention({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}}), 180'000);
  EXPECT_EQ(
      retention({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}, {"log.retention.ms", "4"}}),
      4);
  EXPECT_EQ(retention({{"log.retention.hours", "-1"}}), -1);
  EXPECT_EQ(make_topic_settings({}, server({{"log.roll.hours", "1"}})).log.segment_ms, 3'600'000);
}

TEST(TopicConfig, AnyNegativeRetentionSize_IsNoLimit) {
  EXPECT_EQ(make_topic_settings({{"retention.bytes", "-5"}}, server()).log.retention_bytes, -1);
  EXPECT_EQ(make_topic_settings({}, server({{"log.retention.bytes", "-9"}})).log.retention_bytes, -1);
}

TEST(TopicConfig, Describe_ListsSynonymsFromWhatWinsToTheDefault) {
  const ConfigKey* key = topic_config_table().find("retention.ms");
  const ConfigValues values = server({{"log.retention.hours", "2"}, {"log.retention.ms", "9"}});
  const TopicSetting setting = describe_topic_setting(*key, {{"retention.ms", "5"}}, values);
  EXPECT_EQ(setting.value, "5");
  EXPECT_EQ(setting.source, TopicSetting::Source::topic);
  std::string chain;
  for (const auto& synonym : setting.synonyms) chain += std::string(synonym.name) + "=" + synonym.value + " ";
  EXPECT_EQ(chain, "retention.ms=5 log.retention.ms=9 log.retention.hours=2 log.retention.hours=168 ");

  const TopicSetting hours = describe_topic_setting(*key, {}, server({{"log.retention.hours", "2"}}));
  EXPECT_EQ(hours.value, "7200000");
  EXPECT_EQ(hours.synonyms.front().value, "2");

  const TopicSetting untouched = describe_topic_setting(*key, {}, server());
  EXPECT_EQ(untouched.value, "604800000");
  EXPECT_EQ(untouched.source, TopicSetting::Source::default_value);
}

TEST(TopicConfig, Check_NormalisesValues) {
  const auto checked =
      check_topic_configs({{"cleanup.policy", " compact , delete"}, {"retention.ms", " +60 "}}, server());
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->at("cleanup.policy"), "compact,delete");
  EXPECT_EQ(checked->at("retention.ms"), "60");
}

TEST(TopicConfig, Engines_HaveSettingsOfTheirOwn) {
  static constexpr std::string_view kDirect[] = {"direct"};
  const storage::Capabilities seaweed{.write_paths = kDirect};
  EXPECT_THAT(check_error({{"seaweedmq.layout", "batch"}}),
              HasSubstr("seaweedmq.layout is a setting of topics in a SeaweedFS"));
  for (const ConfigKey& key : topic_config_table().keys()) {
    EXPECT_EQ(is_setting_of(key, {}), !is_fixed(key)) << key.name;
    EXPECT_TRUE(is_setting_of(key, seaweed)) << key.name;
  }
  const TopicConfigs record{{"seaweedmq.layout", "record"}, {"seaweedmq.path", "broker"}};
  EXPECT_TRUE(check_topic_configs(record, server(), seaweed)) << "a topic that others made";
  EXPECT_THAT(check_creatable(record, seaweed).error().message, HasSubstr("there is: direct"));
  EXPECT_TRUE(check_creatable({{"seaweedmq.path", "direct"}}, seaweed));
  static constexpr std::string_view kBoth[] = {"direct", "broker"};
  const storage::Capabilities both{.write_paths = kBoth};
  EXPECT_TRUE(check_creatable({{"seaweedmq.path", "broker"}}, both));
  EXPECT_THAT(check_creatable({{"seaweedmq.path", "broker"}, {"cleanup.policy", "compact,delete"}}, both)
                  .error()
                  .message,
              HasSubstr("cannot be compacted"));
  EXPECT_EQ(with_fixed({{"retention.ms", "1"}}, {{"seaweedmq.layout", "record"}, {"segment.ms", "2"}}),
            (TopicConfigs{{"retention.ms", "1"}, {"seaweedmq.layout", "record"}}));
  EXPECT_TRUE(check_fixed({}, {{"seaweedmq.layout", "batch"}}, server()));
  EXPECT_FALSE(check_fixed({}, {{"seaweedmq.layout", "record"}}, server()));
  EXPECT_FALSE(check_fixed({{"seaweedmq.layout", "record"}}, {}, server()));
  EXPECT_TRUE(check_fixed({{"seaweedmq.layout", "record"}}, {}, server({{"seaweedmq.layout", "record"}})));
}

TEST(TopicConfig, Check_RefusesUnknownBadAndContradicting) {
  EXPECT_EQ(check_error({{"retention.m", "1"}}),
            "Unknown configuration 'retention.m'. Did you mean 'retention.ms'?");
  EXPECT_THAT(check_error({{"segment.bytes", "1000"}}), HasSubstr("segment.bytes"));
  EXPECT_THAT(check_error({{"compression.type", "none"}}), HasSubstr("uncompressed"));
  EXPECT_THAT(check_error({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}}),
              HasSubstr("min.compaction.lag.ms"));
  EXPECT_THAT(check_error({{"remote.storage.enable", "true"}}), HasSubstr("tiered storage"));
  for (const char* bad : {"none", "0", "0:", ":1", "0:1,", "0:1,x:2"}) {
    EXPECT_NE(check_error({{"leader.replication.throttled.replicas", bad}}), "") << bad;
  }
  for (const char* good : {"", "*", "0:1", "0:1,1:2"}) {
    EXPECT_EQ(check_error({{"follower.replication.throttled.replicas", good}}), "") << good;
  }
}

// What stands behind a table's end in its own file.
std::string behind_table(const std::filesystem::path& path) {
  const std::string text = text_of(path);
  const auto end = text.find("// clang-format on");
  EXPECT_NE(end, std::string::npos) << path;
  return end == std::string::npos ? "" : text.substr(end);
}

TEST(ConfigTables, EveryKey_IsReadByTheCodeOrSaysThatItHasNoEffect) {
  const auto src = test::source_dir() / "src";
  const std::string topic_code =
      behind_table(src / "broker" / "topic_config.cc") + text_of(src / "broker" / "schema_config.cc");
  for (const ConfigKey& key : topic_config_table().keys()) {
    if (key.no_effect) continue;
    EXPECT_NE(topic_code.find('"' + std::string(key.name) + '"'), std::string::npos) << key.name;
  }

  std::string code = behind_table(src / "broker" / "server_config.cc") + topic_code;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(src)) {
    const auto name = entry.path().filename();
    if (name == "server_config.cc" || name == "topic_config.cc") continue;
    if (name.extension() == ".cc" || name.extension() == ".h") code += text_of(entry.path());
  }
  for (const ConfigKey& key : topic_config_table().keys()) code += '"' + std::string(key.synonym) + '"';
  for (const ConfigKey& key : server_config_table().keys()) {
    if (key.no_effect) continue;
    EXPECT_NE(code.find('"' + std::string(key.name) + '"'), std::string::npos) << key.name;
  }
}

TEST(ConfigurationDocs, Page_IsWhatTheTablesSay) {
  const auto path = test::source_dir() / "docs" / "configuration.md";
  const std::string made = configuration_markdown();
  if (std::getenv("TIDEGATE_UPDATE_DOCS") != nullptr) std::ofstream(path) << made;
  EXPECT_TRUE(text_of(path) == made)
      << "docs/configuration.md is stale: run this test with TIDEGATE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace tidegate::broker
