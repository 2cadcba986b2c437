#include "command_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr ConfigKey kKeys[] = {
    {.name = "num.partitions",
     .type = ConfigType::int32,
     .default_value = "1",
     .doc = "'Partitions' \\ of-a topic.",
     .reloadable = true},
    {.name = "num.io.threads", .default_value = "", .doc = "d", .no_effect = true},
};
const ConfigTable& table() {
  static const ConfigTable made(kKeys);
  return made;
}
CommandNode root() {
  return {"tidegate",
          "A broker",
          {{{"-h", "--help"}, "", "Print this"}},
          {{"serve", "Serve clients", {{{"--config"}, "FILE", ".hidden at the front"}}, {}},
           {"groups", "Groups", {}, {{"plan", "Plan one", {{{}, "FILE", "What to read"}}, {}}}}}};
}

TEST(ManualPage, Text_NeverBecomesARequest) {
  const auto page = manual_page(root(), table(), "1.2");
  EXPECT_TRUE(page.starts_with(".TH TIDEGATE 1 \"\" \"tidegate 1.2\"")) << page;
  EXPECT_THAT(page, HasSubstr("\n\\&.hidden at the front\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&'Partitions' \\e of\\-a topic. Reloaded on SIGHUP.\n"));
  EXPECT_THAT(page, HasSubstr(".SS tidegate groups plan\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-config\\fR \\fIFILE\\fR\n"));
  EXPECT_THAT(page, Not(HasSubstr("num.io.threads"))) << "nothing acts on it";
}

TEST(BashCompletion, KnowsWhatFollowsEachCommand) {
  const auto script = bash_completion(root(), table());
  EXPECT_THAT(script, HasSubstr("\"\") words=\"serve groups -h --help\" ;;"));
  EXPECT_THAT(script, HasSubstr("\"groups\") words=\"plan\" ;;"));
  EXPECT_THAT(script, HasSubstr("\"serve\" | \"groups\" | \"groups plan\") at="));
  EXPECT_THAT(script, HasSubstr("    --config)\n"));
  EXPECT_THAT(script, HasSubstr("num.partitions="));
}

}  // namespace
}  // namespace tidegate::app
