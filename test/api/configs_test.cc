// DescribeConfigs, IncrementalAlterConfigs and AlterConfigs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault_engine.h"
#include "support/api_harness.h"
#include "tidegate/protocol/messages/alter_configs.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/describe_configs.h"
#include "tidegate/protocol/messages/incremental_alter_configs.h"

namespace tidegate {
namespace {

using protocol::AlterConfigsRequest;
using protocol::AlterConfigsResponse;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;
using test::ApiHarness;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int8_t kTopic = 2;
constexpr std::int8_t kBroker = 4;
using Config = DescribeConfigsResponse::DescribeConfigsResourceResult;

DescribeConfigsRequest describing(std::int8_t type, std::string name,
                                  std::optional<std::vector<std::string>> keys = std::nullopt) {
  DescribeConfigsRequest request;
  request.resources = {
      {.resource_type = type, .resource_name = std::move(name), .configuration_keys = std::move(keys)}};
  return request;
}
const Config* find(const std::vector<Config>& configs, std::string_view name) {
  const auto at = std::ranges::find(configs, name, &Config::name);
  return at == configs.end() ? nullptr : &*at;
}
std::string chain(const Config& config) {
  std::string text;
  for (const auto& synonym : config.synonyms) {
    text += synonym.name + "=" + synonym.value.value_or("null") + "@" + std::to_string(synonym.source) + " ";
  }
  return text;
}

TEST(DescribeConfigs, Topic_ShowsEveryKeyInEveryVersion) {
  ApiHarness harness({.config = {{"log.retention.hours", "1"}}});
  harness.make_topic("t", 1, {{"segment.ms", "9"}});
  for (std::int16_t version = 1; version <= 4; ++version) {
    SCOPED_TRACE(version);
    auto request = describing(kTopic, "t");
    request.include_synonyms = true;
    request.include_documentation = version >= 3;
    const auto response = harness.call<DescribeConfigsResponse>(request, version);
    ASSERT_EQ(response.results.size(), 1U);
    const auto& result = response.results[0];
    EXPECT_EQ(result.error_code, ErrorCode::none);
    EXPECT_EQ(result.error_message, "");
    EXPECT_EQ(result.resource_type, kTopic);
    EXPECT_EQ(result.resource_name, "t");
    ASSERT_EQ(result.configs.size(), test::plain_topic_configs());
    const Config& own = *find(result.configs, "segment.ms");
    EXPECT_EQ(own.value, "9");
    EXPECT_EQ(own.config_source, 1);
    EXPECT_EQ(chain(own), "segment.ms=9@1 log.roll.hours=168@5 ");
    const Config& inherited = *find(result.configs, "retention.ms");
    EXPECT_EQ(inherited.value, "3600000");
    EXPECT_EQ(inherited.config_source, 4);
    EXPECT_EQ(chain(inherited), "log.retention.hours=1@4 log.retention.hours=168@5 ");
    for (const Config& config : result.configs) {
      EXPECT_FALSE(config.read_only);
      EXPECT_FALSE(config.is_sensitive);
      if (version >= 3) EXPECT_NE(config.config_type, 0) << config.name;
      if (version >= 3) EXPECT_FALSE(config.documentation.value_or("").empty()) << config.name;
    }
    if (version >= 3) {
      EXPECT_THAT(*find(result.configs, "flush.ms")->documentation, HasSubstr("Without effect"));
      EXPECT_EQ(find(result.configs, "cleanup.policy")->config_type, 7);
      EXPECT_EQ(find(result.configs, "min.cleanable.dirty.ratio")->config_type, 6);
      EXPECT_EQ(find(result.configs, "preallocate")->config_type, 1);
    }
  }
}

TEST(DescribeConfigs, SynonymsAndDocumentation_OnlyWhenAskedFor) {
  ApiHarness harness;
  harness.make_topic("t");
  const auto response = harness.call<DescribeConfigsResponse>(describing(kTopic, "t"));
  for (const Config& config : response.results.at(0).configs) {
    EXPECT_THAT(config.synonyms, IsEmpty());
    EXPECT_EQ(config.documentation, std::nullopt);
  }
}

TEST(DescribeConfigs, Keys_FilterAndUnknownOnesAreLeftOut) {
  ApiHarness harness;
  harness.make_topic("t");
  const auto response = harness.call<DescribeConfigsResponse>(
      describing(kTopic, "t", std::vector<std::string>{"segment.ms", "nope", "retention.ms"}));
  EXPECT_EQ(response.results.at(0).configs.size(), 2U);
}

TEST(DescribeConfigs, Broker_IsReadOnlyWithItsSource) {
  ApiHarness harness({.config = {{"num.partitions", "7"}}});
  auto request = describing(kBroker, "1");
  request.include_synonyms = true;
  const auto response = harness.call<DescribeConfigsResponse>(request);
  const auto& result = response.results.at(0);
  EXPECT_EQ(result.error_code, ErrorCode::none);
  EXPECT_EQ(result.configs.size(), broker::server_config_table().keys().size());
  const Config& set = *find(result.configs, "num.partitions");
  EXPECT_TRUE(set.read_only);
  EXPECT_EQ(set.value, "7");
  EXPECT_EQ(set.config_source, 4);
  EXPECT_EQ(chain(set), "num.partitions=7@4 num.partitions=1@5 ");
  const Config& unset = *find(result.configs, "log.retention.ms");
  EXPECT_EQ(unset.value, std::nullopt);
  EXPECT_EQ(unset.config_source, 5);
}

TEST(DescribeConfigs, Refusals_HaveKafkasCodes) {
  ApiHarness harness;
  const auto error = [&](std::int8_t type, std::string name) {
    const auto response = harness.call<DescribeConfigsResponse>(describing(type, std::move(name)));
    const auto& result = response.results.at(0);
    EXPECT_EQ(result.error_code == ErrorCode::none, result.error_message == "");
    EXPECT_TRUE(result.configs.empty());
    return result.error_code;
  };
  EXPECT_EQ(error(kTopic, "none"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error(kTopic, "no way"), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error(kBroker, "2"), ErrorCode::invalid_request);
  EXPECT_EQ(error(kBroker, "one"), ErrorCode::invalid_request);
  EXPECT_EQ(error(kBroker, ""), ErrorCode::none);  // the defaults of all brokers: none are set
  for (const std::int8_t type : {0, 1, 3, 8, 16, 32, 99}) {
    EXPECT_EQ(error(type, "1"), ErrorCode::invalid_request) << int{type};
  }
}

TEST(DescribeConfigs, RepeatedResource_IsAnsweredOnce) {
  ApiHarness harness;
  harness.make_topic("t");
  auto request = describing(kTopic, "t");
  request.resources.push_back(request.resources.front());
  request.resources.push_back(
      {.resource_type = kBroker, .resource_name = "1", .configuration_keys = std::nullopt});
  EXPECT_EQ(harness.call<DescribeConfigsResponse>(request).results.size(), 2U);
}

enum : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

class IncrementalAlterConfigs : public ::testing::Test {
 protected:
  struct Step {
    std::string name;
    std::int8_t operation;
    std::optional<std::string> value;
  };
  IncrementalAlterConfigsResponse::AlterConfigsResourceResponse alter(std::vector<Step> steps,
                                                                      std::int8_t type = kTopic,
                                                                      std::string name = "t",
                                                                      bool validate = false,
                                                                      std::int16_t version = 1) {
    IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    for (auto& step : steps) resource.configs.push_back({step.name, step.operation, step.value});
    request.validate_only = validate;
    const auto response = harness_.call<IncrementalAlterConfigsResponse>(request, version);
    EXPECT_EQ(response.responses.size(), 1U);
    const auto& answer = response.responses.at(0);
    EXPECT_EQ(answer.resource_type, type);
    EXPECT_EQ(answer.error_code == ErrorCode::none, !answer.error_message);
    return answer;
  }
  ErrorCode error_of(std::vector<Step> steps, std::int8_t type = kTopic, std::string name = "t") {
    return alter(std::move(steps), type, std::move(name)).error_code;
  }
  broker::TopicConfigs configs() { return harness_.find_topic("t")->topic.configs; }

  void SetUp() override { harness_.make_topic("t", 1, {{"retention.ms", "5"}}); }
  ApiHarness harness_;
};

TEST_F(IncrementalAlterConfigs, SetAndDelete_TouchOnlyWhatTheyName) {
  EXPECT_EQ(error_of({{"segment.ms", kSet, " 9 "}}), ErrorCode::none);
  EXPECT_EQ(configs(), (broker::TopicConfigs{{"retention.ms", "5"}, {"segment.ms", "9"}}));
  EXPECT_EQ(harness_.find_topic("t", harness_.last_shard())->settings.log.segment_ms, 9);
  EXPECT_EQ(alter({{"retention.ms", kDelete, std::nullopt}}, kTopic, "t", false, 0).error_code,
            ErrorCode::none);
  EXPECT_EQ(configs(), (broker::TopicConfigs{{"segment.ms", "9"}}));
  EXPECT_EQ(error_of({{"retention.ms", kDelete, std::nullopt}}), ErrorCode::none);
  EXPECT_EQ(error_of({{"of.another.version", kDelete, std::nullopt}}), ErrorCode::none);
}

TEST_F(IncrementalAlterConfigs, AppendAndSubtract_EditTheListThatHolds) {
  EXPECT_EQ(error_of({{"cleanup.policy", kAppend, "compact"}}), ErrorCode::none);
  EXPECT_EQ(configs().at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(error_of({{"cleanup.policy", kAppend, "compact , delete"}}), ErrorCode::none);
  EXPECT_EQ(configs().at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(error_of({{"cleanup.policy", kSubtract, "delete"}}), ErrorCode::none);
  EXPECT_EQ(configs().at("cleanup.policy"), "compact");
  EXPECT_EQ(error_of({{"cleanup.policy", kSubtract, "delete"}}), ErrorCode::none);
  EXPECT_EQ(error_of({{"cleanup.policy", kSubtract, "compact"}}), ErrorCode::none);
  EXPECT_EQ(configs().at("cleanup.policy"), "");
}

TEST_F(IncrementalAlterConfigs, Refusals_HaveKafkasCodesAndChangeNothing) {
  EXPECT_EQ(error_of({{"segment.ms", kSet, std::nullopt}}), ErrorCode::invalid_request);
  EXPECT_EQ(error_of({{"cleanup.policy", kAppend, std::nullopt}}), ErrorCode::invalid_request);
  EXPECT_EQ(error_of({{"segment.ms", kSet, "1"}, {"segment.ms", kDelete, std::nullopt}}),
            ErrorCode::invalid_request);
  EXPECT_EQ(error_of({{"segment.ms", 4, "1"}}), ErrorCode::invalid_request);
  EXPECT_EQ(error_of({{"segment.ms", -1, "1"}}), ErrorCode::invalid_request);
  EXPECT_EQ(error_of({{"segment.ms", kSet, "x"}}), ErrorCode::invalid_config);
  EXPECT_EQ(error_of({{"segment.ms", kAppend, "1"}}), ErrorCode::invalid_config);
  EXPECT_EQ(error_of({{"cleanup.policy", kAppend, "shred"}}), ErrorCode::invalid_config);
  EXPECT_EQ(error_of({{"cleanup.policy", kSet, "shred"}}), ErrorCode::invalid_config);
  const auto unknown = alter({{"segment.m", kSet, "1"}});
  EXPECT_EQ(unknown.error_code, ErrorCode::invalid_config);
  EXPECT_THAT(*unknown.error_message, HasSubstr("'segment.ms'"));
  EXPECT_EQ(error_of({{"min.compaction.lag.ms", kSet, "9"}, {"max.compaction.lag.ms", kSet, "8"}}),
            ErrorCode::invalid_config);
  EXPECT_EQ(error_of({{"segment.ms", kSet, "1"}}, kTopic, "none"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error_of({{"segment.ms", kSet, "1"}}, kTopic, "no way"), ErrorCode::invalid_topic_exception);
  EXPECT_EQ(error_of({{"segment.ms", kSet, "1"}}, kTopic, ""), ErrorCode::invalid_request);
  EXPECT_EQ(configs(), (broker::TopicConfigs{{"retention.ms", "5"}}));
}

TEST_F(IncrementalAlterConfigs, OnlyTopicsCanBeChanged) {
  const auto broker = alter({{"num.partitions", kSet, "2"}}, kBroker, "1");
  EXPECT_EQ(broker.error_code, ErrorCode::invalid_request);
  EXPECT_THAT(*broker.error_message, HasSubstr("configuration file"));
  EXPECT_EQ(error_of({{"num.partitions", kSet, "2"}}, kBroker, ""), ErrorCode::invalid_request);
  EXPECT_THAT(*alter({}, kBroker, "2").error_message, HasSubstr("broker 1"));
  for (const std::int8_t type : {0, 8, 16, 32, 77}) {
    EXPECT_EQ(error_of({{"x", kSet, "2"}}, type, "1"), ErrorCode::invalid_request) << int{type};
  }
}

TEST_F(IncrementalAlterConfigs, ValidateOnly_ChangesNothing) {
  EXPECT_EQ(alter({{"segment.ms", kSet, "9"}}, kTopic, "t", true).error_code, ErrorCode::none);
  EXPECT_EQ(alter({{"segment.ms", kSet, "x"}}, kTopic, "t", true).error_code, ErrorCode::invalid_config);
  EXPECT_EQ(configs().size(), 1U);
}

TEST_F(IncrementalAlterConfigs, RepeatedResource_IsRefusedOnceAndOthersGoOn) {
  harness_.make_topic("u");
  IncrementalAlterConfigsRequest request;
  for (const char* name : {"t", "t", "u"}) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopic;
    resource.resource_name = name;
    resource.configs.push_back({"segment.ms", kSet, "9"});
  }
  const auto response = harness_.call<IncrementalAlterConfigsResponse>(request);
  ASSERT_EQ(response.responses.size(), 2U);
  EXPECT_EQ(response.responses[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::none);
  EXPECT_EQ(configs().size(), 1U);
  EXPECT_EQ(harness_.find_topic("u")->topic.configs.size(), 1U);
}

class AlterConfigs : public ::testing::Test {
 protected:
  ErrorCode alter(std::vector<std::pair<std::string, std::optional<std::string>>> values,
                  std::int8_t type = kTopic, std::string name = "t", bool validate = false,
                  std::int16_t version = 2) {
    AlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = std::move(name);
    for (auto& [key, value] : values) resource.configs.push_back({key, value});
    request.validate_only = validate;
    const auto response = harness_.call<AlterConfigsResponse>(request, version);
    const auto& answer = response.responses.at(0);
    EXPECT_EQ(answer.error_code == ErrorCode::none, !answer.error_message);
    return answer.error_code;
  }
  broker::TopicConfigs configs() { return harness_.find_topic("t")->topic.configs; }
  void SetUp() override { harness_.make_topic("t", 1, {{"retention.ms", "5"}}); }
  ApiHarness harness_;
};

TEST_F(AlterConfigs, ReplacesTheWholeSetInEveryVersion) {
  for (std::int16_t version = 0; version <= 2; ++version) {
    const std::string value = std::to_string(10 + version);
    EXPECT_EQ(alter({{"segment.ms", value}}, kTopic, "t", false, version), ErrorCode::none);
    EXPECT_EQ(configs(), (broker::TopicConfigs{{"segment.ms", value}}));
  }
  EXPECT_EQ(alter({}), ErrorCode::none);
  EXPECT_TRUE(configs().empty());
}

TEST_F(AlterConfigs, Refusals_HaveKafkasCodesAndChangeNothing) {
  EXPECT_EQ(alter({{"segment.ms", std::nullopt}}), ErrorCode::invalid_request);
  EXPECT_EQ(alter({{"segment.ms", "1"}, {"segment.ms", "2"}}), ErrorCode::invalid_request);
  EXPECT_EQ(alter({{"segment.ms", "x"}}), ErrorCode::invalid_config);
  EXPECT_EQ(alter({{"nope", "x"}}), ErrorCode::invalid_config);
  EXPECT_EQ(alter({}, kTopic, "none"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(alter({{"num.partitions", "2"}}, kBroker, "1"), ErrorCode::invalid_request);
  EXPECT_EQ(alter({}, 99, "1"), ErrorCode::invalid_request);
  EXPECT_EQ(alter({{"segment.ms", "9"}}, kTopic, "t", true), ErrorCode::none);
  EXPECT_EQ(configs(), (broker::TopicConfigs{{"retention.ms", "5"}}));
}

// ------------------------------------------------- settings of engines that write in several ways

class FixedConfigs : public ::testing::Test {
 protected:
  static constexpr std::string_view kPaths[] = {"direct"};
  static std::unique_ptr<storage::Engine> with_paths(std::unique_ptr<storage::Engine> inner,
                                                     ShardPool& shards) {
    auto engine = std::make_unique<test::FaultEngine>(std::move(inner), shards, 1);
    engine->pretend({.write_paths = kPaths});
    return engine;
  }
  using Created = protocol::CreateTopicsResponse::CreatableTopicResult;
  static Created create(ApiHarness& harness, std::string name,
                        std::vector<std::pair<std::string, std::string>> configs) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = std::move(name);
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    for (auto& [key, value] : configs) topic.configs.push_back({key, value});
    return harness.call<protocol::CreateTopicsResponse>(request, 7).topics.at(0);
  }
  ErrorCode set(std::string key, std::int8_t operation, std::optional<std::string> value) {
    IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopic;
    resource.resource_name = "t";
    resource.configs.push_back({std::move(key), operation, std::move(value)});
    return harness_.call<IncrementalAlterConfigsResponse>(request).responses.at(0).error_code;
  }
  std::string shown(std::string key) {
    const auto response = harness_.call<DescribeConfigsResponse>(describing(kTopic, "t", {{key}}));
    const auto& configs = response.results.at(0).configs;
    if (configs.size() != 1) return "absent";
    EXPECT_TRUE(configs[0].read_only);
    return configs[0].value.value_or("null") + "@" + std::to_string(configs[0].config_source);
  }
  ApiHarness harness_{{.config = {{"seaweedmq.layout", "record"}}, .wrap_engine = &with_paths}};
};

TEST_F(FixedConfigs, AreSetAtCreationAndNeverAgain) {
  const auto made = create(harness_, "t", {{"seaweedmq.layout", "batch"}});
  ASSERT_EQ(made.error_code, ErrorCode::none) << made.error_message.value_or("");
  EXPECT_EQ(made.configs->size(), test::plain_topic_configs() + 2);
  EXPECT_EQ(shown("seaweedmq.layout"), "batch@1");
  EXPECT_EQ(shown("seaweedmq.path"), "direct@5");
  EXPECT_EQ(set("seaweedmq.layout", kSet, "record"), ErrorCode::invalid_config);
  EXPECT_EQ(set("seaweedmq.layout", kDelete, std::nullopt), ErrorCode::invalid_config)
      << "the default is another";
  EXPECT_EQ(set("seaweedmq.path", kSet, "broker"), ErrorCode::invalid_config);
  EXPECT_EQ(set("seaweedmq.layout", kSet, "batch"), ErrorCode::none);
  EXPECT_EQ(set("seaweedmq.path", kSet, "direct"), ErrorCode::none);
  EXPECT_EQ(set("seaweedmq.path", kDelete, std::nullopt), ErrorCode::none);
  EXPECT_EQ(shown("seaweedmq.layout"), "batch@1");

  AlterConfigsRequest replace;
  auto& resource = replace.resources.emplace_back();
  resource.resource_type = kTopic;
  resource.resource_name = "t";
  resource.configs.push_back({"retention.ms", "9"});
  EXPECT_EQ(harness_.call<AlterConfigsResponse>(replace).responses.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(shown("seaweedmq.layout"), "batch@1")
      << "a tool that replaces all of them knows nothing of this one";
}

TEST_F(FixedConfigs, ServersSettingIsTheDefault) {
  ASSERT_EQ(create(harness_, "t", {}).error_code, ErrorCode::none);
  EXPECT_EQ(shown("seaweedmq.layout"), "record@4");
  EXPECT_EQ(set("seaweedmq.layout", kSet, "batch"), ErrorCode::invalid_config);
}

TEST_F(FixedConfigs, WhatCannotBeIsRefusedWithItsReason) {
  const auto bad = create(harness_, "t", {{"seaweedmq.layout", "columns"}});
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_config);
  const auto broker = create(harness_, "t", {{"seaweedmq.path", "broker"}});
  EXPECT_EQ(broker.error_code, ErrorCode::invalid_config);
  EXPECT_THAT(*broker.error_message, HasSubstr("is not available"));
  EXPECT_EQ(harness_.find_topic("t"), nullptr);

  ApiHarness plain;
  const auto elsewhere = create(plain, "t", {{"seaweedmq.layout", "batch"}});
  EXPECT_EQ(elsewhere.error_code, ErrorCode::invalid_config);
  EXPECT_THAT(*elsewhere.error_message, HasSubstr("SeaweedFS"));
}

TEST_F(FixedConfigs, FullValidationOfValuesHasLayoutRecord) {
  ApiHarness harness{{.config = {{"schema.registry.url", "http://registry"}}, .wrap_engine = &with_paths}};
  const auto layout_with = [&](const std::string& topic,
                               std::vector<std::pair<std::string, std::string>> configs) {
    const auto made = create(harness, topic, std::move(configs));
    EXPECT_EQ(made.error_code, ErrorCode::none) << made.error_message.value_or("");
    const auto response =
        harness.call<DescribeConfigsResponse>(describing(kTopic, topic, {{"seaweedmq.layout"}}));
    const auto& found = response.results.at(0).configs.at(0);
    return found.value.value_or("null") + "@" + std::to_string(found.config_source);
  };
  const std::string validation = "tidegate.value.schema.validation";
  EXPECT_EQ(layout_with("full", {{validation, "full"}}), "record@1");
  EXPECT_EQ(layout_with("its-own", {{validation, "full"}, {"seaweedmq.layout", "batch"}}), "batch@1");
  EXPECT_EQ(layout_with("id", {{validation, "id"}}), "batch@5");
  EXPECT_EQ(layout_with("alias", {{"confluent.value.schema.validation", "true"}}), "batch@5");
  EXPECT_EQ(layout_with("keys", {{"tidegate.key.schema.validation", "full"}}), "batch@5");

  ApiHarness plain{{.config = {{"schema.registry.url", "http://registry"}}}};
  EXPECT_EQ(create(plain, "full", {{validation, "full"}}).error_code, ErrorCode::none)
      << "another engine has no such setting";
}

}  // namespace
}  // namespace tidegate
