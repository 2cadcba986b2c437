// CreateTopics, DeleteTopics, CreatePartitions: the error code of every case, through encoded requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/api_harness.h"
#include "tidegate/protocol/messages/create_partitions.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/delete_topics.h"

namespace tidegate {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using test::ApiHarness;
using ::testing::HasSubstr;

CreateTopicsRequest::CreatableTopic topic(std::string name, std::int32_t partitions = 1,
                                          std::int16_t replicas = 1) {
  CreateTopicsRequest::CreatableTopic made;
  made.name = std::move(name);
  made.num_partitions = partitions;
  made.replication_factor = replicas;
  return made;
}

CreateTopicsRequest::CreatableTopic assigned(
    std::string name, std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> parts) {
  auto made = topic(std::move(name), -1, -1);
  for (auto& [index, brokers] : parts) {
    auto& assignment = made.assignments.emplace_back();
    assignment.partition_index = index;
    assignment.broker_ids = std::move(brokers);
  }
  return made;
}

class CreateTopics : public ::testing::Test {
 protected:
  CreateTopicsResponse create(std::vector<CreateTopicsRequest::CreatableTopic> topics,
                              std::int16_t version = 7, bool validate_only = false) {
    CreateTopicsRequest request;
    request.topics = std::move(topics);
    request.validate_only = validate_only;
    return harness_.call<CreateTopicsResponse>(request, version);
  }
  CreateTopicsResponse::CreatableTopicResult create_one(CreateTopicsRequest::CreatableTopic wanted) {
    auto response = create({std::move(wanted)});
    EXPECT_EQ(response.topics.size(), 1U);
    return response.topics.empty() ? CreateTopicsResponse::CreatableTopicResult{} : response.topics.front();
  }
  ErrorCode error_of(CreateTopicsRequest::CreatableTopic wanted) {
    const auto result = create_one(std::move(wanted));
    EXPECT_EQ(result.error_code == ErrorCode::none, !result.error_message.has_value());
    EXPECT_EQ(harness_.last_error(), static_cast<std::int16_t>(result.error_code));
    return result.error_code;
  }
  ApiHarness harness_;
};

TEST_F(CreateTopics, Created_AreCountedInTheBrokersGauges) {
  auto& metrics = harness_.shards().metrics();
  create({topic("a", 3), topic("b", 4)});
  EXPECT_EQ(metrics.gauge("tidegate_broker_topics", "").value(), 2);
  EXPECT_EQ(metrics.gauge("tidegate_broker_partitions", "").value(), 7);
}

TEST_F(CreateTopics, EveryVersion_CreatesAndTellsWhatItCan) {
  for (std::int16_t version = 2; version <= 7; ++version) {
    SCOPED_TRACE(version);
    const std::string name = "topic-" + std::to_string(version);
    const auto response = create({topic(name, 3)}, version);
    ASSERT_EQ(response.topics.size(), 1U);
    const auto& result = response.topics[0];
    EXPECT_EQ(result.name, name);
    EXPECT_EQ(result.error_code, ErrorCode::none);
    EXPECT_FALSE(result.error_message);
    const auto found = harness_.find_topic(name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->topic.partitions, 3);
    if (version >= 7) EXPECT_EQ(result.topic_id, found->topic.id);
    if (version >= 5) {
      EXPECT_EQ(result.num_partitions, 3);
      EXPECT_EQ(result.replication_factor, 1);
      EXPECT_EQ(result.configs->size(), test::plain_topic_configs());
    }
  }
}

TEST_F(CreateTopics, Configs_AreReturnedWithTheirSource) {
  auto wanted = topic("t");
  wanted.configs = {{"retention.ms", " 60000 "}};
  const auto result = create_one(wanted);
  for (const auto& config : *result.configs) {
    EXPECT_FALSE(config.read_only);
    EXPECT_FALSE(config.is_sensitive);
    if (config.name == "retention.ms") {
      EXPECT_EQ(config.value, "60000");
      EXPECT_EQ(config.config_source, 1);
    } else {
      EXPECT_EQ(config.config_source, 5) << config.name;
    }
  }
}

TEST_F(CreateTopics, MinusOne_IsTheServersDefault) {
  const auto result = create_one(topic("t", -1, -1));
  EXPECT_EQ(result.error_code, ErrorCode::none);
  EXPECT_EQ(result.num_partitions, 1);
  EXPECT_EQ(result.replication_factor, 1);
}

TEST_F(CreateTopics, BadTopics_HaveKafkasCodes) {
  EXPECT_EQ(error_of(topic("t")), ErrorCode::none);
  EXPECT_EQ(error_of(topic("t")), ErrorCode::topic_already_exists);
  EXPECT_EQ(error_of(topic("")), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of(topic("no way")), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of(topic("u", 0)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(topic("u", -2)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(topic("u", 1, 2)), ErrorCode::invalid_replication_factor);
  EXPECT_EQ(error_of(topic("u", 1, 0)), ErrorCode::invalid_replication_factor);
  EXPECT_EQ(error_of(topic("u", 1, -2)), ErrorCode::invalid_replication_factor);
  EXPECT_EQ(error_of(topic("u", 10'001)), ErrorCode::policy_violation);
  EXPECT_EQ(error_of(topic("a.b")), ErrorCode::none);
  EXPECT_EQ(error_of(topic("a_b")), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(harness_.find_topic("u"), nullptr);
}

TEST_F(CreateTopics, BadConfigs_AreInvalidConfig) {
  auto wanted = topic("t");
  wanted.configs = {{"retention.m", "1"}};
  EXPECT_THAT(*create_one(wanted).error_message, HasSubstr("retention.ms"));
  EXPECT_EQ(error_of(wanted), ErrorCode::invalid_config);
  wanted.configs = {{"cleanup.policy", "shred"}};
  EXPECT_EQ(error_of(wanted), ErrorCode::invalid_config);
  wanted.configs = {{"retention.ms", std::nullopt}};
  EXPECT_EQ(error_of(wanted), ErrorCode::invalid_config);
  EXPECT_EQ(harness_.find_topic("t"), nullptr);
}

TEST_F(CreateTopics, ManualAssignment_IsCheckedAndCounts) {
  const auto made = create_one(assigned("t", {{1, {1}}, {0, {1}}}));
  EXPECT_EQ(made.error_code, ErrorCode::none);
  EXPECT_EQ(made.num_partitions, 2);
  EXPECT_EQ(error_of(assigned("u", {{0, {1}}, {2, {1}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(assigned("u", {{1, {1}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(assigned("u", {{0, {1}}, {0, {1}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(assigned("u", {{0, {}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(assigned("u", {{0, {2}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(assigned("u", {{0, {1, 1}}})), ErrorCode::invalid_replica_assignment);
  auto both = assigned("u", {{0, {1}}});
  both.num_partitions = 1;
  EXPECT_EQ(error_of(both), ErrorCode::invalid_request);
  both.num_partitions = -1;
  both.replication_factor = 1;
  EXPECT_EQ(error_of(both), ErrorCode::invalid_request);
}

TEST_F(CreateTopics, RepeatedName_IsRefusedOnceAndOthersGoOn) {
  const auto response = create({topic("twice"), topic("fine"), topic("twice"), topic("twice")});
  ASSERT_EQ(response.topics.size(), 2U);
  EXPECT_EQ(response.topics[0].name, "twice");
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::none);
  EXPECT_EQ(harness_.find_topic("twice"), nullptr);
}

TEST_F(CreateTopics, ValidateOnly_ChecksAndMakesNothing) {
  const auto response = create({topic("t", 2), topic("bad name")}, 7, true);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.topics[0].num_partitions, 2);
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::invalid_topic_exception);
  EXPECT_EQ(harness_.find_topic("t"), nullptr);
}

TEST_F(CreateTopics, NoTopics_IsAnEmptyAnswer) { EXPECT_TRUE(create({}).topics.empty()); }

TEST_F(CreateTopics, MalformedBody_ClosesTheConnection) {
  const api::Reply reply = harness_.invoke(19, 7, SharedBuffer::copy_of(as_bytes("\xff\xff\xff\xff")));
  EXPECT_TRUE(reply.close);
  EXPECT_FALSE(reply.send);
}

class DeleteTopics : public ::testing::Test {
 protected:
  DeleteTopicsResponse remove(std::vector<DeleteTopicsRequest::DeleteTopicState> topics) {
    DeleteTopicsRequest request;
    request.topics = std::move(topics);
    return harness_.call<DeleteTopicsResponse>(request, 6);
  }
  ApiHarness harness_;
};

TEST_F(DeleteTopics, ByName_InEveryVersion) {
  for (std::int16_t version = 1; version <= 5; ++version) {
    harness_.make_topic("t");
    DeleteTopicsRequest request;
    request.topic_names = {"t", "none"};
    const auto response = harness_.call<DeleteTopicsResponse>(request, version);
    ASSERT_EQ(response.responses.size(), 2U);
    EXPECT_EQ(response.responses[0].name, "t");
    EXPECT_EQ(response.responses[0].error_code, ErrorCode::none);
    EXPECT_EQ(response.responses[1].error_code, ErrorCode::unknown_topic_or_partition);
    EXPECT_EQ(harness_.find_topic("t"), nullptr);
  }
}

TEST_F(DeleteTopics, ByNameAndById) {
  const auto a = harness_.make_topic("a");
  const auto b = harness_.make_topic("b");
  const auto response =
      remove({{.name = "a", .topic_id = {}}, {.name = std::nullopt, .topic_id = b->topic.id}});
  ASSERT_EQ(response.responses.size(), 2U);
  EXPECT_EQ(response.responses[0].topic_id, a->topic.id);
  EXPECT_EQ(response.responses[1].name, "b");
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::none);
  EXPECT_FALSE(response.responses[1].error_message);
  EXPECT_EQ(harness_.find_topic("a"), nullptr);
  EXPECT_EQ(harness_.find_topic("b"), nullptr);
}

TEST_F(DeleteTopics, UnknownId_HasItsOwnCodeAndNoName) {
  SeededRng rng(1);
  const Uuid id = random_uuid(rng);
  const auto response = remove({{.name = std::nullopt, .topic_id = id}});
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::unknown_topic_id);
  EXPECT_EQ(response.responses[0].name, std::nullopt);
  EXPECT_EQ(response.responses[0].topic_id, id);
}

TEST_F(DeleteTopics, BothOrNeitherOfNameAndId_AreRefused) {
  const auto a = harness_.make_topic("a");
  const auto response =
      remove({{.name = "a", .topic_id = a->topic.id}, {.name = std::nullopt, .topic_id = {}}});
  ASSERT_EQ(response.responses.size(), 2U);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::invalid_request);
  EXPECT_NE(harness_.find_topic("a"), nullptr);
}

TEST_F(DeleteTopics, RepeatedTopics_AreRefusedOnce) {
  const auto a = harness_.make_topic("a");
  const auto b = harness_.make_topic("b");
  const auto c = harness_.make_topic("c");
  const auto response = remove({{.name = "a", .topic_id = {}},
                                {.name = "a", .topic_id = {}},
                                {.name = std::nullopt, .topic_id = b->topic.id},
                                {.name = std::nullopt, .topic_id = b->topic.id},
                                {.name = "c", .topic_id = {}},
                                {.name = std::nullopt, .topic_id = c->topic.id}});
  ASSERT_EQ(response.responses.size(), 4U);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.responses[2].error_code, ErrorCode::none);
  EXPECT_EQ(response.responses[3].error_code, ErrorCode::invalid_request);
  EXPECT_NE(harness_.find_topic("a"), nullptr);
  EXPECT_NE(harness_.find_topic("b"), nullptr);
  EXPECT_EQ(harness_.find_topic("c"), nullptr);
}

TEST(DeleteTopicsDisabled, IsToldInTheWordsOfTheVersion) {
  ApiHarness harness({.config = {{"delete.topic.enable", "false"}}});
  harness.make_topic("t");
  DeleteTopicsRequest request;
  request.topic_names = {"t"};
  for (std::int16_t version = 1; version <= 5; ++version) {
    const auto response = harness.call<DeleteTopicsResponse>(request, version);
    EXPECT_EQ(response.responses[0].error_code,
              version < 3 ? ErrorCode::invalid_request : ErrorCode::topic_deletion_disabled);
  }
  EXPECT_NE(harness.find_topic("t"), nullptr);
}

class CreatePartitions : public ::testing::Test {
 protected:
  CreatePartitionsResponse grow(std::vector<CreatePartitionsRequest::CreatePartitionsTopic> topics,
                                std::int16_t version = 3, bool validate_only = false) {
    CreatePartitionsRequest request;
    request.topics = std::move(topics);
    request.validate_only = validate_only;
    return harness_.call<CreatePartitionsResponse>(request, version);
  }
  static CreatePartitionsRequest::CreatePartitionsTopic to(
      std::string name, std::int32_t count,
      std::optional<std::vector<std::vector<std::int32_t>>> brokers = {}) {
    CreatePartitionsRequest::CreatePartitionsTopic asked;
    asked.name = std::move(name);
    asked.count = count;
    asked.assignments = std::nullopt;
    if (brokers) {
      asked.assignments.emplace();
      for (auto& ids : *brokers) asked.assignments->emplace_back().broker_ids = std::move(ids);
    }
    return asked;
  }
  ErrorCode error_of(CreatePartitionsRequest::CreatePartitionsTopic asked) {
    return grow({std::move(asked)}).results.at(0).error_code;
  }
  ApiHarness harness_;
};

TEST_F(CreatePartitions, GrowsInEveryVersion) {
  harness_.make_topic("t", 1);
  for (std::int16_t version = 0; version <= 3; ++version) {
    const auto response = grow({to("t", 2 + version)}, version);
    ASSERT_EQ(response.results.size(), 1U);
    EXPECT_EQ(response.results[0].error_code, ErrorCode::none);
    EXPECT_FALSE(response.results[0].error_message);
    EXPECT_EQ(harness_.find_topic("t")->topic.partitions, 2 + version);
  }
}

TEST_F(CreatePartitions, Refusals_HaveKafkasCodes) {
  harness_.make_topic("t", 3);
  EXPECT_EQ(error_of(to("none", 4)), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of(to("t", 3)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(to("t", 2)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(to("t", 0)), ErrorCode::invalid_partitions);
  EXPECT_EQ(error_of(to("t", 100'000)), ErrorCode::policy_violation);
  EXPECT_EQ(error_of(to("t", 5, {{{1}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(to("t", 4, {{{1}, {1}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(to("t", 4, {{{2}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(to("t", 4, {{{}}})), ErrorCode::invalid_replica_assignment);
  EXPECT_EQ(error_of(to("t", 3, {{{1}}})), ErrorCode::invalid_partitions);
  EXPECT_EQ(harness_.find_topic("t")->topic.partitions, 3);
  EXPECT_EQ(error_of(to("t", 4, {{{1}}})), ErrorCode::none);
}

TEST_F(CreatePartitions, ValidateOnly_LeavesTheTopicAlone) {
  harness_.make_topic("t", 1);
  EXPECT_EQ(grow({to("t", 4)}, 3, true).results[0].error_code, ErrorCode::none);
  EXPECT_EQ(grow({to("t", 1)}, 3, true).results[0].error_code, ErrorCode::invalid_partitions);
  EXPECT_EQ(harness_.find_topic("t")->topic.partitions, 1);
}

TEST_F(CreatePartitions, RepeatedTopic_IsRefusedOnce) {
  harness_.make_topic("t", 1);
  harness_.make_topic("u", 1);
  const auto response = grow({to("t", 2), to("t", 3), to("u", 2)});
  ASSERT_EQ(response.results.size(), 2U);
  EXPECT_EQ(response.results[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.results[1].error_code, ErrorCode::none);
  EXPECT_EQ(harness_.find_topic("t")->topic.partitions, 1);
}

}  // namespace
}  // namespace tidegate
