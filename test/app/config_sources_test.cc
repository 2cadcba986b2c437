#include "config_sources.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace tidegate::app {
namespace {

constexpr std::array kKeys = {
    ConfigKey{
        .name = "num.partitions", .type = ConfigType::int32, .default_value = "1", .doc = "d", .min = 1},
    ConfigKey{.name = "log.retention.ms", .type = ConfigType::int64, .default_value = "1000", .doc = "d"},
    ConfigKey{.name = "listeners", .type = ConfigType::list, .default_value = "", .doc = "d"},
    ConfigKey{.name = "num.io.threads",
              .type = ConfigType::int32,
              .default_value = "8",
              .doc = "d",
              .no_effect = true},
};
const ConfigTable& table() {
  static constexpr std::string_view kIgnored[] = {"authorizer.class.name", "listener.name.",
                                                  "zookeeper.connect"};
  static const ConfigTable kTable(kKeys, kIgnored);
  return kTable;
}

TEST(ConfigSources, Properties_FollowJavasRules) {
  const auto settings = parse_properties(
      "# a comment\n! another\n\n  num.partitions = 3  \nlog.retention.ms:5\\\n   00\nlisteners "
      "PLAINTEXT\\://a:1\r\n",
      "server.properties");
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->size(), 3U);
  EXPECT_EQ((*settings)[0].key, "num.partitions");
  EXPECT_EQ((*settings)[0].value, "3  ") << "trimmed later, by type";
  EXPECT_EQ((*settings)[0].where, "server.properties:4");
  EXPECT_EQ((*settings)[1].value, "500");
  EXPECT_EQ((*settings)[2].key, "listeners");
  EXPECT_EQ((*settings)[2].value, "PLAINTEXT://a:1");
}

TEST(ConfigSources, Properties_EscapesAreJavas) {
  const auto settings = parse_properties(
      "a\\=b\\ c=\\t\\u00fc\\u20AC\\uD83D\\uDE00\\q\\\\\nempty\nwrapped=one,\\\n    # no comment,\\\n  two\n",
      "p");
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->size(), 3U);
  EXPECT_EQ((*settings)[0].key, "a=b c");
  EXPECT_EQ((*settings)[0].value, "\t\u00fc\u20ac\U0001F600q\\");
  EXPECT_EQ((*settings)[1].key, "empty");
  EXPECT_EQ((*settings)[1].value, "");
  EXPECT_EQ((*settings)[2].value, "one,# no comment,two");
  EXPECT_EQ((*settings)[2].where, "p:3");
  for (const char* bad : {"a=\\u12", "a=\\u12g4", "a=\\uD83D", "a=\\uD83Dx", "a=\\uDE00"}) {
    const auto refused = parse_properties(bad, "p");
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().message, "p:1: \\u needs four hexadecimal digits");
  }
}

TEST(ConfigSources, KafkasEnvironmentNames_AreThoseOfItsImage) {
  EXPECT_EQ(kafka_setting_name("KAFKA_LOG_RETENTION_MS"), "log.retention.ms");
  EXPECT_EQ(kafka_setting_name("KAFKA_LISTENER_NAME_MY__NET_SCRAM___SHA___256"),
            "listener.name.my_net.scram-sha-256");
  EXPECT_EQ(kafka_setting_name("TIDEGATE_LOG_RETENTION_MS"), "");
  ConfigValues values(table());
  const char* const environment[] = {
      "KAFKA_LOG_RETENTION_MS=77",   "KAFKA_ZOOKEEPER_CONNECT=z:2181",
      "KAFKA_HEAP_OPTS=-Xmx1G",      "KAFKA_LISTENER_NAME_OUT_SSL_CLIENT_AUTH=required",
      "KAFKA_PORT=tcp://10.0.0.1:1", nullptr};
  ASSERT_TRUE(apply_environment(values, environment));
  EXPECT_EQ(values.integer("log.retention.ms"), 77);
  EXPECT_EQ(values.where("log.retention.ms"), "KAFKA_LOG_RETENTION_MS");
  const auto told = unknown_environment(table(), environment);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], "KAFKA_PORT is no setting and has no effect");
  const char* const bad[] = {"KAFKA_NUM_PARTITIONS=many", nullptr};
  const auto refused = apply_environment(values, bad);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("KAFKA_NUM_PARTITIONS: ")) << refused.error().message;
}

TEST(ConfigSources, SettingsWithoutEffect_AreToldInOneLine) {
  ConfigValues values(table());
  EXPECT_TRUE(config_warnings(values, nullptr).empty());
  ASSERT_TRUE(apply_assignment(values, "zookeeper.connect=z:2181"));
  ASSERT_TRUE(apply_assignment(values, "num.io.threads=3"));
  const auto harmless = config_warnings(values, nullptr);
  ASSERT_EQ(harmless.size(), 1U);
  EXPECT_EQ(harmless[0], "settings of Kafka that have no effect here: num.io.threads, zookeeper.connect");
  ASSERT_TRUE(apply_assignment(values, "authorizer.class.name=Some"));
  const auto told = config_warnings(values, nullptr);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].ends_with("; nobody is kept out by authorizer.class.name")) << told[0];
}

TEST(ConfigSources, Yaml_JoinsNestedNamesAndLists) {
  const auto settings =
      parse_yaml("num.partitions: 3\nlog:\n  retention:\n    ms: 7\nlisteners: [a, b]\n", "t.yaml");
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->size(), 3U);
  EXPECT_EQ((*settings)[1].key, "log.retention.ms");
  EXPECT_EQ((*settings)[1].where, "t.yaml:4");
  EXPECT_EQ((*settings)[2].value, "a,b");
}

TEST(ConfigSources, BadYaml_NamesTheLine) {
  const auto settings = parse_yaml("a: 1\nb: [1, \n", "t.yaml");
  ASSERT_FALSE(settings);
  EXPECT_TRUE(settings.error().message.starts_with("t.yaml:")) << settings.error().message;
  EXPECT_FALSE(parse_yaml("- 1\n- 2\n", "t.yaml"));
  EXPECT_FALSE(parse_yaml("a: [[1]]\n", "t.yaml"));
}

TEST(ConfigSources, Yaml_RefusesANameGivenTwice) {
  const auto twice =
      parse_yaml("log.retention.ms: 1\nnum.partitions: 3\nlog:\n  retention.ms: 2\n", "t.yaml");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "t.yaml:4: log.retention.ms is there already, at t.yaml:1");
}

TEST(ConfigSources, UnknownEnvironmentNames_AreTold) {
  const char* const environment[] = {"PATH=/bin", "TIDEGATE_NUM_PARTITIONS=3", "TIDEGATE_NUM_PARTITION=4",
                                     "TIDEGATE_PORT_9092_TCP=tcp://10.0.0.1:9092", nullptr};
  const auto told = unknown_environment(table(), environment);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0],
            "TIDEGATE_NUM_PARTITION is no setting and has no effect. Did you mean TIDEGATE_NUM_PARTITIONS?");
  EXPECT_TRUE(told[1].starts_with("TIDEGATE_PORT_9092_TCP is no setting")) << told[1];
}

TEST(ConfigSources, UnknownKey_SuggestsTheNearest) {
  ConfigValues values(table());
  const auto done = apply_assignment(values, "num.partition=3");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("num.partitions"), std::string::npos) << done.error().message;
  EXPECT_FALSE(apply_assignment(values, "num.partitions"));
  EXPECT_FALSE(apply_assignment(values, "=3"));
  EXPECT_FALSE(apply_assignment(values, "num.partitions=0"));
  EXPECT_FALSE(apply_assignment(values, "num.partitions=many"));
}

TEST(ConfigSources, LaterSources_WinAndAreRemembered) {
  ConfigValues values(table());
  const char* const environment[] = {"TIDEGATE_NUM_PARTITIONS=5", "KAFKA_NUM_PARTITIONS=4", nullptr};
  ASSERT_TRUE(apply_environment(values, environment));
  EXPECT_EQ(values.integer("num.partitions"), 5) << "the name of our own wins";
  EXPECT_EQ(values.source("num.partitions"), ConfigSource::environment);
  EXPECT_EQ(values.where("num.partitions"), "TIDEGATE_NUM_PARTITIONS");
  ASSERT_TRUE(apply_assignment(values, "num.partitions=6"));
  EXPECT_EQ(values.integer("num.partitions"), 6);
  EXPECT_EQ(values.source("num.partitions"), ConfigSource::command_line);
}

TEST(ConfigSources, File_IsReadAndItsMistakesNameTheLine) {
  const std::string path = testing::TempDir() + "tidegate_config_sources_test.properties";
  std::ofstream(path) << "num.partitions=4\nlog.retention.ms=soon\n";
  ConfigValues values(table());
  const auto done = apply_file(values, path);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find(".properties:2"), std::string::npos) << done.error().message;
  std::ofstream(path) << "";
  EXPECT_TRUE(apply_file(values, path));
  std::remove(path.c_str());
  EXPECT_FALSE(apply_file(values, path));
}

}  // namespace
}  // namespace tidegate::app
