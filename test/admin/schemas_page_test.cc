// GET /schemas says what the overview says, as JSON.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "schemas_page.h"

namespace tidegate::admin {
namespace {

TEST(SchemasPage, HasRegistryAndTopics) {
  broker::SchemaOverview overview;
  overview.has_registry = true;
  overview.registry.endpoints = {{.url = "http://a", .open = true, .last_problem = "status \xff \"500\""}};
  overview.registry.subjects_known = true;
  overview.registry.cached_subject_ids = 3;
  overview.topics.resize(1);
  overview.topics[0].name = "t";
  overview.topics[0].value = {.policy = {.validation = schema::Validation::id, .accept_unchecked = true},
                              .subject = "t-value",
                              .registered = true};
  const auto page = nlohmann::json::parse(schemas_page(overview));
  EXPECT_EQ(page["registry"]["urls"][0]["breaker"], "open");
  EXPECT_EQ(page["registry"]["cached_subject_ids"], 3);
  EXPECT_EQ(page["topics"][0]["name"], "t");
  EXPECT_EQ(page["topics"][0]["value"]["validation"], "id");
  EXPECT_EQ(page["topics"][0]["value"]["on_registry_error"], "accept");
  EXPECT_EQ(page["topics"][0]["value"]["subject_registered"], true);
  EXPECT_EQ(page["topics"][0]["key"]["validation"], "off");
}

TEST(SchemasPage, WithoutARegistry_SaysSo) {
  const auto page = nlohmann::json::parse(schemas_page({}));
  EXPECT_TRUE(page["registry"].is_null());
  EXPECT_TRUE(page["topics"].empty());
}

TEST(SchemasPage, SubjectsNobodyKnowsYet_AreNull) {
  broker::SchemaOverview overview;
  overview.has_registry = true;
  overview.topics.resize(1);
  const auto page = nlohmann::json::parse(schemas_page(overview));
  EXPECT_TRUE(page["topics"][0]["value"]["subject_registered"].is_null());
}

}  // namespace
}  // namespace tidegate::admin
