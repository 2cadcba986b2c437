// Which quota holds for which client, and how quotas are written in the meta store.
#include "tidegate/broker/quota_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace tidegate::broker {
namespace {

using enum QuotaKind;

const QuotaName kDefault;
QuotaName named(std::string name) { return {std::move(name)}; }

// Highest first; the number is the quota's bound.
const std::vector<QuotaEntity> kByPrecedence = {
    {named("alice"), named("app")}, {named("alice"), kDefault}, {named("alice"), std::nullopt},
    {kDefault, named("app")},       {kDefault, kDefault},       {kDefault, std::nullopt},
    {std::nullopt, named("app")},   {std::nullopt, kDefault},
};

TEST(QuotaTable, EachPlaceWinsOverAllBelowIt) {
  QuotaTable table;
  for (std::size_t i = kByPrecedence.size(); i-- > 0;) {
    table.set(kByPrecedence[i], producer_byte_rate, static_cast<double>(i + 1));
    const auto found = table.find(producer_byte_rate, "alice", "app");
    ASSERT_TRUE(found) << i;
    EXPECT_EQ(found->bound, static_cast<double>(i + 1));
  }
}

TEST(QuotaTable, WithoutTheHigherPlaces_TheNextOneHolds) {
  QuotaTable table;
  for (std::size_t i = 0; i < kByPrecedence.size(); ++i) {
    table.set(kByPrecedence[i], producer_byte_rate, static_cast<double>(i + 1));
  }
  for (std::size_t i = 0; i < kByPrecedence.size(); ++i) {
    EXPECT_EQ(table.find(producer_byte_rate, "alice", "app")->bound, static_cast<double>(i + 1));
    table.remove(kByPrecedence[i], producer_byte_rate);
  }
  EXPECT_FALSE(table.find(producer_byte_rate, "alice", "app"));
  EXPECT_TRUE(table.empty());
  EXPECT_FALSE(table.has(producer_byte_rate));
}

TEST(QuotaTable, Place_SaysWhoSharesTheQuota) {
  const bool of_user[] = {true, true, true, true, true, true, false, false};
  const bool of_client[] = {true, true, false, true, true, false, true, true};
  for (std::size_t i = 0; i < kByPrecedence.size(); ++i) {
    QuotaTable table;
    table.set(kByPrecedence[i], consumer_byte_rate, 5);
    const auto found = table.find(consumer_byte_rate, "alice", "app");
    ASSERT_TRUE(found) << i;
    EXPECT_EQ(found->user, of_user[i] ? "alice" : "") << i;
    EXPECT_EQ(found->client_id, of_client[i] ? "app" : "") << i;
  }
}

TEST(QuotaTable, NamedQuota_IsForThatNameAlone) {
  QuotaTable table;
  table.set({named("alice"), std::nullopt}, request_percentage, 10);
  table.set({std::nullopt, named("app")}, request_percentage, 20);
  EXPECT_EQ(table.find(request_percentage, "alice", "other")->bound, 10);
  EXPECT_EQ(table.find(request_percentage, "bob", "app")->bound, 20);
  EXPECT_FALSE(table.find(request_percentage, "bob", "other"));
}

TEST(QuotaTable, QuotaOfAnotherKind_HidesNone) {
  QuotaTable table;
  table.set({named("alice"), named("app")}, consumer_byte_rate, 1);
  table.set({std::nullopt, kDefault}, producer_byte_rate, 2);
  EXPECT_EQ(table.find(producer_byte_rate, "alice", "app")->bound, 2);
  EXPECT_FALSE(table.find(request_percentage, "alice", "app"));
}

TEST(QuotaTable, SetAgain_ReplacesAndRemovingLeavesTheOthersOfTheEntity) {
  QuotaTable table;
  const QuotaEntity entity{named("a"), std::nullopt};
  table.set(entity, producer_byte_rate, 1);
  table.set(entity, producer_byte_rate, 2);
  table.set(entity, consumer_byte_rate, 3);
  table.remove(entity, producer_byte_rate);
  table.remove(entity, producer_byte_rate);
  EXPECT_FALSE(table.has(producer_byte_rate));
  EXPECT_TRUE(table.has(consumer_byte_rate));
  ASSERT_EQ(table.quotas().size(), 1U);
  EXPECT_EQ(table.find(consumer_byte_rate, "a", "")->bound, 3);
}

TEST(StoredQuota, EveryEntityAndKind_ComesBackAsItWas) {
  std::vector<QuotaEntity> entities = kByPrecedence;
  entities.push_back({named("a/b%c*\n"), named("*")});
  entities.push_back({named(std::string("\0\x7f\xff", 3)), named("%2A")});
  for (const QuotaEntity& entity : entities) {
    for (const QuotaKind kind : kAllQuotaKinds) {
      for (const double bound : {1.0, 0.1, 1048576.0, 9.2e18, 1e-300}) {
        const std::string key = quota_key(entity, kind);
        const auto back = parse_quota(key, quota_value(bound));
        ASSERT_TRUE(back) << key;
        EXPECT_EQ(back->entity, entity) << key;
        EXPECT_EQ(back->kind, kind) << key;
        EXPECT_EQ(back->bound, bound) << key;
      }
    }
  }
}

TEST(StoredQuota, KeysAreReadable) {
  EXPECT_EQ(quota_key({named("alice"), kDefault}, producer_byte_rate), "alice/*/producer_byte_rate");
  EXPECT_EQ(quota_key({std::nullopt, named("*")}, request_percentage), "/%2A/request_percentage");
}

TEST(StoredQuota, WhatNobodyWrote_IsNotRead) {
  EXPECT_TRUE(parse_quota("a/b/producer_byte_rate", "1"));
  for (const char* key :
       {"", "a", "a/b", "a/b/", "a/b/other", "//producer_byte_rate", "%/b/producer_byte_rate",
        "%4/b/producer_byte_rate", "%zz/b/producer_byte_rate", "a/b/producer_byte_rate/c"}) {
    EXPECT_FALSE(parse_quota(key, "1")) << key;
  }
  for (const char* value : {"", "x", "1x", " 1", "0", "-1", "nan", "inf"}) {
    EXPECT_FALSE(parse_quota("a/b/producer_byte_rate", value)) << value;
  }
}

TEST(QuotaKind, NamesAreKafkas) {
  for (const QuotaKind kind : kAllQuotaKinds) EXPECT_EQ(quota_kind(name_of(kind)), kind);
  EXPECT_EQ(quota_kind("producer_byte_rate"), producer_byte_rate);
  EXPECT_EQ(quota_kind("consumer_byte_rate"), consumer_byte_rate);
  EXPECT_EQ(quota_kind("request_percentage"), request_percentage);
  EXPECT_FALSE(quota_kind("controller_mutation_rate"));
}

}  // namespace
}  // namespace tidegate::broker
