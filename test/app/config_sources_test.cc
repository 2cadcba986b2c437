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
};
const ConfigTable& table() {
  static const ConfigTable kTable(kKeys);
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
  EXPECT_EQ((*settings)[0].value, "3");
  EXPECT_EQ((*settings)[0].where, "server.properties:4");
  EXPECT_EQ((*settings)[1].value, "500");
  EXPECT_EQ((*settings)[2].key, "listeners");
  EXPECT_EQ((*settings)[2].value, "PLAINTEXT://a:1");
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
  ASSERT_TRUE(apply_environment(values, [](const char* name) -> const char* {
    return std::string_view(name) == "TIDEGATE_NUM_PARTITIONS" ? "5" : nullptr;
  }));
  EXPECT_EQ(values.integer("num.partitions"), 5);
  EXPECT_EQ(values.source("num.partitions"), ConfigSource::environment);
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
