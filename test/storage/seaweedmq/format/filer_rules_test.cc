// Which of the filer's rules would let our files expire.
#include "format/filer_rules.h"

#include <gtest/gtest.h>

namespace tidegate::storage::seaweedmq {
namespace {

std::size_t rules_of(const std::string& prefix, const std::string& ttl) {
  // As fs.configure writes it: every field, also the empty ones.
  const std::string json = R"({"version": 1, "locations": [{"locationPrefix": ")" + prefix +
                           R"(", "collection": "", "replication": "", "ttl": ")" + ttl +
                           R"(", "fsync": false, "volumeGrowthCount": 0}]})";
  const auto found = ttl_rules(json, "/topics/kafka");
  EXPECT_TRUE(found);
  return found ? found->size() : 99;
}

TEST(FilerRules, TtlThatReachesOurFilesIsFound) {
  EXPECT_EQ(rules_of("/topics", "7d"), 1U);
  EXPECT_EQ(rules_of("/topics/", "7d"), 1U);
  EXPECT_EQ(rules_of("/topics/kafka/", "7d"), 1U);
  EXPECT_EQ(rules_of("/topics/kafka/orders", "5m"), 1U);
  EXPECT_EQ(rules_of("/", "1y"), 1U);
  EXPECT_EQ(rules_of("/topics/kafka", "7d"), 1U);
}

TEST(FilerRules, OthersAreNot) {
  EXPECT_EQ(rules_of("/topics", ""), 0U);
  EXPECT_EQ(rules_of("/buckets/", "7d"), 0U);
  EXPECT_EQ(rules_of("/topics/other", "7d"), 0U);
  EXPECT_EQ(rules_of("/topics/kafka2", "7d"), 0U);
}

TEST(FilerRules, ProtobufNamesAreReadToo) {
  const auto found =
      ttl_rules(R"({"locations":[{"location_prefix":"/topics/","ttl":"3h"}]})", "/topics/kafka");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().location_prefix, "/topics/");
  EXPECT_EQ(found->front().ttl, "3h");
}

TEST(FilerRules, NothingConfiguredIsNoRule) {
  EXPECT_TRUE(ttl_rules("", "/topics/kafka")->empty());
  EXPECT_TRUE(ttl_rules("{}", "/topics/kafka")->empty());
  EXPECT_TRUE(ttl_rules(R"({"locations":[7, {"ttl": 7}]})", "/topics/kafka")->empty());
}

TEST(FilerRules, GarbageIsAnError) {
  EXPECT_EQ(ttl_rules("[", "/topics/kafka").error().code, ErrorCode::corrupt_message);
  EXPECT_EQ(ttl_rules("[]", "/topics/kafka").error().code, ErrorCode::corrupt_message);
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
