#include "inherited_offsets.h"

#include <gtest/gtest.h>

#include "tidegate/groups/record.h"

namespace tidegate::app {
namespace {

TEST(InheritedOffset, IsTheGroupsOwnRecord_CommittedNow) {
  const auto entry = inherited_offset(
      "orders", 3, R"({"type":"offset","value":42,"committed_at":7,"metadata":"m"})", 1'700'000'000'000);
  ASSERT_TRUE(entry);
  const auto record = groups::decode(entry->first, entry->second);
  ASSERT_TRUE(record);
  const auto* put = std::get_if<groups::PutOffset>(&*record);
  ASSERT_NE(put, nullptr);
  EXPECT_EQ(put->topic, "orders");
  EXPECT_EQ(put->partition, 3);
  groups::CommittedOffset wanted;
  wanted.offset = 42;
  wanted.metadata = "m";
  wanted.committed_at_ms = 1'700'000'000'000;
  EXPECT_EQ(put->value, wanted);
}

TEST(InheritedOffset, WhatMakesNoSenseIsNone) {
  for (const char* file : {"", "5", "{}", R"({"type":"timestamp","value":5})", R"({"type":"offset"})",
                           R"({"type":"offset","value":-1})", R"({"type":"offset","value":"5"})"})
    EXPECT_FALSE(inherited_offset("orders", 0, file, 0)) << file;
}

}  // namespace
}  // namespace tidegate::app
