#include "tidegate/base/config_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr std::string_view kPolicies[] = {"compact", "delete"};
constexpr std::string_view kTypes[] = {"none", "zstd"};
constexpr ConfigKey kKeys[] = {
    {.name = "auto.create",
     .type = ConfigType::boolean,
     .default_value = "true",
     .doc = "b",
     .reloadable = true},
    {.name = "num.partitions", .type = ConfigType::int32, .default_value = "1", .doc = "i", .min = 1},
    {.name = "log.retention.ms", .type = ConfigType::int64, .doc = "l", .min = -1, .has_default = false},
    {.name = "before.max.ms",
     .type = ConfigType::int64,
     .default_value = "9223372036854775807",
     .doc = "l",
     .min = 0},
    {.name = "dirty.ratio",
     .type = ConfigType::float64,
     .default_value = "0.5",
     .doc = "f",
     .min = 0,
     .max = 1},
    {.name = "compression.type",
     .type = ConfigType::string,
     .default_value = "none",
     .doc = "s",
     .allowed = kTypes},
    {.name = "cleanup.policy",
     .type = ConfigType::list,
     .default_value = "delete",
     .doc = "l",
     .allowed = kPolicies},
    {.name = "ssl.password",
     .type = ConfigType::password,
     .doc = "p",
     .reloadable = true,
     .has_default = false},
};

const ConfigTable& table() {
  static const ConfigTable made(kKeys);
  return made;
}

std::string normalised(std::string_view name, std::string_view text) {
  const auto value = ConfigTable::normalise(*table().find(name), text);
  return value ? *value : "error: " + value.error().message;
}

TEST(ConfigTable, Normalise_TrimsAndWritesOneForm) {
  EXPECT_EQ(normalised("auto.create", " TRUE "), "true");
  EXPECT_EQ(normalised("auto.create", "False"), "false");
  EXPECT_EQ(normalised("num.partitions", " +07 "), "7");
  EXPECT_EQ(normalised("log.retention.ms", "-1"), "-1");
  EXPECT_EQ(normalised("before.max.ms", "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(normalised("dirty.ratio", "0.50"), "0.5");
  EXPECT_EQ(normalised("compression.type", " zstd"), "zstd");
  EXPECT_EQ(normalised("cleanup.policy", " compact , delete "), "compact,delete");
  EXPECT_EQ(normalised("cleanup.policy", ""), "");
  EXPECT_EQ(normalised("ssl.password", " x "), " x ");
}

TEST(ConfigTable, Normalise_RefusesWithKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(normalised("auto.create", "yes"),
            "error: Invalid value 'yes' for auto.create: expected true or false.");
  EXPECT_EQ(normalised("num.partitions", "0"),
            "error: Invalid value '0' for num.partitions: expected a 32-bit whole number of at least 1.");
  EXPECT_THAT(normalised("num.partitions", "2147483648"), HasSubstr("32-bit"));
  EXPECT_THAT(normalised("num.partitions", ""), HasSubstr("error"));
  EXPECT_THAT(normalised("num.partitions", "1.5"), HasSubstr("error"));
  EXPECT_THAT(normalised("num.partitions", "1 2"), HasSubstr("error"));
  EXPECT_THAT(normalised("num.partitions", "+-3"), HasSubstr("error"));
  EXPECT_THAT(normalised("before.max.ms", "9223372036854775808"), HasSubstr("error"));
  EXPECT_EQ(normalised("dirty.ratio", "1.5"),
            "error: Invalid value '1.5' for dirty.ratio: expected a number between 0 and 1.");
  EXPECT_THAT(normalised("dirty.ratio", "nan"), HasSubstr("error"));
  EXPECT_EQ(normalised("compression.type", "Zstd"),
            "error: Invalid value 'Zstd' for compression.type: expected one of: none, zstd.");
  EXPECT_EQ(normalised("cleanup.policy", "delete,shred"),
            "error: Invalid value 'delete,shred' for cleanup.policy: expected a list of: compact, delete.");
  EXPECT_THAT(normalised("cleanup.policy", "delete,,compact"), HasSubstr("empty items"));
}

TEST(ConfigTable, Normalise_BoundsTheValueAndTheEchoInTheMessage) {
  EXPECT_THAT(normalised("ssl.password", std::string(32'768, 's')), HasSubstr("32768 bytes"));
  EXPECT_THAT(normalised("ssl.password", std::string(32'768, 's')), Not(HasSubstr("sss")));
  EXPECT_EQ(normalised("ssl.password", std::string(32'767, 's')).size(), 32'767U);
  EXPECT_LT(normalised("compression.type", std::string(30'000, 'x')).size(), 300U);
  EXPECT_THAT(normalised("compression.type", "a\nb"), HasSubstr("'a?b'"));
}

TEST(ConfigTable, Nearest_FindsSlipsAndNothingElse) {
  EXPECT_EQ(table().nearest("num.partition"), "num.partitions");
  EXPECT_EQ(table().nearest("num.patritions"), "num.partitions");
  EXPECT_EQ(table().nearest("LOG_RETENTION_MS"), "log.retention.ms");
  EXPECT_EQ(table().nearest("retention.ms"), "log.retention.ms");
  EXPECT_EQ(table().nearest("log.cleanup.policy"), "cleanup.policy");
  EXPECT_EQ(table().nearest("something.else.altogether"), std::nullopt);
  EXPECT_EQ(table().nearest(""), std::nullopt);
  EXPECT_EQ(table().nearest(std::string(5000, 'a')), std::nullopt);
}

TEST(ConfigValues, Set_RefusesUnknownNamesWithTheNearest) {
  ConfigValues values(table());
  const auto result = values.set("num.partition", "3", ConfigSource::file);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::invalid_config);
  EXPECT_EQ(result.error().message, "Unknown configuration 'num.partition'. Did you mean 'num.partitions'?");
  EXPECT_EQ(values.set("quite.other.words", "3", ConfigSource::file).error().message,
            "Unknown configuration 'quite.other.words'.");
  EXPECT_EQ(values.set("num.partitions", "x", ConfigSource::file).error().code, ErrorCode::invalid_config);
  EXPECT_FALSE(values.is_set("num.partitions"));
}

TEST(ConfigValues, Getters_GiveDefaultsUntilSet) {
  ConfigValues values(table());
  EXPECT_TRUE(values.boolean("auto.create"));
  EXPECT_EQ(values.integer("num.partitions"), 1);
  EXPECT_EQ(values.integer("before.max.ms"), INT64_MAX);
  EXPECT_DOUBLE_EQ(values.number("dirty.ratio"), 0.5);
  EXPECT_EQ(values.text("log.retention.ms"), "");
  EXPECT_THAT(values.list("cleanup.policy"), ElementsAre("delete"));
  EXPECT_EQ(values.source("num.partitions"), ConfigSource::default_value);

  ASSERT_TRUE(values.set("cleanup.policy", "delete, compact", ConfigSource::file));
  ASSERT_TRUE(values.set("num.partitions", "12", ConfigSource::environment));
  EXPECT_THAT(values.list("cleanup.policy"), ElementsAre("delete", "compact"));
  EXPECT_EQ(values.integer("num.partitions"), 12);
  EXPECT_EQ(values.source("num.partitions"), ConfigSource::environment);
  ASSERT_TRUE(values.set("cleanup.policy", "", ConfigSource::file));
  EXPECT_THAT(values.list("cleanup.policy"), IsEmpty());
}

TEST(ConfigValues, IgnoredNames_AreRememberedWithoutAValue) {
  static constexpr std::string_view kIgnored[] = {"plugin.", "zookeeper.connect"};
  const ConfigTable ignoring(kKeys, kIgnored);
  ConfigValues values(ignoring);
  EXPECT_TRUE(values.set("plugin.a", "secret", ConfigSource::file, "f:1"));
  EXPECT_TRUE(values.set("zookeeper.connect", "x", ConfigSource::file, "f:2"));
  EXPECT_FALSE(values.set("plugin.", "x", ConfigSource::file));
  EXPECT_FALSE(values.set("zookeeper.connect.more", "x", ConfigSource::file));
  EXPECT_THAT(values.ignored(), ElementsAre(Pair("plugin.a", "f:1"), Pair("zookeeper.connect", "f:2")));
}

TEST(ConfigValues, Where_IsOfTheSourceThatWon) {
  ConfigValues values(table());
  EXPECT_EQ(values.where("num.partitions"), "");
  ASSERT_TRUE(values.set("num.partitions", "3", ConfigSource::command_line, "--set"));
  ASSERT_TRUE(values.set("num.partitions", "2", ConfigSource::file, "f:9"));
  EXPECT_EQ(values.where("num.partitions"), "--set");
}

TEST(ConfigValues, Reload_TakesOnlyWhatIsReloadable) {
  ConfigValues values(table());
  ASSERT_TRUE(values.set("num.partitions", "3", ConfigSource::file, "f:1"));
  ASSERT_TRUE(values.set("ssl.password", "before", ConfigSource::file));
  ConfigValues fresh(table());
  ASSERT_TRUE(fresh.set("auto.create", "false", ConfigSource::file, "f:2"));
  ASSERT_TRUE(fresh.set("dirty.ratio", "0.5", ConfigSource::file, "f:3"));
  ASSERT_TRUE(fresh.set("num.partitions", "4", ConfigSource::file, "f:1"));
  auto changes = values.reload(fresh);
  EXPECT_THAT(changes.reloaded, ElementsAre("auto.create", "ssl.password"));
  EXPECT_THAT(changes.fixed, ElementsAre("num.partitions"));
  EXPECT_FALSE(values.boolean("auto.create"));
  EXPECT_EQ(values.where("auto.create"), "f:2");
  EXPECT_EQ(values.integer("num.partitions"), 3) << "needs a restart";
  EXPECT_FALSE(values.is_set("ssl.password"));
  changes = values.reload(fresh);
  EXPECT_THAT(changes.reloaded, IsEmpty());
  EXPECT_THAT(changes.fixed, ElementsAre("num.partitions")) << "told until the restart";
  changes = values.reload(ConfigValues(table()), "auto.create");
  EXPECT_THAT(changes.reloaded, IsEmpty());
  EXPECT_THAT(changes.fixed, ElementsAre("auto.create", "num.partitions"));
  EXPECT_FALSE(values.boolean("auto.create")) << "kept this time";
}

TEST(ConfigValues, Set_NeverLetsAWeakerSourceWin) {
  ConfigValues values(table());
  ASSERT_TRUE(values.set("num.partitions", "3", ConfigSource::command_line));
  ASSERT_TRUE(values.set("num.partitions", "2", ConfigSource::environment));
  ASSERT_TRUE(values.set("num.partitions", "1", ConfigSource::file));
  EXPECT_EQ(values.integer("num.partitions"), 3);
  ASSERT_TRUE(values.set("num.partitions", "4", ConfigSource::command_line));
  EXPECT_EQ(values.integer("num.partitions"), 4);
}

}  // namespace
}  // namespace tidegate
