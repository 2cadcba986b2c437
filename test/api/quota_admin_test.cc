// AlterClientQuotas and DescribeClientQuotas: every error code, every way to filter, and what is left after
// a restart or a write that failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "group_plane.h"
#include "quota_plane.h"

namespace tidegate {
namespace {

using namespace std::chrono_literals;
using test::HeldMetaEngine;
using test::kDefaultName;
using test::quota_entry;
using test::QuotaPlane;
using test::QuotaWords;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const QuotaWords kAlice = {{"user", "alice"}};
const QuotaWords kAliceApp = {{"user", "alice"}, {"client-id", "app"}};
const QuotaWords kAliceAny = {{"user", "alice"}, {"client-id", kDefaultName}};
const QuotaWords kApp = {{"client-id", "app"}};
const QuotaWords kAnyUser = {{"user", kDefaultName}};

class QuotaAdmin : public ::testing::Test {
 protected:
  QuotaPlane plane;
};

TEST_F(QuotaAdmin, WhatIsSet_IsDescribedInEveryVersion) {
  for (std::int16_t version = 0; version <= 1; ++version) {
    SCOPED_TRACE(version);
    const auto altered = plane.alter(
        {quota_entry(kAliceAny, {{"producer_byte_rate", 1024, false}, {"request_percentage", 12.5, false}})},
        false, version);
    ASSERT_EQ(altered.entries.size(), 1U);
    EXPECT_EQ(altered.entries[0].error_code, ErrorCode::none);
    EXPECT_EQ(altered.entries[0].error_message, std::nullopt);
    ASSERT_EQ(altered.entries[0].entity.size(), 2U);
    EXPECT_EQ(altered.entries[0].entity[0].entity_name, "alice");
    EXPECT_EQ(altered.entries[0].entity[1].entity_name, std::nullopt);
    const auto described = plane.describe({}, false, version);
    EXPECT_EQ(described.error_code, ErrorCode::none);
    EXPECT_EQ(described.error_message, std::nullopt);
    EXPECT_EQ(described.entries.value().size(), 1U);
  }
  EXPECT_THAT(plane.described(),
              ElementsAre("user=alice client-id=* producer_byte_rate:1024 request_percentage:12.5"));
}

TEST_F(QuotaAdmin, NothingIsSet_NothingIsDescribed) { EXPECT_THAT(plane.described(), IsEmpty()); }

TEST_F(QuotaAdmin, SetAgainAndRemoved) {
  plane.set(kAlice, "producer_byte_rate", 1);
  plane.set(kAlice, "consumer_byte_rate", 2);
  plane.set(kAlice, "producer_byte_rate", 3);
  EXPECT_THAT(plane.described(), ElementsAre("user=alice producer_byte_rate:3 consumer_byte_rate:2"));
  EXPECT_EQ(plane.remove(kAlice, "producer_byte_rate"), ErrorCode::none);
  EXPECT_THAT(plane.described(), ElementsAre("user=alice consumer_byte_rate:2"));
  EXPECT_EQ(plane.remove(kAlice, "producer_byte_rate"), ErrorCode::none) << "not there any more";
  EXPECT_EQ(plane.remove(kAlice, "never_heard_of"), ErrorCode::none);
  EXPECT_EQ(plane.remove(kAlice, "consumer_byte_rate"), ErrorCode::none);
  EXPECT_THAT(plane.described(), IsEmpty());
}

TEST_F(QuotaAdmin, Filter_ChoosesEntities) {
  plane.set(kAlice, "producer_byte_rate", 1);
  plane.set(kAliceApp, "producer_byte_rate", 2);
  plane.set(kAliceAny, "producer_byte_rate", 3);
  plane.set(kApp, "producer_byte_rate", 4);
  plane.set(kAnyUser, "producer_byte_rate", 5);
  const std::string alice = "user=alice producer_byte_rate:1";
  const std::string alice_app = "user=alice client-id=app producer_byte_rate:2";
  const std::string alice_any = "user=alice client-id=* producer_byte_rate:3";
  const std::string app = "client-id=app producer_byte_rate:4";
  const std::string any_user = "user=* producer_byte_rate:5";
  using ::testing::UnorderedElementsAre;

  EXPECT_THAT(plane.described(), UnorderedElementsAre(alice, alice_app, alice_any, app, any_user));
  EXPECT_THAT(plane.described({}, true), IsEmpty()) << "strict: neither user nor client id";
  // 0: this name, 1: the default, 2: any.
  EXPECT_THAT(plane.described({{"user", 0, "alice"}}), UnorderedElementsAre(alice, alice_app, alice_any));
  EXPECT_THAT(plane.described({{"user", 0, "alice"}}, true), UnorderedElementsAre(alice));
  EXPECT_THAT(plane.described({{"user", 1, std::nullopt}}), UnorderedElementsAre(any_user));
  EXPECT_THAT(plane.described({{"user", 2, std::nullopt}}, true), UnorderedElementsAre(alice, any_user));
  EXPECT_THAT(plane.described({{"client-id", 2, std::nullopt}}),
              UnorderedElementsAre(alice_app, alice_any, app));
  EXPECT_THAT(plane.described({{"client-id", 1, std::nullopt}}), UnorderedElementsAre(alice_any));
  EXPECT_THAT(plane.described({{"user", 0, "alice"}, {"client-id", 0, "app"}}, true),
              UnorderedElementsAre(alice_app));
  EXPECT_THAT(plane.described({{"client-id", 0, "app"}}, true), UnorderedElementsAre(app));
  EXPECT_THAT(plane.described({{"user", 0, "bob"}}), IsEmpty());
  EXPECT_THAT(plane.described({{"ip", 2, std::nullopt}}), IsEmpty()) << "addresses have no quotas here";
}

TEST_F(QuotaAdmin, BadFilter_IsRefused) {
  const auto refused = [&](std::vector<test::DescribeQuotas::ComponentData> components, ErrorCode code) {
    for (std::int16_t version = 0; version <= 1; ++version) {
      const auto response = plane.describe(components, false, version);
      EXPECT_EQ(response.error_code, code) << components.front().entity_type;
      EXPECT_TRUE(response.error_message && !response.error_message->empty());
      EXPECT_EQ(response.entries, std::nullopt);
      EXPECT_EQ(plane.api.last_error(), static_cast<std::int16_t>(code));
    }
  };
  refused({{"", 0, "a"}}, ErrorCode::invalid_request);
  refused({{"user", 0, "a"}, {"user", 0, "b"}}, ErrorCode::invalid_request);
  refused({{"user", 0, std::nullopt}}, ErrorCode::invalid_request);
  refused({{"user", 1, "a"}}, ErrorCode::invalid_request);
  refused({{"user", 2, "a"}}, ErrorCode::invalid_request);
  refused({{"user", 3, std::nullopt}}, ErrorCode::invalid_request);
  refused({{"user", -1, std::nullopt}}, ErrorCode::invalid_request);
  refused({{"ip", 2, std::nullopt}, {"user", 2, std::nullopt}}, ErrorCode::invalid_request);
  refused({{"topic", 2, std::nullopt}}, ErrorCode::unsupported_version);
}

TEST_F(QuotaAdmin, BadEntity_IsRefused) {
  const std::pair<QuotaWords, const char*> cases[] = {
      {{}, "empty"},
      {{{"user", ""}}, "empty"},
      {{{"topic", "t"}}, "no entity type topic"},
      {{{"user", "a"}, {"user", "b"}}, "more than one user"},
      {{{"ip", "127.0.0.1"}}, "not limited by address"},
      {{{"ip", kDefaultName}, {"user", "a"}}, "not limited by address"},
      {{{"client-id", std::string(1025, 'x')}}, "1024 is the limit"},
  };
  for (const auto& [entity, message] : cases) {
    const auto response = plane.alter({quota_entry(entity, {{"producer_byte_rate", 1, false}})});
    EXPECT_EQ(response.entries.at(0).error_code, ErrorCode::invalid_request) << message;
    EXPECT_THAT(response.entries.at(0).error_message.value_or(""), HasSubstr(message));
    EXPECT_EQ(response.entries.at(0).entity.size(), entity.size());
  }
  EXPECT_THAT(plane.described(), IsEmpty());
}

TEST_F(QuotaAdmin, BadValue_IsRefused) {
  using Op = test::AlterQuotas::EntryData::OpData;
  const std::pair<std::vector<Op>, const char*> cases[] = {
      {{{"producer_byte_rate", 0, false}}, "above 0"},
      {{{"producer_byte_rate", -1, false}}, "above 0"},
      {{{"request_percentage", -0.5, false}}, "above 0"},
      {{{"request_percentage", std::numeric_limits<double>::quiet_NaN(), false}}, "above 0"},
      {{{"request_percentage", std::numeric_limits<double>::infinity(), false}}, "above 0"},
      {{{"consumer_byte_rate", 1.5, false}}, "whole number"},
      {{{"consumer_byte_rate", 1e19, false}}, "too large"},
      {{{"controller_mutation_rate", 1, false}}, "not supported"},
      {{{"connection_creation_rate", 1, false}}, "no quota connection_creation_rate"},
      {{{"producer_byte_rate", 1, false}, {"producer_byte_rate", 2, false}}, "more than once"},
      {{{"producer_byte_rate", 1, false}, {"producer_byte_rate", 0, true}}, "more than once"},
  };
  for (const auto& [ops, message] : cases) {
    const auto response = plane.alter({quota_entry(kAlice, ops)});
    EXPECT_EQ(response.entries.at(0).error_code, ErrorCode::invalid_request) << message;
    EXPECT_THAT(response.entries.at(0).error_message.value_or(""), HasSubstr(message));
    EXPECT_EQ(plane.api.last_error(), static_cast<std::int16_t>(ErrorCode::invalid_request));
  }
  EXPECT_THAT(plane.described(), IsEmpty());
  EXPECT_EQ(plane.set(kAlice, "producer_byte_rate", 1.0000001), ErrorCode::none)
      << "nearly whole, as in Kafka";
}

TEST_F(QuotaAdmin, EntriesAreAnsweredOneByOne) {
  const auto response = plane.alter({
      quota_entry(kAlice, {{"producer_byte_rate", 1, false}}),
      quota_entry(kApp, {{"producer_byte_rate", -1, false}}),
      quota_entry(kAlice, {{"producer_byte_rate", 7, false}}),
      quota_entry(kAnyUser, {{"producer_byte_rate", 2, false}}),
  });
  ASSERT_EQ(response.entries.size(), 4U);
  EXPECT_EQ(response.entries[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.entries[1].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.entries[2].error_code, ErrorCode::invalid_request) << "the same entity again";
  EXPECT_EQ(response.entries[3].error_code, ErrorCode::none);
  EXPECT_THAT(plane.described(), ::testing::UnorderedElementsAre("user=alice producer_byte_rate:1",
                                                                 "user=* producer_byte_rate:2"));
}

TEST_F(QuotaAdmin, ValidateOnly_ChangesNothing) {
  plane.set(kAlice, "producer_byte_rate", 1);
  const auto response = plane.alter({quota_entry(kAlice, {{"producer_byte_rate", 0, true}}),
                                     quota_entry(kApp, {{"producer_byte_rate", 5, false}}),
                                     quota_entry(kAnyUser, {{"nonsense", 5, false}})},
                                    true);
  EXPECT_EQ(response.entries[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.entries[1].error_code, ErrorCode::none);
  EXPECT_EQ(response.entries[2].error_code, ErrorCode::invalid_request);
  EXPECT_THAT(plane.described(), ElementsAre("user=alice producer_byte_rate:1"));
}

TEST_F(QuotaAdmin, RequestWithoutEntriesOrOps_IsFine) {
  EXPECT_THAT(plane.alter({}).entries, IsEmpty());
  EXPECT_EQ(plane.alter({quota_entry(kAlice, {})}).entries.at(0).error_code, ErrorCode::none);
  EXPECT_THAT(plane.described(), IsEmpty());
}

TEST(QuotaLimit, MoreEntitiesThanTheLimit_AreRefused) {
  QuotaPlane plane{{.config = {{"client.quotas.max.entities", "2"}}}};
  const auto response = plane.alter({quota_entry(kAlice, {{"producer_byte_rate", 1, false}}),
                                     quota_entry(kApp, {{"producer_byte_rate", 1, false}}),
                                     quota_entry(kAnyUser, {{"producer_byte_rate", 1, false}})});
  EXPECT_EQ(response.entries[1].error_code, ErrorCode::none);
  EXPECT_EQ(response.entries[2].error_code, ErrorCode::policy_violation);
  EXPECT_EQ(plane.set(kAlice, "producer_byte_rate", 2), ErrorCode::none) << "is there already";
  EXPECT_EQ(plane.remove(kAnyUser, "producer_byte_rate"), ErrorCode::none);
  EXPECT_EQ(plane.remove(kAlice, "producer_byte_rate"), ErrorCode::none);
  EXPECT_EQ(plane.set(kAnyUser, "producer_byte_rate", 2), ErrorCode::none);
}

TEST_F(QuotaAdmin, Restart_FindsThemAgain) {
  plane.set(kAliceAny, "producer_byte_rate", 1);
  plane.set({{"client-id", "a/b*c%"}}, "request_percentage", 0.1);
  plane.set(kApp, "consumer_byte_rate", 1);
  plane.remove(kApp, "consumer_byte_rate");
  const auto before = plane.described();
  EXPECT_EQ(before.size(), 2U);
  plane.api.restart_broker();
  EXPECT_EQ(plane.described(), before);
}

class QuotaStore : public ::testing::Test {
 protected:
  void start(bool shared = false) {
    plane = std::make_unique<QuotaPlane>(
        test::ApiHarnessOptions{.wrap_engine = [&](std::unique_ptr<storage::Engine> inner, ShardPool&) {
          auto held = std::make_unique<HeldMetaEngine>(std::move(inner));
          engine = held.get();
          if (shared) held->share_topics();
          return held;
        }});
  }
  // As another gateway does.
  void put_elsewhere(std::string key, std::string value) {
    std::vector<storage::MetaOp> ops{{storage::MetaOp::Kind::put, std::move(key), std::move(value)}};
    ASSERT_TRUE(plane->api.run(
        [&] { return engine->meta().put_batch("client-quotas", 0, ops, storage::MetaDurability::synced); }));
  }
  void advance(Duration time) {
    plane->api.shards().advance(time);
    plane->api.shards().settle();
  }

  HeldMetaEngine* engine = nullptr;
  std::unique_ptr<QuotaPlane> plane;
};

TEST_F(QuotaStore, WriteThatFailsOnce_IsDoneAgain) {
  start();
  engine->fail_next(1);
  EXPECT_EQ(plane->set(kAlice, "producer_byte_rate", 2), ErrorCode::none);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:2"));
}

TEST_F(QuotaStore, WriteThatFails_IsToldAndChangesNothing) {
  start();
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->fail_next(1000);
  const auto response = plane->alter({quota_entry(kAlice, {{"producer_byte_rate", 2, false}}),
                                      quota_entry(kApp, {{"producer_byte_rate", -2, false}})});
  EXPECT_EQ(response.entries[0].error_code, ErrorCode::kafka_storage_error);
  EXPECT_EQ(response.entries[1].error_code, ErrorCode::invalid_request);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:1"));
  engine->fail_next(0);
  EXPECT_EQ(plane->set(kAlice, "producer_byte_rate", 2), ErrorCode::none);
}

TEST_F(QuotaStore, QuotaOfAnotherGateway_HoldsAfterTheInterval) {
  start(true);
  put_elsewhere("alice//producer_byte_rate", "77");
  advance(4900ms);
  EXPECT_THAT(plane->described(), IsEmpty());
  advance(200ms);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:77"));
  put_elsewhere("alice//producer_byte_rate", "78");
  advance(5100ms);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:78"));
  // One that the other does not know of is kept: each value has a key of its own.
  plane->set(kAlice, "consumer_byte_rate", 5);
  put_elsewhere("alice//producer_byte_rate", "79");
  advance(5100ms);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:79 consumer_byte_rate:5"));
}

TEST_F(QuotaStore, AlterBesideAReadOfTheStore_IsNotUndoneByIt) {
  start(true);
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->hold();
  advance(5100ms);  // the read waits in the store
  auto altered = std::make_shared<std::atomic<bool>>(false);
  test::AlterQuotas request{.entries = {quota_entry(kAlice, {{"producer_byte_rate", 2, false}})}};
  plane->api.shards().pool().at(1).spawn(
      [](Task<api::Reply> call, std::shared_ptr<std::atomic<bool>> done) -> Task<void> {
        co_await std::move(call);
        *done = true;
      }(plane->api.begin(request, 1), altered),
      "test");
  plane->api.shards().settle();
  EXPECT_FALSE(*altered);
  engine->let_go(plane->api.shards());
  while (!*altered) plane->api.shards().settle(1);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:2"));
}

TEST_F(QuotaStore, NobodySharesTheStore_ItIsNotReadAgain) {
  start();
  put_elsewhere("alice//producer_byte_rate", "77");
  advance(1h);
  EXPECT_THAT(plane->described(), IsEmpty());
}

TEST_F(QuotaStore, ReadThatFailsAtTheStart_IsTriedAgain) {
  start();
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->refuse_reads_of({"client-quotas"});
  plane->api.restart_broker();
  EXPECT_THAT(plane->described(), IsEmpty());
  engine->refuse_reads_of({});
  advance(5100ms);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:1"));
}

TEST_F(QuotaStore, StoreThatHangsAtTheStart_HoldsUpNoClient) {
  start();
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->hold();
  plane->api.restart_broker();
  EXPECT_THAT(plane->described(), IsEmpty());
  engine->let_go(plane->api.shards());
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:1"));
}

TEST_F(QuotaStore, ReadThatFailsLater_LeavesWhatIsKnown) {
  start(true);
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->refuse_reads_of({"client-quotas"});
  advance(5100ms);
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:1"));
}

TEST_F(QuotaStore, DamagedStore_BeginsAnew) {
  start();
  plane->set(kAlice, "producer_byte_rate", 1);
  engine->damage("client-quotas");
  plane->api.restart_broker();
  EXPECT_THAT(plane->described(), IsEmpty());
  EXPECT_EQ(plane->set(kApp, "producer_byte_rate", 2), ErrorCode::none);
  EXPECT_THAT(plane->described(), ElementsAre("client-id=app producer_byte_rate:2"));
}

TEST_F(QuotaStore, EntryThatNobodyUnderstands_HidesNoOther) {
  start();
  plane->set(kAlice, "producer_byte_rate", 1);
  put_elsewhere("alice//of_the_future", "1");
  put_elsewhere("bob//producer_byte_rate", "much");
  plane->api.restart_broker();
  EXPECT_THAT(plane->described(), ElementsAre("user=alice producer_byte_rate:1"));
}

}  // namespace
}  // namespace tidegate
