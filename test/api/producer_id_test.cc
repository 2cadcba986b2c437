// InitProducerId, and what a broker remembers of producers across a restart.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "data_plane.h"
#include "group_plane.h"
#include "tidegate/broker/producer_ids.h"
#include "tidegate/protocol/messages/init_producer_id.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::from_producer;
using test::make_batch;

class ProducerId : public ::testing::Test {
 protected:
  protocol::InitProducerIdResponse init(protocol::InitProducerIdRequest request, std::int16_t version = 5) {
    return plane.api.call<protocol::InitProducerIdResponse>(request, version);
  }
  static protocol::InitProducerIdRequest idempotent() {
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    return request;
  }
  DataPlane plane;
};

TEST_F(ProducerId, Ids_AreNeverGivenTwice) {
  std::set<std::int64_t> ids;
  for (int i = 0; i < 5; ++i) {
    for (std::int16_t version = 0; version <= 5; ++version) {
      const auto answer = init(idempotent(), version);
      EXPECT_EQ(answer.error_code, ErrorCode::none);
      EXPECT_EQ(answer.producer_epoch, 0);
      EXPECT_TRUE(ids.insert(answer.producer_id).second);
    }
  }
}

TEST_F(ProducerId, AfterARestart_TheNextBlockBegins) {
  const auto before = init(idempotent()).producer_id;
  broker::ProducerIds later(plane.api.broker().parts());
  const auto after = plane.api.run([&] { return later.next(); });
  ASSERT_TRUE(after);
  EXPECT_GE(*after, before + broker::ProducerIds::kBlock);
}

// Nodes that share a store reserve without asking each other.
TEST(SharedProducerIds, NodesHaveRangesOfTheirOwn_AboveTheIdsOfOneNodeAlone) {
  constexpr std::int64_t kRange = std::int64_t{1} << 31;
  for (const NodeId node : {0, 1, 2, std::numeric_limits<NodeId>::max()}) {
    test::ApiHarnessOptions options;
    options.node = node;
    options.wrap_engine = [](std::unique_ptr<storage::Engine> inner, ShardPool&) {
      auto shared = std::make_unique<test::HeldMetaEngine>(std::move(inner));
      shared->share_topics();
      return shared;
    };
    DataPlane plane(std::move(options));
    const auto id = plane.api.run([&] { return plane.api.broker().producer_ids().next(); });
    ASSERT_TRUE(id);
    EXPECT_EQ(*id / kRange, static_cast<std::int64_t>(node) + 1);
  }
}

TEST_F(ProducerId, AKnownProducer_GetsAFreshId) {
  const auto first = init(idempotent());
  auto request = idempotent();
  request.producer_id = first.producer_id;
  request.producer_epoch = first.producer_epoch;
  const auto second = init(request);
  EXPECT_EQ(second.error_code, ErrorCode::none);
  EXPECT_NE(second.producer_id, first.producer_id);
}

TEST_F(ProducerId, IdWithoutEpoch_IsARefusal) {
  auto request = idempotent();
  request.producer_id = 4;
  EXPECT_EQ(init(request).error_code, ErrorCode::invalid_request);
  request.producer_id = -1;
  request.producer_epoch = 4;
  const auto answer = init(request);
  EXPECT_EQ(answer.error_code, ErrorCode::invalid_request);
  EXPECT_EQ(answer.producer_id, -1);
}

TEST_F(ProducerId, TransactionalIds_AreNotThereYet) {
  auto request = idempotent();
  request.transactional_id = "";
  EXPECT_EQ(init(request).error_code, ErrorCode::invalid_request);
  request.transactional_id = "tx";
  for (std::int16_t version = 0; version <= 5; ++version) {
    EXPECT_EQ(init(request, version).error_code, ErrorCode::transactional_id_authorization_failed);
  }
}

// A second broker over the same engine: what the first one's memory held must come from the log and the
// snapshot.
TEST_F(ProducerId, Sequences_SurviveARestart) {
  for (const bool snapshot : {false, true}) {
    const auto topic = plane.api.make_topic(snapshot ? "with" : "without");
    for (std::int32_t i = 0; i < 3; ++i) {
      plane.produce(topic, 0, make_batch(2, from_producer(8, 0, 2 * i)).bytes);
    }
    if (snapshot) plane.api.run([&] { return plane.api.broker().stop(); });
    broker::Broker second(plane.api.broker().parts());
    ASSERT_TRUE(plane.api.run([&] { return second.start(); }));
    const auto append = [&](std::int32_t sequence) {
      return plane.api.run([&]() -> Task<broker::ProduceOutcome> {
        std::vector<broker::ProduceItem> items;
        items.push_back({.partition = {topic->topic.id, 0},
                         .records = make_batch(2, from_producer(8, 0, sequence)).bytes});
        auto outcomes = co_await second.produce().append(std::move(items), {}, [] {});
        co_return std::move(outcomes.front());
      });
    };
    EXPECT_EQ(append(2).base_offset, 2) << "a repeat";
    EXPECT_EQ(append(8).error, ErrorCode::out_of_order_sequence_number);
    EXPECT_EQ(append(6).base_offset, 6);
    plane.api.run([&] { return second.stop(); });
  }
}

TEST_F(ProducerId, RemovedTopic_LeavesNoStateBehind) {
  const auto topic = plane.api.make_topic("t", 3);
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    plane.produce(topic, partition, make_batch(1, from_producer(8, 0, 0)).bytes);
  }
  const auto kept = [&] {
    auto scopes = plane.api.run([&] { return plane.api.engine().meta().scopes("producers/", "", 100); });
    return scopes ? scopes->size() : 999;
  };
  plane.api.run([&] { return plane.api.broker().stop(); });
  EXPECT_EQ(kept(), 3U);
  broker::Broker second(plane.api.broker().parts());
  ASSERT_TRUE(plane.api.run([&] { return second.start(); }));
  std::vector<TopicId> ids{topic->topic.id};
  const auto removed = plane.api.run([&] { return second.topics().remove(ids); });
  ASSERT_TRUE(removed.at(0));
  plane.api.shards().settle(8);
  EXPECT_EQ(kept(), 0U);
  plane.api.run([&] { return second.stop(); });
  EXPECT_EQ(kept(), 0U);
}

}  // namespace
}  // namespace tidegate
