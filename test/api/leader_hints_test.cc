// Leader hints (KIP-951): a cluster in which another node leads every odd partition.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "data_plane.h"
#include "tidegate/protocol/messages/list_offsets.h"
#include "tidegate/protocol/messages/offset_for_leader_epoch.h"

namespace tidegate {
namespace {

using test::DataPlane;
using test::make_batch;

constexpr NodeId kOther = 2;

class TwoNodes final : public storage::Cluster {
 public:
  const std::string& cluster_id() const override { return id_; }
  NodeId self() const override { return 1; }
  std::vector<storage::Member> members() const override {
    return {{.node = 1, .rack = {}, .endpoints = {}},
            {.node = kOther,
             .rack = "west",
             .endpoints = {{"INTERNAL", "inside.example", 9000}, {"PLAINTEXT", "other.example", 9093}}}};
  }
  Owner owner_of(const PartitionId& partition) const override {
    return {.node = partition.index % 2 == 0 && !all_moved ? 1 : kOther, .epoch = 4};
  }
  Owner owner_of_group(std::string_view) const override { return {.node = 1, .epoch = 0}; }
  void on_lost(std::function<void(const PartitionId&)> listener) override { lost = std::move(listener); }

  bool may_tell(const PartitionId&) const override { return !lapsed; }

  std::atomic<bool> all_moved{false};
  std::atomic<bool> lapsed{false};  // the lease
  std::function<void(const PartitionId&)> lost;

 private:
  std::string id_ = "two";
};

Task<void> fetch_into(Task<api::Reply> call, std::shared_ptr<std::optional<protocol::FetchResponse>> answer) {
  const api::Reply reply = co_await std::move(call);
  auto decoded = protocol::decode_response<protocol::FetchResponse>(test::ApiHarness::joined(reply), 18);
  EXPECT_TRUE(decoded);
  if (decoded) *answer = std::move(decoded->response);
}

class LeaderHints : public ::testing::Test {
 protected:
  // As the engine does, which has closed the log.
  void lose(std::int32_t partition) {
    cluster.all_moved = true;
    const PartitionId id{topic->topic.id, partition};
    plane.api.shards().call([&] { cluster.lost(id); }, storage::owner_shard(id, 2));
    plane.api.shards().settle();
  }

  TwoNodes cluster;
  DataPlane plane{{.cluster = &cluster}};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 4);
};

TEST_F(LeaderHints, PartitionThatMoves_TellsWhoWaitsForIt) {
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  auto request = DataPlane::fetch_request(topic, {{0, 1}});
  request.max_wait_ms = 30'000;
  const auto answer = std::make_shared<std::optional<protocol::FetchResponse>>();
  plane.api.shards().call(
      [&] { Shard::current()->start(fetch_into(plane.api.begin(request, 18), answer), "test"); },
      plane.api.last_shard());
  plane.api.shards().settle();
  ASSERT_FALSE(*answer);
  lose(0);
  ASSERT_TRUE(*answer);
  const auto& partition = (*answer)->responses.at(0).partitions.at(0);
  EXPECT_EQ(partition.error_code, ErrorCode::not_leader_or_follower);
}

TEST_F(LeaderHints, PartitionThatMovedAway_TakesNothingAndIsReadByNobody_UntilItComesBack) {
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  lose(0);
  const auto refused = plane.produce(topic, 0, make_batch(1).bytes);
  EXPECT_EQ(refused.error_code, ErrorCode::not_leader_or_follower);
  EXPECT_EQ(refused.current_leader.leader_id, kOther);
  EXPECT_EQ(plane.fetch_one(topic, 0, 0).error_code, ErrorCode::not_leader_or_follower);
  cluster.all_moved = false;
  const auto back = plane.produce(topic, 0, make_batch(1).bytes);
  EXPECT_EQ(back.error_code, ErrorCode::none);
  EXPECT_EQ(back.base_offset, 1);
}

TEST_F(LeaderHints, LeaseThatRanOut_LetsNobodyBeToldWhatMayBeOld) {
  ASSERT_EQ(plane.produce(topic, 0, make_batch(1).bytes).error_code, ErrorCode::none);
  protocol::ListOffsetsRequest latest;
  latest.topics.push_back({.name = topic->topic.name, .partitions = {{.partition_index = 0, .timestamp = -1}}});
  protocol::OffsetForLeaderEpochRequest epoch;
  epoch.topics.push_back({.topic = topic->topic.name, .partitions = {{.partition = 0, .leader_epoch = 0}}});
  for (const bool lapsed : {false, true, false}) {
    cluster.lapsed = lapsed;
    const auto expected = lapsed ? ErrorCode::not_leader_or_follower : ErrorCode::none;
    EXPECT_EQ(plane.fetch_one(topic, 0, 1).error_code, expected);
    EXPECT_EQ(plane.api.call<protocol::ListOffsetsResponse>(latest).topics[0].partitions[0].error_code, expected);
    EXPECT_EQ(plane.api.call<protocol::OffsetForLeaderEpochResponse>(epoch).topics[0].partitions[0].error_code,
              expected);
  }
}

// The gap may be what another node has taken meanwhile: to say so would end the producer.
TEST_F(LeaderHints, LeaseThatRanOut_JudgesNoSequence) {
  ASSERT_EQ(plane.produce(topic, 0, make_batch(2, test::from_producer(7, 0, 0)).bytes).error_code,
            ErrorCode::none);
  cluster.lapsed = true;
  for (const std::int32_t sequence : {0, 2, 40})
    EXPECT_EQ(plane.produce(topic, 0, make_batch(2, test::from_producer(7, 0, sequence)).bytes).error_code,
              ErrorCode::not_leader_or_follower);
  cluster.lapsed = false;
  EXPECT_EQ(plane.produce(topic, 0, make_batch(2, test::from_producer(7, 0, 2)).bytes).base_offset, 2);
  EXPECT_EQ(plane.produce(topic, 0, make_batch(2, test::from_producer(7, 0, 40)).bytes).error_code,
            ErrorCode::out_of_order_sequence_number);
}

TEST_F(LeaderHints, Produce_NamesLeaderAndAddressFromVersionTen) {
  const auto ask = [&](std::int16_t version) {
    auto request = DataPlane::produce_request(topic, 0, make_batch(1).bytes);
    request.topic_data[0].partition_data.push_back({1, make_batch(1).bytes});
    request.topic_data[0].partition_data.push_back({3, make_batch(1).bytes});
    return plane.api.call<protocol::ProduceResponse>(request, version);
  };
  const auto hinted = ask(13);
  const auto& partitions = hinted.responses[0].partition_responses;
  EXPECT_EQ(partitions[0].error_code, ErrorCode::none);
  EXPECT_EQ(partitions[0].current_leader.leader_id, -1);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(partitions[i].error_code, ErrorCode::not_leader_or_follower);
    EXPECT_EQ(partitions[i].current_leader.leader_id, kOther);
    EXPECT_EQ(partitions[i].current_leader.leader_epoch, 0) << "the engine's, as in Metadata";
  }
  ASSERT_EQ(hinted.node_endpoints.size(), 1U);
  EXPECT_EQ(hinted.node_endpoints[0].node_id, kOther);
  EXPECT_EQ(hinted.node_endpoints[0].host, "other.example");
  EXPECT_EQ(hinted.node_endpoints[0].port, 9093);
  EXPECT_EQ(hinted.node_endpoints[0].rack, "west");

  const auto plain = ask(9);
  EXPECT_EQ(plain.responses[0].partition_responses[1].error_code, ErrorCode::not_leader_or_follower);
  EXPECT_TRUE(plain.node_endpoints.empty());
}

TEST_F(LeaderHints, Fetch_NamesLeaderFromTwelveAndAddressFromSixteen) {
  const auto request = DataPlane::fetch_request(topic, {{1, 0}, {3, 0}});
  for (const std::int16_t version : {11, 12, 15, 16, 18}) {
    const auto response = plane.fetch(request, version);
    const auto& partition = response.responses[0].partitions[1];
    EXPECT_EQ(partition.error_code, ErrorCode::not_leader_or_follower);
    EXPECT_EQ(partition.current_leader.leader_id, version >= 12 ? kOther : -1) << version;
    EXPECT_EQ(response.node_endpoints.size(), version >= 16 ? 1U : 0U) << version;
  }
}

}  // namespace
}  // namespace tidegate
