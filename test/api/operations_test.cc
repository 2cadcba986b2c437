// What console tools and operators ask: log directories, reassignments, the quorum, config resources,
// producers, elections. Every error code of each, through encoded requests of every version.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data_plane.h"
#include "tidegate/protocol/messages/describe_log_dirs.h"
#include "tidegate/protocol/messages/describe_producers.h"
#include "tidegate/protocol/messages/describe_quorum.h"
#include "tidegate/protocol/messages/elect_leaders.h"
#include "tidegate/protocol/messages/list_config_resources.h"
#include "tidegate/protocol/messages/list_partition_reassignments.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: many messages
using test::ApiHarness;
using test::DataPlane;
using test::from_producer;
using test::make_batch;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Operations : public ::testing::Test {
 protected:
  DataPlane plane;
  ApiHarness& api = plane.api;
};

// ------------------------------------------------------------------------------- DescribeLogDirs

TEST_F(Operations, LogDirs_HaveTheSizeOfEachPartitionInEveryVersion) {
  const auto topic = api.make_topic("sized", 3);
  const SharedBuffer batch = make_batch(10).bytes;
  plane.produce(topic, 1, batch);
  for (std::int16_t version = 1; version <= 5; ++version) {
    SCOPED_TRACE(version);
    DescribeLogDirsRequest request;
    request.topics = std::nullopt;
    const auto response = api.call<DescribeLogDirsResponse>(request, version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.results.size(), 1U);
    const auto& directory = response.results[0];
    EXPECT_EQ(directory.error_code, ErrorCode::none);
    EXPECT_FALSE(directory.log_dir.empty());
    EXPECT_FALSE(directory.is_cordoned);
    EXPECT_EQ(directory.total_bytes, -1);  // records in memory are on no volume
    ASSERT_EQ(directory.topics.size(), 1U);
    ASSERT_EQ(directory.topics[0].partitions.size(), 3U);
    const auto& partitions = directory.topics[0].partitions;
    EXPECT_EQ(partitions[0].partition_size, 0);
    EXPECT_EQ(partitions[1].partition_size, static_cast<std::int64_t>(batch.size()));
    EXPECT_EQ(partitions[1].offset_lag, 0);
    EXPECT_FALSE(partitions[1].is_future_key);
  }
}

TEST_F(Operations, LogDirs_OfSomePartitionsLeaveOutWhatDoesNotExist) {
  api.make_topic("a", 2);
  api.make_topic("b", 1);
  DescribeLogDirsRequest request;
  request.topics = {{.topic = "a", .partitions = {1, 1, 2, -1}}, {.topic = "none", .partitions = {0}}};
  const auto response = api.call<DescribeLogDirsResponse>(request);
  ASSERT_EQ(response.results.size(), 1U);
  ASSERT_EQ(response.results[0].topics.size(), 1U);
  EXPECT_EQ(response.results[0].topics[0].name, "a");
  ASSERT_EQ(response.results[0].topics[0].partitions.size(), 1U);
  EXPECT_EQ(response.results[0].topics[0].partitions[0].partition_index, 1);
}

// Two nodes: the other one leads every odd partition.
class OddElsewhere final : public storage::Cluster {
 public:
  const std::string& cluster_id() const override { return id_; }
  NodeId self() const override { return 1; }
  std::vector<storage::Member> members() const override {
    return {{.node = 1, .rack = {}, .endpoints = {}}, {.node = 2, .rack = {}, .endpoints = {}}};
  }
  Owner owner_of(const PartitionId& partition) const override {
    return {.node = partition.index % 2 == 0 ? 1 : 2, .epoch = 0};
  }
  Owner owner_of_group(std::string_view) const override { return {.node = 1, .epoch = 0}; }
  void on_lost(std::function<void(const PartitionId&)>) override {}

 private:
  std::string id_ = "odd";
};

TEST(OperationsOfTwoNodes, LogDirs_HaveThePartitionsOfThisNode) {
  OddElsewhere cluster;
  DataPlane plane{{.cluster = &cluster}};
  plane.api.make_topic("t", 4);
  DescribeLogDirsRequest request;
  request.topics = std::nullopt;
  const auto response = plane.api.call<DescribeLogDirsResponse>(request);
  ASSERT_EQ(response.results.at(0).topics.size(), 1U);
  EXPECT_EQ(response.results[0].error_code, ErrorCode::none);
  std::vector<std::int32_t> indexes;
  for (const auto& partition : response.results[0].topics[0].partitions)
    indexes.push_back(partition.partition_index);
  EXPECT_THAT(indexes, ElementsAre(0, 2));
}

TEST_F(Operations, LogDirs_WithoutTopicsHaveOneEmptyDirectory) {
  const auto response = api.call<DescribeLogDirsResponse>(DescribeLogDirsRequest{});
  ASSERT_EQ(response.results.size(), 1U);
  EXPECT_THAT(response.results[0].topics, IsEmpty());
}

TEST_F(Operations, LogDirs_AfterARestartKnowLogsThatNobodyHasUsedYet) {
  const auto topic = api.make_topic("kept");
  const SharedBuffer batch = make_batch(3).bytes;
  plane.produce(topic, 0, batch);
  api.restart_broker();
  DescribeLogDirsRequest request;
  request.topics = std::nullopt;
  const auto response = api.call<DescribeLogDirsResponse>(request);
  EXPECT_EQ(response.results.at(0).topics.at(0).partitions.at(0).partition_size,
            static_cast<std::int64_t>(batch.size()));
}

// -------------------------------------------------------------------- ListPartitionReassignments

TEST_F(Operations, Reassignments_AreNoneWhateverIsAskedFor) {
  api.make_topic("t", 2);
  ListPartitionReassignmentsRequest request;
  for (const bool all : {true, false}) {
    if (!all)
      request.topics = {{.name = "t", .partition_indexes = {0, 7}},
                        {.name = "none", .partition_indexes = {0}}};
    const auto response = api.call<ListPartitionReassignmentsResponse>(request);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    EXPECT_FALSE(response.error_message);
    EXPECT_THAT(response.topics, IsEmpty());
  }
}

// --------------------------------------------------------------------------------- DescribeQuorum

DescribeQuorumRequest quorum_of(std::string topic, std::vector<std::int32_t> partitions) {
  DescribeQuorumRequest request;
  auto& asked = request.topics.emplace_back();
  asked.topic_name = std::move(topic);
  for (const std::int32_t partition : partitions) asked.partitions.push_back({partition});
  return request;
}

TEST_F(Operations, Quorum_IsThisServerAloneInEveryVersion) {
  for (std::int16_t version = 0; version <= 2; ++version) {
    SCOPED_TRACE(version);
    const auto response = api.call<DescribeQuorumResponse>(quorum_of("__cluster_metadata", {0}), version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.topics.size(), 1U);
    ASSERT_EQ(response.topics[0].partitions.size(), 1U);
    const auto& partition = response.topics[0].partitions[0];
    EXPECT_EQ(partition.error_code, ErrorCode::none);
    EXPECT_EQ(partition.leader_id, 1);
    ASSERT_EQ(partition.current_voters.size(), 1U);
    EXPECT_EQ(partition.current_voters[0].replica_id, 1);
    EXPECT_EQ(partition.current_voters[0].log_end_offset, -1);
    EXPECT_THAT(partition.observers, IsEmpty());
    if (version >= 1) EXPECT_GT(partition.current_voters[0].last_caught_up_timestamp, 0);
    if (version < 2) continue;
    ASSERT_EQ(response.nodes.size(), 1U);
    EXPECT_EQ(response.nodes[0].node_id, 1);
    ASSERT_EQ(response.nodes[0].listeners.size(), 1U);
    EXPECT_EQ(response.nodes[0].listeners[0].name, "PLAINTEXT");
    EXPECT_EQ(response.nodes[0].listeners[0].host, "broker.example");
    EXPECT_EQ(response.nodes[0].listeners[0].port, 19092);
  }
}

TEST_F(Operations, Quorum_OfAnythingElseIsUnknown) {
  api.make_topic("t");
  for (const auto& request :
       {quorum_of("t", {0}), quorum_of("__cluster_metadata", {1}), quorum_of("__cluster_metadata", {0, 1})}) {
    const auto response = api.call<DescribeQuorumResponse>(request);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.topics.size(), 1U);
    for (const auto& partition : response.topics[0].partitions) {
      EXPECT_EQ(partition.error_code, ErrorCode::unknown_topic_or_partition);
      EXPECT_THAT(partition.current_voters, IsEmpty());
    }
    EXPECT_THAT(response.nodes, IsEmpty());
    EXPECT_EQ(api.last_error(), 3);
  }
}

// ---------------------------------------------------------------------------- ListConfigResources

std::vector<std::pair<int, std::string>> names(const ListConfigResourcesResponse& response) {
  std::vector<std::pair<int, std::string>> out;
  for (const auto& resource : response.config_resources)
    out.emplace_back(resource.resource_type, resource.resource_name);
  return out;
}

TEST_F(Operations, ConfigResources_OfVersion0AreClientMetrics) {
  api.make_topic("t");
  const auto response = api.call<ListConfigResourcesResponse>(ListConfigResourcesRequest{}, 0);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  EXPECT_THAT(response.config_resources, IsEmpty());
}

TEST_F(Operations, ConfigResources_AreTopicsAndThisServer) {
  api.make_topic("b");
  api.make_topic("a");
  using Pair = std::pair<int, std::string>;
  const auto ask = [&](std::vector<std::int8_t> types) {
    ListConfigResourcesRequest request;
    request.resource_types = std::move(types);
    return names(api.call<ListConfigResourcesResponse>(request, 1));
  };
  EXPECT_THAT(ask({}), ElementsAre(Pair(2, "a"), Pair(2, "b"), Pair(4, "1")));
  EXPECT_THAT(ask({2}), ElementsAre(Pair(2, "a"), Pair(2, "b")));
  EXPECT_THAT(ask({4, 32}), ElementsAre(Pair(4, "1")));
  EXPECT_THAT(ask({8, 16, 32}), IsEmpty());
}

TEST_F(Operations, ConfigResources_OfAnUnknownTypeAreRefused) {
  ListConfigResourcesRequest request;
  request.resource_types = {2, 3};
  const auto response = api.call<ListConfigResourcesResponse>(request, 1);
  EXPECT_EQ(response.error_code, ErrorCode::unsupported_version);
  EXPECT_THAT(response.config_resources, IsEmpty());
}

// ------------------------------------------------------------------------------ DescribeProducers

DescribeProducersRequest producers_of(std::string topic, std::vector<std::int32_t> partitions) {
  DescribeProducersRequest request;
  request.topics = {{.name = std::move(topic), .partition_indexes = std::move(partitions)}};
  return request;
}

TEST_F(Operations, Producers_AreThoseThatThePartitionRemembers) {
  const auto topic = api.make_topic("t", 2);
  plane.produce(topic, 0, make_batch(3, from_producer(70, 2, 0), 1'700'000'000'000).bytes);
  plane.produce(topic, 0, make_batch(2, from_producer(70, 2, 3), 1'700'000'005'000).bytes);
  plane.produce(topic, 0, make_batch(1, from_producer(71, 0, 0), 1'700'000'009'000).bytes);
  plane.produce(topic, 0, make_batch(4).bytes);  // has no producer id
  const auto response = api.call<DescribeProducersResponse>(producers_of("t", {0, 1}));
  ASSERT_EQ(response.topics.size(), 1U);
  ASSERT_EQ(response.topics[0].partitions.size(), 2U);
  const auto& first = response.topics[0].partitions[0];
  EXPECT_EQ(first.error_code, ErrorCode::none);
  ASSERT_EQ(first.active_producers.size(), 2U);
  EXPECT_EQ(first.active_producers[0].producer_id, 70);
  EXPECT_EQ(first.active_producers[0].producer_epoch, 2);
  EXPECT_EQ(first.active_producers[0].last_sequence, 4);
  EXPECT_EQ(first.active_producers[0].last_timestamp, 1'700'000'005'001);
  EXPECT_EQ(first.active_producers[0].coordinator_epoch, -1);
  EXPECT_EQ(first.active_producers[0].current_txn_start_offset, -1);
  EXPECT_EQ(first.active_producers[1].producer_id, 71);
  EXPECT_EQ(first.active_producers[1].last_sequence, 0);
  EXPECT_THAT(response.topics[0].partitions[1].active_producers, IsEmpty());
}

TEST_F(Operations, Producers_OfAPartitionAreToldOnce) {
  const auto topic = api.make_topic("t", 2);
  plane.produce(topic, 0, make_batch(3, from_producer(70, 2, 0)).bytes);
  const auto response = api.call<DescribeProducersResponse>(producers_of("t", {0, 1, 0}));
  const auto& told = response.topics.at(0).partitions;
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].active_producers.size(), 1U);
  EXPECT_EQ(told[1].error_code, ErrorCode::none);
  EXPECT_EQ(told[2].error_code, ErrorCode::invalid_request);
  EXPECT_THAT(told[2].active_producers, IsEmpty());
}

TEST_F(Operations, Producers_OfWhatDoesNotExistHaveKafkasCodes) {
  api.make_topic("t");
  const auto error_of = [&](std::string topic, std::int32_t partition) {
    const auto response = api.call<DescribeProducersResponse>(producers_of(std::move(topic), {partition}));
    const auto& told = response.topics.at(0).partitions.at(0);
    EXPECT_EQ(told.partition_index, partition);
    EXPECT_EQ(told.error_message.has_value(), told.error_code != ErrorCode::none);
    EXPECT_EQ(api.last_error(), static_cast<std::int16_t>(told.error_code));
    return told.error_code;
  };
  EXPECT_EQ(error_of("t", 0), ErrorCode::none);
  EXPECT_EQ(error_of("t", 1), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of("t", -1), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of("none", 0), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of("no way", 0), ErrorCode::invalid_topic_exception);
}

// ------------------------------------------------------------------------------------ ElectLeaders

TEST_F(Operations, Elections_AreNotNeededInEveryVersion) {
  api.make_topic("t", 2);
  for (std::int16_t version = 0; version <= 2; ++version) {
    SCOPED_TRACE(version);
    ElectLeadersRequest request;
    request.topic_partitions = {{.topic = "t", .partitions = {0, 1, 2}},
                                {.topic = "none", .partitions = {0}}};
    request.election_type = version >= 1 ? 1 : 0;
    const auto response = api.call<ElectLeadersResponse>(request, version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.replica_election_results.size(), 2U);
    const auto& of_t = response.replica_election_results[0].partition_result;
    ASSERT_EQ(of_t.size(), 3U);
    EXPECT_EQ(of_t[0].error_code, ErrorCode::election_not_needed);
    EXPECT_EQ(of_t[1].error_code, ErrorCode::election_not_needed);
    EXPECT_EQ(of_t[2].error_code, ErrorCode::unknown_topic_or_partition);
    EXPECT_TRUE(of_t[2].error_message);
    const auto& of_none = response.replica_election_results[1].partition_result;
    EXPECT_EQ(of_none.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  }
}

TEST_F(Operations, Elections_OfEverythingHaveNothingToTell) {
  api.make_topic("t", 2);
  ElectLeadersRequest request;
  request.topic_partitions = std::nullopt;
  const auto response = api.call<ElectLeadersResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  EXPECT_THAT(response.replica_election_results, IsEmpty());
}

TEST_F(Operations, Elections_OfAnUnknownKindAreRefused) {
  api.make_topic("t");
  ElectLeadersRequest request;
  request.topic_partitions = {{.topic = "t", .partitions = {0}}};
  request.election_type = 2;
  const auto response = api.call<ElectLeadersResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::invalid_request);
  EXPECT_THAT(response.replica_election_results, IsEmpty());
}

}  // namespace
}  // namespace tidegate
