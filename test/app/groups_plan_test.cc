#include "groups_plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::app {
namespace {

using nlohmann::json;

json plan(const std::string& text) {
  const auto planned = plan_groups(text);
  EXPECT_TRUE(planned) << (planned ? "" : planned.error().message);
  return planned ? json::parse(*planned) : json{};
}
std::string refused(const std::string& text) {
  const auto planned = plan_groups(text);
  if (planned) return "planned";
  EXPECT_EQ(planned.error().code, ErrorCode::invalid_request);
  return planned.error().message;
}

TEST(GroupsPlan, NewGroup_IsSharedOutInOneRound) {
  const auto told = plan(
      R"({"topics": {"t": 4}, "members": [{"id": "a", "topics": ["t"]}, {"id": "b", "topics": ["t"]}]})");
  EXPECT_EQ(told["rounds"].size(), 1U);
  EXPECT_EQ(told["assignment"]["a"]["t"].size(), 2U);
  EXPECT_EQ(told["assignment"]["b"]["t"].size(), 2U);
}

TEST(GroupsPlan, WhatMoves_IsGivenUpFirst) {
  const auto told = plan(R"({"topics": {"t": 4}, "members": [
      {"id": "a", "topics": ["t"], "owned": {"t": [0, 1, 2, 3]}, "generation": 7}, {"id": "b", "topics": ["t"]}]})");
  ASSERT_EQ(told["rounds"].size(), 2U);
  EXPECT_EQ(told["rounds"][0]["a"]["t"].size(), 2U);
  EXPECT_EQ(told["rounds"][0]["b"], json::object()) << "until a has joined again";
  EXPECT_EQ(told["assignment"], told["rounds"][1]);
  EXPECT_EQ(told["assignment"]["a"], told["rounds"][0]["a"]) << "what is kept stays";
  EXPECT_EQ(told["assignment"]["b"]["t"].size(), 2U);
}

TEST(GroupsPlan, MemberWithoutTopics_GetsNothing) {
  const auto told =
      plan(R"({"topics": {"t": 1}, "members": [{"id": "a", "topics": ["t"]}, {"id": "b", "topics": []}]})");
  EXPECT_EQ(told["assignment"]["b"], json::object());
}

TEST(GroupsPlan, BadInput_IsNamed) {
  EXPECT_EQ(refused("{"), "not JSON");
  EXPECT_EQ(refused("[]"), "the plan is not an object");
  EXPECT_EQ(refused(R"({"topic": {}})"), "the plan has an unknown field 'topic'");
  EXPECT_EQ(refused("{}"), "'topics' is not an object of partition counts");
  EXPECT_EQ(refused(R"({"topics": {"t": 0}})"), "the partition count of topic 't' is not a number from 1");
  EXPECT_EQ(refused(R"({"topics": {"t": 18446744073709551615}})"),
            "the partition count of topic 't' is not a number from 1");
  EXPECT_EQ(refused(R"({"topics": {"t": 1000001}})"), "more than 1000000 partitions");
  EXPECT_EQ(refused(R"({"topics": {"t": 1}, "members": []})"), "'members' is not a list with members");
  const auto with = [](const std::string& members) {
    return refused(R"({"topics": {"t": 1}, "members": [)" + members + "]}");
  };
  EXPECT_EQ(with("1"), "member 1 is not an object");
  EXPECT_EQ(with(R"({"id": ""})"), "member 1 has no 'id'");
  EXPECT_EQ(with(R"({"id": "a"})"), "member 1: 'topics' is not a list of names");
  EXPECT_EQ(with(R"({"id": "a", "topics": [1]})"), "member 1: 'topics' is not a list of names");
  EXPECT_EQ(with(R"({"id": "a", "topics": [], "owned": []})"),
            "member 1: 'owned' is not an object of partition lists");
  EXPECT_EQ(with(R"({"id": "a", "topics": [], "owned": {"t": 1}})"),
            "member 1: 'owned' of topic 't' is not a list");
  EXPECT_EQ(with(R"({"id": "a", "topics": [], "owned": {"t": [-1]}})"),
            "member 1: a partition of topic 't' is not a number from 0");
  EXPECT_EQ(with(R"({"id": "a", "topics": [], "generation": "x"})"),
            "member 1: 'generation' is not a number from -1");
  EXPECT_EQ(with(R"({"id": "a", "topics": []}, {"id": "a", "topics": []})"), "two members have the id 'a'");
}

TEST(GroupsPlan, Members_AreBounded) {
  json members = json::array();
  for (int i = 0; i <= 10'000; ++i) members.push_back({{"id", std::to_string(i)}, {"topics", json::array()}});
  EXPECT_EQ(refused(json{{"topics", json::object()}, {"members", members}}.dump()),
            "more than 10000 members");
}

}  // namespace
}  // namespace tidegate::app
