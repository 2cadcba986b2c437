// What clients over their quotas are told, and what they get. The clock is the test's; how long a connection
// is left unread for it is tested in test/server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quota_plane.h"
#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/heartbeat.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/metadata.h"

namespace tidegate {
namespace {

using namespace std::chrono_literals;
using namespace protocol;  // NOLINT: many messages
using test::kDefaultName;
using test::make_batch;
using test::QuotaPlane;
using test::QuotaWords;

const QuotaWords kUser = {{"user", "ANONYMOUS"}};
const QuotaWords kClient = {{"client-id", "test-client"}};
const QuotaWords kAnyClient = {{"client-id", kDefaultName}};

class Throttle : public ::testing::Test {
 protected:
  void SetUp() override { topic = api.make_topic("t"); }

  static SharedBuffer batch_of(std::size_t bytes) {
    std::vector<NewRecord> records(1);
    const std::string value(bytes, 'v');
    records[0] = {.timestamp = 1'700'000'000'000, .key = "k", .value = value};
    return build_batch(records, {})->bytes;
  }
  // What the answer says, and what the server is told to do.
  std::int32_t produce(std::size_t bytes, std::int16_t version = 13, std::int16_t acks = -1) {
    const auto request = plane.produce_request(topic, 0, batch_of(bytes), acks);
    const auto reply = api.call_raw(request, version);
    if (reply.send) {
      const auto decoded = decode_response<ProduceResponse>(test::ApiHarness::joined(reply), version);
      EXPECT_TRUE(decoded);
      EXPECT_EQ(decoded->response.responses.at(0).partition_responses.at(0).error_code, ErrorCode::none);
      EXPECT_EQ(decoded->response.throttle_time_ms, reply.throttle_ms);
    }
    return reply.throttle_ms;
  }
  struct Fetched {
    std::int32_t throttle_ms = 0;
    std::size_t bytes = 0;
    std::int32_t session = 0;
    ErrorCode error = ErrorCode::none;
    std::size_t partitions = 0;
  };
  Fetched fetch(FetchRequest request, std::int16_t version = 18) {
    const auto reply = api.call_raw(request, version);
    const auto decoded = decode_response<FetchResponse>(test::ApiHarness::joined(reply), version);
    EXPECT_TRUE(decoded);
    const FetchResponse& response = decoded->response;
    EXPECT_EQ(response.throttle_time_ms, reply.throttle_ms);
    Fetched out{
        .throttle_ms = reply.throttle_ms, .session = response.session_id, .error = response.error_code};
    for (const auto& each : response.responses) {
      for (const auto& partition : each.partitions) {
        ++out.partitions;
        for (const SharedBuffer& chunk : partition.records->chunks) out.bytes += chunk.size();
      }
    }
    return out;
  }
  Fetched fetch(Offset from = 0) { return fetch(plane.fetch_request(topic, {{0, from}})); }
  void advance(Duration time) { api.shards().advance(time); }
  double metric(const std::string& name, const std::string& quota) {
    for (const auto& family : api.shards().metrics().collect()) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        if (sample.labels == MetricLabels{{"quota", quota}}) return sample.value;
      }
    }
    ADD_FAILURE() << "no metric " << name;
    return -1;
  }

  QuotaPlane plane;
  test::ApiHarness& api = plane.api;
  broker::CatalogueTopicPtr topic;
};

// ---------------------------------------------------------------------------------------- producing

TEST_F(Throttle, WithoutQuotas_NobodyWaits) {
  EXPECT_EQ(produce(900'000), 0);
  EXPECT_EQ(fetch().throttle_ms, 0);
}

TEST_F(Throttle, ProducerOverItsQuota_WaitsUntilTheRateIsDown) {
  plane.set(kClient, "producer_byte_rate", 10'000);
  EXPECT_EQ(produce(60'000), 0);
  // 120,000 bytes and what is around them are 12 seconds' worth; the window is ten.
  const std::int32_t wait = produce(60'000);
  EXPECT_GE(wait, 2000);
  EXPECT_LT(wait, 2100);
  EXPECT_EQ(metric("tidegate_broker_throttled_requests_total", "producer_byte_rate"), 1);
  EXPECT_EQ(metric("tidegate_broker_throttled_milliseconds_total", "producer_byte_rate"), wait);
  advance(10s);
  EXPECT_GT(produce(1), 0) << "the first sample still counts";
  advance(1s);
  EXPECT_EQ(produce(60'000), 0);
}

TEST_F(Throttle, ProducerWithoutAnswers_IsLeftUnreadAllTheSame) {
  plane.set(kClient, "producer_byte_rate", 1000);
  EXPECT_GT(produce(20'000, 13, 0), 9000);
}

TEST_F(Throttle, EveryVersionOfProduceAndFetch_HasTheTime) {
  plane.set(kClient, "producer_byte_rate", 1000);
  plane.set(kClient, "consumer_byte_rate", 1000);
  produce(20'000);
  EXPECT_GT(fetch().bytes, 20'000U) << "one batch of more than a window";
  for (std::int16_t version = ProduceRequest::versions.min; version <= ProduceRequest::versions.max;
       ++version) {
    EXPECT_GT(produce(10, version), 0) << version;
  }
  for (std::int16_t version = FetchRequest::versions.min; version <= FetchRequest::versions.max; ++version) {
    const Fetched fetched = fetch(plane.fetch_request(topic, {{0, 0}}), version);
    EXPECT_GT(fetched.throttle_ms, 0) << version;
    EXPECT_EQ(fetched.partitions, 0U) << version;
  }
}

TEST_F(Throttle, Producer_WaitsUntilItsRateHolds) {
  plane.set(kClient, "producer_byte_rate", 1000);
  // 500 s of them, less what the window gives.
  EXPECT_NEAR(produce(500'000), 490'000, 1000);
}

TEST_F(Throttle, QuotaOfAnother_IsNotMine) {
  plane.set({{"client-id", "other"}}, "producer_byte_rate", 1);
  plane.set({{"user", "alice"}}, "producer_byte_rate", 1);
  EXPECT_EQ(produce(10'000), 0);
}

TEST_F(Throttle, DefaultQuota_IsOneForEachClient) {
  plane.set(kAnyClient, "producer_byte_rate", 1000);
  EXPECT_GT(produce(20'000), 0);
  api.set_client_id("another");
  EXPECT_EQ(produce(5000), 0);
  api.set_client_id("");
  EXPECT_EQ(produce(5000), 0);
  api.set_client_id(std::nullopt);
  EXPECT_GT(produce(5000), 0) << "no name is the empty name";
}

TEST_F(Throttle, QuotaOfAUser_IsSharedByItsClients) {
  plane.set(kUser, "producer_byte_rate", 1000);
  EXPECT_EQ(produce(6000), 0);
  api.set_client_id("another");
  EXPECT_GT(produce(6000), 0);
}

TEST_F(Throttle, UserOfTheSession_IsTheOneThatCounts) {
  plane.set({{"user", "alice"}}, "producer_byte_rate", 1000);
  EXPECT_EQ(produce(20'000), 0);
  api.session().principal = "User:alice";
  EXPECT_GT(produce(20'000), 0);
}

TEST_F(Throttle, ChangedQuota_HoldsAtOnce) {
  plane.set(kClient, "producer_byte_rate", 1000);
  EXPECT_GT(produce(20'000), 0);
  plane.set(kClient, "producer_byte_rate", 1'000'000);
  EXPECT_EQ(produce(20'000), 0);
  plane.remove(kClient, "producer_byte_rate");
  EXPECT_EQ(produce(900'000), 0);
}

// ----------------------------------------------------------------------------------------- fetching

TEST_F(Throttle, ConsumerOverItsQuota_GetsNothingUntilTheRateIsDown) {
  produce(60'000);
  plane.set(kClient, "consumer_byte_rate", 10'000);
  EXPECT_GT(fetch().bytes, 60'000U);
  const Fetched refused = fetch();
  EXPECT_GE(refused.throttle_ms, 2000);
  EXPECT_LT(refused.throttle_ms, 2100);
  EXPECT_EQ(refused.partitions, 0U);
  EXPECT_EQ(refused.error, ErrorCode::none);
  EXPECT_EQ(metric("tidegate_broker_throttled_requests_total", "consumer_byte_rate"), 1);
  EXPECT_EQ(fetch().throttle_ms, refused.throttle_ms) << "what was not given does not count";
  advance(std::chrono::milliseconds(refused.throttle_ms));
  EXPECT_EQ(fetch().partitions, 0U) << "the samples of a rate are whole seconds";
  advance(9s);
  EXPECT_GT(fetch().bytes, 60'000U);
}

TEST_F(Throttle, Fetch_IsNoLargerThanItsQuotaCouldGive) {
  for (int i = 0; i < 10; ++i) produce(5000);
  plane.set(kClient, "consumer_byte_rate", 2000);
  const Fetched fetched = fetch();
  EXPECT_EQ(fetched.throttle_ms, 0);
  EXPECT_GT(fetched.bytes, 5000U);
  EXPECT_LE(fetched.bytes, 20'000U);
}

TEST_F(Throttle, BatchThatIsLargerThanAWindow_IsGivenAllTheSame) {
  produce(50'000);
  plane.set(kClient, "consumer_byte_rate", 1000);
  EXPECT_GT(fetch().bytes, 50'000U);
  EXPECT_EQ(fetch().throttle_ms, 11'000);
  advance(11s);
  EXPECT_GT(fetch().bytes, 50'000U);
}

TEST_F(Throttle, FetchSession_GoesOnWhereItWas) {
  produce(6000);
  auto request = plane.fetch_request(topic, {{0, 0}});
  request.session_epoch = 0;
  const Fetched first = fetch(request);
  ASSERT_NE(first.session, 0);
  EXPECT_GT(first.bytes, 6000U);
  produce(6000);
  plane.set(kClient, "consumer_byte_rate", 600);
  // Alone it would be a window's worth.
  auto next = plane.fetch_request(topic, {{0, 1}});
  next.session_id = first.session;
  next.session_epoch = 1;
  EXPECT_GT(fetch(next).bytes, 6000U);
  FetchRequest again;
  again.max_bytes = 1 << 20;
  again.session_id = first.session;
  again.session_epoch = 2;
  const Fetched refused = fetch(again);
  EXPECT_GT(refused.throttle_ms, 0);
  EXPECT_EQ(refused.error, ErrorCode::none);
  EXPECT_EQ(refused.session, first.session);
  EXPECT_EQ(refused.partitions, 0U);
  advance(11s);
  again.session_epoch = 3;
  const Fetched given = fetch(again);
  EXPECT_EQ(given.error, ErrorCode::none);
  EXPECT_GT(given.bytes, 6000U);
}

TEST_F(Throttle, NewFetchSession_IsNotOpenedWhileOverTheQuota) {
  produce(20'000);
  plane.set(kClient, "consumer_byte_rate", 1000);
  fetch();
  auto request = plane.fetch_request(topic, {{0, 0}});
  request.session_epoch = 0;
  const Fetched refused = fetch(request);
  EXPECT_GT(refused.throttle_ms, 0);
  EXPECT_EQ(refused.session, 0);
  EXPECT_EQ(refused.error, ErrorCode::none);
}

// ------------------------------------------------------------------------------------- request time

TEST_F(Throttle, RequestTimeOverTheQuota_IsToldByEveryApi) {
  plane.set(kUser, "request_percentage", 10);
  api.set_work_per_request(3s);  // 300 percent-seconds; a window has 100
  const auto waits = [&](std::int32_t told) { EXPECT_EQ(told, 1000) << "one sample at most, as in Kafka"; };
  MetadataRequest metadata;
  metadata.topics.emplace();
  waits(api.call<MetadataResponse>(metadata).throttle_time_ms);
  waits(api.call<ApiVersionsResponse>(
               ApiVersionsRequest{.client_software_name = "test", .client_software_version = "1"})
            .throttle_time_ms);
  waits(api.call<ListOffsetsResponse>(ListOffsetsRequest{}).throttle_time_ms);
  waits(api.call<HeartbeatResponse>(HeartbeatRequest{.group_id = "g", .member_id = "m"}).throttle_time_ms);
  waits(plane.describe().throttle_time_ms);
  waits(plane.alter({}).throttle_time_ms);
  EXPECT_EQ(produce(10), 1000);
  EXPECT_EQ(metric("tidegate_broker_throttled_requests_total", "request_percentage"), 7);
}

TEST_F(Throttle, RequestTime_IsAPercentageOfAThread) {
  plane.set(kUser, "request_percentage", 10);
  api.set_work_per_request(990ms);
  EXPECT_EQ(produce(10), 0) << "99 of 100 percent-seconds";
  api.set_work_per_request(20ms);
  EXPECT_EQ(produce(10), 100) << "101 of 100, at 10 a second";
  advance(11s);
  EXPECT_EQ(produce(10), 0);
}

TEST_F(Throttle, RequestTimeOfAFetch_GivesNoRecordsAndCountsNoBytes) {
  produce(5000);
  plane.set(kUser, "request_percentage", 1);
  plane.set(kUser, "consumer_byte_rate", 1000);
  api.set_work_per_request(1s);
  const Fetched refused = fetch();
  EXPECT_EQ(refused.throttle_ms, 1000);
  EXPECT_EQ(refused.partitions, 0U);
  EXPECT_EQ(metric("tidegate_broker_throttled_requests_total", "request_percentage"), 1) << "once a request";
  EXPECT_EQ(metric("tidegate_broker_throttled_requests_total", "consumer_byte_rate"), 0);
  plane.remove(kUser, "request_percentage");
  EXPECT_GT(fetch().bytes, 5000U);
}

TEST_F(Throttle, TheLongerWait_IsTheOneThatIsTold) {
  plane.set(kUser, "request_percentage", 1);
  plane.set(kUser, "producer_byte_rate", 1000);
  api.set_work_per_request(1s);
  const std::int32_t wait = produce(15'000);
  EXPECT_GT(wait, 5000);
}

TEST_F(Throttle, TimeIsNotCountedForThoseWithoutSuchAQuota) {
  plane.set({{"user", "alice"}}, "request_percentage", 1);
  api.set_work_per_request(10s);
  EXPECT_EQ(produce(10), 0);
}

}  // namespace
}  // namespace tidegate
