// Metadata, DescribeCluster and DescribeTopicPartitions: what clients learn of brokers and topics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/api_harness.h"
#include "tidegate/protocol/messages/describe_cluster.h"
#include "tidegate/protocol/messages/describe_topic_partitions.h"
#include "tidegate/protocol/messages/metadata.h"

namespace tidegate {
namespace {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using test::ApiHarness;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int32_t kNotAsked = std::numeric_limits<std::int32_t>::min();

MetadataRequest by_name(std::vector<std::string> names) {
  MetadataRequest request;
  request.topics.emplace();
  for (auto& name : names) request.topics->push_back({.topic_id = {}, .name = std::move(name)});
  return request;
}
MetadataRequest all_topics() {
  MetadataRequest request;
  request.topics = std::nullopt;
  return request;
}
std::vector<std::string> names_of(const MetadataResponse& response) {
  std::vector<std::string> names;
  for (const auto& topic : response.topics) names.push_back(topic.name.value_or("(null)"));
  return names;
}

TEST(Metadata, EveryVersion_TellsBrokerAndPartitions) {
  ApiHarness harness({.node = 5, .rack = "r1"});
  const auto made = harness.make_topic("t", 2);
  for (std::int16_t version = 0; version <= 13; ++version) {
    SCOPED_TRACE(version);
    const auto response = harness.call<MetadataResponse>(by_name({"t"}), version);
    ASSERT_EQ(response.brokers.size(), 1U);
    EXPECT_EQ(response.brokers[0].node_id, 5);
    EXPECT_EQ(response.brokers[0].host, "broker.example");
    EXPECT_EQ(response.brokers[0].port, 19092);
    if (version >= 1) EXPECT_EQ(response.brokers[0].rack, "r1");
    if (version >= 1) EXPECT_EQ(response.controller_id, 5);
    if (version >= 2) EXPECT_EQ(response.cluster_id, "test-cluster");
    ASSERT_EQ(response.topics.size(), 1U);
    const auto& topic = response.topics[0];
    EXPECT_EQ(topic.error_code, ErrorCode::none);
    EXPECT_EQ(topic.name, "t");
    if (version >= 10) EXPECT_EQ(topic.topic_id, made->topic.id);
    EXPECT_FALSE(topic.is_internal);
    EXPECT_EQ(topic.topic_authorized_operations, kNotAsked);
    EXPECT_EQ(response.cluster_authorized_operations, kNotAsked);
    ASSERT_EQ(topic.partitions.size(), 2U);
    for (int i = 0; i < 2; ++i) {
      const auto& partition = topic.partitions[static_cast<std::size_t>(i)];
      EXPECT_EQ(partition.partition_index, i);
      EXPECT_EQ(partition.leader_id, 5);
      if (version >= 7) EXPECT_EQ(partition.leader_epoch, 0);
      EXPECT_THAT(partition.replica_nodes, ElementsAre(5));
      EXPECT_THAT(partition.isr_nodes, ElementsAre(5));
      EXPECT_THAT(partition.offline_replicas, IsEmpty());
    }
  }
}

TEST(Metadata, NoRack_IsNull) {
  ApiHarness harness;
  EXPECT_EQ(harness.call<MetadataResponse>(by_name({})).brokers.at(0).rack, std::nullopt);
}

TEST(Metadata, NullIsAll_EmptyIsNone_ExceptInVersion0) {
  ApiHarness harness;
  harness.make_topic("b");
  harness.make_topic("a");
  for (std::int16_t version = 1; version <= 13; ++version) {
    EXPECT_THAT(names_of(harness.call<MetadataResponse>(all_topics(), version)), ElementsAre("a", "b"));
    EXPECT_THAT(names_of(harness.call<MetadataResponse>(by_name({}), version)), IsEmpty());
  }
  EXPECT_THAT(names_of(harness.call<MetadataResponse>(by_name({}), 0)), ElementsAre("a", "b"));
}

TEST(Metadata, UnknownTopic_IsCreatedOnlyWhenBothSidesAllowIt) {
  ApiHarness harness({.config = {{"num.partitions", "3"}}});
  auto request = by_name({"wanted"});
  request.allow_auto_topic_creation = false;
  auto response = harness.call<MetadataResponse>(request, 4);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(response.topics[0].name, "wanted");
  EXPECT_EQ(harness.last_error(), 3);
  EXPECT_EQ(harness.find_topic("wanted"), nullptr);
  // Before version 4 a client cannot forbid it.
  response = harness.call<MetadataResponse>(by_name({"wanted"}), 3);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.topics[0].partitions.size(), 3U);
  EXPECT_NE(harness.find_topic("wanted"), nullptr);

  ApiHarness forbidding({.config = {{"auto.create.topics.enable", "false"}}});
  response = forbidding.call<MetadataResponse>(by_name({"wanted"}));
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(forbidding.find_topic("wanted"), nullptr);
}

TEST(Metadata, AutoCreateThatIsRefused_SaysWhy) {
  ApiHarness harness({.config = {{"max.partitions", "1"}}});
  harness.make_topic("a.b");
  const auto response = harness.call<MetadataResponse>(by_name({"a_b", "other"}));
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::invalid_topic_exception);
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::policy_violation);
}

TEST(Metadata, BadName_IsInvalidWhetherOrNotItCouldBeCreated) {
  ApiHarness harness;
  auto request = by_name({"no way"});
  for (const bool allow : {true, false}) {
    request.allow_auto_topic_creation = allow;
    EXPECT_EQ(harness.call<MetadataResponse>(request).topics.at(0).error_code,
              ErrorCode::invalid_topic_exception);
  }
}

TEST(Metadata, ById_FromVersion12) {
  ApiHarness harness;
  const auto made = harness.make_topic("t");
  SeededRng rng(9);
  const Uuid unknown = random_uuid(rng);
  MetadataRequest request;
  request.topics = {{.topic_id = made->topic.id, .name = std::nullopt},
                    {.topic_id = unknown, .name = std::nullopt},
                    {.topic_id = {}, .name = std::nullopt}};
  for (std::int16_t version = 12; version <= 13; ++version) {
    const auto response = harness.call<MetadataResponse>(request, version);
    ASSERT_EQ(response.topics.size(), 3U);
    EXPECT_EQ(response.topics[0].name, "t");
    EXPECT_EQ(response.topics[0].partitions.size(), 1U);
    EXPECT_EQ(response.topics[1].error_code, ErrorCode::unknown_topic_id);
    EXPECT_EQ(response.topics[1].name, std::nullopt);
    EXPECT_EQ(response.topics[1].topic_id, unknown);
    EXPECT_EQ(response.topics[2].error_code, ErrorCode::invalid_request);
  }
  request.topics = {{.topic_id = made->topic.id, .name = "t"}};
  for (std::int16_t version = 10; version <= 11; ++version) {
    EXPECT_EQ(harness.call<MetadataResponse>(request, version).topics.at(0).error_code,
              ErrorCode::invalid_request);
  }
}

TEST(Metadata, RepeatedTopics_AreAnsweredOnce) {
  ApiHarness harness;
  const auto made = harness.make_topic("t");
  auto request = by_name({"t", "t", "t"});
  request.topics->push_back({.topic_id = made->topic.id, .name = std::nullopt});
  request.topics->push_back({.topic_id = made->topic.id, .name = std::nullopt});
  EXPECT_EQ(harness.call<MetadataResponse>(request).topics.size(), 2U);
}

TEST(Metadata, AuthorizedOperations_WhenAskedFor) {
  ApiHarness harness;
  harness.make_topic("t");
  auto request = by_name({"t"});
  request.include_topic_authorized_operations = true;
  EXPECT_EQ(harness.call<MetadataResponse>(request, 13).topics.at(0).topic_authorized_operations, 3576);
  request.include_cluster_authorized_operations = true;
  EXPECT_EQ(harness.call<MetadataResponse>(request, 10).cluster_authorized_operations, 8096);
}

TEST(Metadata, KafkasInternalNames_AreFlagged) {
  ApiHarness harness;
  harness.make_topic("__consumer_offsets");
  EXPECT_TRUE(harness.call<MetadataResponse>(all_topics()).topics.at(0).is_internal);
}

TEST(Metadata, LeaderEpoch_IsTheEngines) {
  ApiHarness harness;
  const auto made = harness.make_topic("t");
  const auto response = harness.call<MetadataResponse>(by_name({"t"}));
  EXPECT_EQ(response.topics[0].partitions[0].leader_epoch,
            harness.engine().leader_epoch({made->topic.id, 0}));
}

TEST(DescribeCluster, EveryVersion_TellsTheBroker) {
  ApiHarness harness({.node = 3, .rack = "r"});
  for (std::int16_t version = 0; version <= 2; ++version) {
    DescribeClusterRequest request;
    const auto response = harness.call<DescribeClusterResponse>(request, version);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    EXPECT_EQ(response.error_message, std::nullopt);
    EXPECT_EQ(response.cluster_id, "test-cluster");
    EXPECT_EQ(response.controller_id, 3);
    ASSERT_EQ(response.brokers.size(), 1U);
    EXPECT_EQ(response.brokers[0].host, "broker.example");
    EXPECT_EQ(response.brokers[0].rack, "r");
    EXPECT_EQ(response.cluster_authorized_operations, kNotAsked);
    request.include_cluster_authorized_operations = true;
    EXPECT_EQ(harness.call<DescribeClusterResponse>(request, version).cluster_authorized_operations, 8096);
  }
}

TEST(DescribeCluster, OtherEndpointTypes_AreRefused) {
  ApiHarness harness;
  DescribeClusterRequest request;
  request.endpoint_type = 2;
  EXPECT_EQ(harness.call<DescribeClusterResponse>(request).error_code, ErrorCode::mismatched_endpoint_type);
  request.endpoint_type = 9;
  const auto response = harness.call<DescribeClusterResponse>(request);
  EXPECT_EQ(response.error_code, ErrorCode::unsupported_endpoint_type);
  EXPECT_TRUE(response.error_message);
  EXPECT_TRUE(response.brokers.empty());
}

class DescribeTopicPartitions : public ::testing::Test {
 protected:
  // "name:first-last" for each topic, or "name!code".
  std::string page(const DescribeTopicPartitionsRequest& request) {
    response_ = harness_.call<DescribeTopicPartitionsResponse>(request);
    std::string text;
    for (const auto& topic : response_.topics) {
      if (!text.empty()) text += ' ';
      text += topic.name.value_or("(null)");
      if (topic.error_code != ErrorCode::none) {
        text += "!" + std::to_string(static_cast<int>(topic.error_code));
      } else if (!topic.partitions.empty()) {
        text += ":" + std::to_string(topic.partitions.front().partition_index) + "-" +
                std::to_string(topic.partitions.back().partition_index);
      }
    }
    if (response_.next_cursor) {
      text += " > " + response_.next_cursor->topic_name + ":" +
              std::to_string(response_.next_cursor->partition_index);
    }
    return text;
  }
  static DescribeTopicPartitionsRequest asking(std::vector<std::string> names, std::int32_t limit = 2000) {
    DescribeTopicPartitionsRequest request;
    for (auto& name : names) request.topics.push_back({.name = std::move(name)});
    request.response_partition_limit = limit;
    return request;
  }
  static DescribeTopicPartitionsRequest::Cursor at(std::string name, std::int32_t partition) {
    return {.topic_name = std::move(name), .partition_index = partition};
  }
  ApiHarness harness_{{.config = {{"max.request.partition.size.limit", "4"}}}};
  DescribeTopicPartitionsResponse response_;
};

TEST_F(DescribeTopicPartitions, Topics_ComeInOrderEachOnceWithTheirErrors) {
  const auto made = harness_.make_topic("b", 1);
  harness_.make_topic("a", 2);
  EXPECT_EQ(page(asking({"b", "a", "none", "b", "no way"})), "a:0-1 b:0-0 no way!17 none!3");
  const auto& topic = response_.topics[1];
  EXPECT_EQ(topic.topic_id, made->topic.id);
  EXPECT_EQ(topic.topic_authorized_operations, 3576);
  EXPECT_EQ(topic.partitions[0].leader_id, 1);
  EXPECT_EQ(topic.partitions[0].leader_epoch, 0);
  EXPECT_THAT(topic.partitions[0].replica_nodes, ElementsAre(1));
  EXPECT_THAT(topic.partitions[0].isr_nodes, ElementsAre(1));
}

TEST_F(DescribeTopicPartitions, Pages_FollowTheCursorToTheEnd) {
  harness_.make_topic("a", 3);
  harness_.make_topic("b", 2);
  harness_.make_topic("c", 1);
  auto request = asking({}, 2);
  std::vector<std::string> pages;
  for (int i = 0; i < 10; ++i) {
    pages.push_back(page(request));
    if (!response_.next_cursor) break;
    request.cursor = at(response_.next_cursor->topic_name, response_.next_cursor->partition_index);
  }
  EXPECT_THAT(pages, ElementsAre("a:0-1 > a:2", "a:2-2 b:0-0 > b:1", "b:1-1 c:0-0"));
}

TEST_F(DescribeTopicPartitions, CursorAtATopicsEnd_PointsToTheNextTopic) {
  harness_.make_topic("a", 2);
  harness_.make_topic("b", 1);
  EXPECT_EQ(page(asking({}, 2)), "a:0-1 > b:0");
}

TEST_F(DescribeTopicPartitions, Limit_IsTheServersOrOneAtLeast) {
  harness_.make_topic("a", 9);
  EXPECT_EQ(page(asking({"a"}, 2000)), "a:0-3 > a:4");
  EXPECT_EQ(page(asking({"a"}, 0)), "a:0-0 > a:1");
  EXPECT_EQ(page(asking({"a"}, -5)), "a:0-0 > a:1");
}

TEST_F(DescribeTopicPartitions, CursorOfATopicThatIsGone_GoesOnBehindIt) {
  harness_.make_topic("a", 1);
  harness_.make_topic("c", 1);
  auto request = asking({});
  request.cursor = at("b", 1);
  EXPECT_EQ(page(request), "c:0-0");
  request.cursor = at("c", 7);
  EXPECT_EQ(page(request), "c");
}

TEST_F(DescribeTopicPartitions, BadCursor_IsAnErrorForEveryTopic) {
  harness_.make_topic("a", 1);
  auto request = asking({"a"});
  request.cursor = at("a", -1);
  EXPECT_EQ(page(request), "a!42");
  request.cursor = at("b", 0);
  EXPECT_EQ(page(request), "a!42");
  EXPECT_EQ(harness_.last_error(), 42);
}

}  // namespace
}  // namespace tidegate
