// The official test suite of JSON Schema, as Debian has it: each required verdict of drafts 4, 6 and 7, or
// a schema that is refused, which is listed here with its reason. (It has no draft 2020-12 yet.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "json_schema/json_check.h"

namespace tidegate::schema::json_schema {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kSuite = "/usr/share/json-schema-test-suite";

// Schemas that are refused, by their descriptions, with the reason.
struct Refused {
  const char* reason;
  std::set<std::string> schemas;
};
const Refused kMetaSchemas{"leads nowhere",
                           {"valid definition", "invalid definition", "remote ref, containing refs itself"}};

Json read(const fs::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

std::vector<NamedSchema> remotes() {
  std::vector<NamedSchema> found;
  const fs::path root = kSuite / "remotes";
  for (const auto& each : fs::recursive_directory_iterator(root)) {
    if (!each.is_regular_file()) continue;
    found.push_back(
        {"http://localhost:1234/" + fs::relative(each.path(), root).string(), read(each.path()).dump()});
  }
  return found;
}

class SuiteTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SuiteTest, RequiredVerdicts_AreOurs) {
  const auto& [folder, uri] = GetParam();
  const auto references = remotes();
  ASSERT_FALSE(references.empty()) << "json-schema-test-suite is not installed";
  int verdicts = 0;
  int refused = 0;
  for (const auto& file : fs::directory_iterator(kSuite / "tests" / folder)) {
    if (!file.is_regular_file()) continue;
    for (const Json& group : read(file.path())) {
      const std::string what =
          file.path().filename().string() + ": " + group["description"].get<std::string>();
      Json schema = group["schema"];
      if (schema.is_object() && !schema.contains("$schema")) schema["$schema"] = uri;
      const auto compiled = Schema::compile(schema.dump(), references);
      if (!compiled) {
        ++refused;
        EXPECT_THAT(kMetaSchemas.schemas, ::testing::Contains(group["description"].get<std::string>()))
            << what << ": " << compiled.error().message;
        EXPECT_THAT(compiled.error().message, ::testing::HasSubstr(kMetaSchemas.reason)) << what;
        continue;
      }
      for (const Json& test : group["tests"]) {
        ++verdicts;
        const std::string problem = check(*compiled, as_bytes(test["data"].dump()));
        EXPECT_EQ(problem.empty(), test["valid"].get<bool>())
            << what << ": " << test["description"] << " of " << test["data"] << ": " << problem;
      }
    }
  }
  EXPECT_GE(verdicts, 300);
  EXPECT_LE(refused, 3);
  RecordProperty("verdicts", verdicts);
  std::printf("%d verdicts, %d schemas refused\n", verdicts, refused);
}

INSTANTIATE_TEST_SUITE_P(Drafts, SuiteTest,
                         ::testing::Values(std::pair("draft4", "http://json-schema.org/draft-04/schema#"),
                                           std::pair("draft6", "http://json-schema.org/draft-06/schema#"),
                                           std::pair("draft7", "http://json-schema.org/draft-07/schema#")),
                         [](const auto& each) { return each.param.first; });

}  // namespace
}  // namespace tidegate::schema::json_schema
