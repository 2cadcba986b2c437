// Leader hints (KIP-951): a cluster in which another node leads every odd partition.
#include <gtest/gtest.h>

#include "data_plane.h"

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
    return {.node = partition.index % 2 == 0 ? 1 : kOther, .epoch = 4};
  }
  Owner owner_of_group(std::string_view) const override { return {.node = 1, .epoch = 0}; }
  void on_lost(std::function<void(const PartitionId&)>) override {}

 private:
  std::string id_ = "two";
};

class LeaderHints : public ::testing::Test {
 protected:
  TwoNodes cluster;
  DataPlane plane{{.cluster = &cluster}};
  broker::CatalogueTopicPtr topic = plane.api.make_topic("t", 4);
};

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
    EXPECT_EQ(partitions[i].current_leader.leader_epoch, 4);
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
