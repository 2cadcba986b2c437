// Topics with schema validation: their settings, and what producers are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data_plane.h"
#include "support/scripted_registry.h"
#include "tidegate/broker/schema_overview.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/describe_configs.h"
#include "tidegate/protocol/messages/incremental_alter_configs.h"

namespace tidegate {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kValidation = "tidegate.value.schema.validation";

std::string framed(std::int32_t id, std::string_view payload = "x") {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint32_t>(id) >> shift);
  return bytes + std::string(payload);
}

protocol::RecordBatch values(const std::vector<std::string>& each,
                             const protocol::NewBatchOptions& options = {}) {
  std::vector<protocol::NewRecord> records;
  for (const auto& value : each) records.push_back({.timestamp = 1'700'000'000'000, .value = value});
  auto batch = protocol::build_batch(records, options);
  EXPECT_TRUE(batch);
  return *batch;
}

class SchemaValidation : public ::testing::Test {
 protected:
  SchemaValidation() {
    script->id_of(1, {"t-value"});
    script->id_of(2, {"other-value"});
  }
  test::ApiHarnessOptions options() {
    test::ApiHarnessOptions made;
    made.config = {{"schema.registry.url", "http://registry"}, {"schema.registry.tries", "1"}};
    made.registry_transport = [script = script] { return std::make_unique<test::ScriptedTransport>(script); };
    return made;
  }
  test::DataPlane::ProducePartition produce(const broker::CatalogueTopicPtr& topic,
                                            const protocol::RecordBatch& batch, std::int16_t version = 13) {
    return plane.produce(topic, 0, batch.bytes, version);
  }
  static std::vector<std::int32_t> indexes(const test::DataPlane::ProducePartition& told) {
    std::vector<std::int32_t> found;
    for (const auto& each : told.record_errors) found.push_back(each.batch_index);
    return found;
  }
  Offset end_of(const broker::CatalogueTopicPtr& topic) {
    return plane.fetch_one(topic, 0, 0).high_watermark;
  }

  std::shared_ptr<test::RegistryScript> script = std::make_shared<test::RegistryScript>();
  test::DataPlane plane{options()};
};

TEST_F(SchemaValidation, BadRecords_AreAllNamedAndNothingIsStored) {
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "id"}});
  const auto bad = produce(topic, values({framed(1), "no schema", framed(1), framed(2), framed(77)}));
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_record);
  EXPECT_THAT(indexes(bad), ElementsAre(1, 3, 4));
  EXPECT_THAT(bad.record_errors[1].batch_index_error_message.value_or(""),
              HasSubstr("not registered under subject t-value"));
  EXPECT_THAT(bad.error_message.value_or(""), HasSubstr("3 records are invalid; record 1"));
  EXPECT_EQ(bad.base_offset, -1);
  EXPECT_EQ(end_of(topic), 0);
  const auto good = produce(topic, values({framed(1), framed(1)}));
  EXPECT_EQ(good.error_code, ErrorCode::none);
  EXPECT_EQ(good.base_offset, 0);
  EXPECT_EQ(end_of(topic), 2);
}

TEST_F(SchemaValidation, OldProduceVersions_GetTheCodeAlone) {
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "id"}});
  const auto bad = produce(topic, values({"no schema"}), 7);
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_record);
  EXPECT_THAT(bad.record_errors, IsEmpty());
}

TEST_F(SchemaValidation, Off_LooksAtNothing) {
  const auto topic = plane.api.make_topic("t");
  EXPECT_EQ(produce(topic, values({"no schema", std::string(8, '\0'), framed(77)})).error_code,
            ErrorCode::none);
  EXPECT_THAT(script->asked(), IsEmpty());
}

TEST_F(SchemaValidation, NullValues_Pass) {
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "id"}});
  auto batch = protocol::build_batch(
      std::vector<protocol::NewRecord>{{.timestamp = 1'700'000'000'000, .key = "k"}}, {});
  ASSERT_TRUE(batch);
  EXPECT_EQ(produce(topic, *batch).error_code, ErrorCode::none);
}

TEST_F(SchemaValidation, CompressedBatches_AreInflatedUnderTheTopicsLimit) {
  const auto topic =
      plane.api.make_topic("t", 1, {{kValidation, "id"}, {"max.decompressed.message.bytes", "1000"}});
  const protocol::NewBatchOptions zstd{.compression = protocol::Compression::zstd};
  EXPECT_EQ(produce(topic, values({framed(1)}, zstd)).error_code, ErrorCode::none);
  EXPECT_THAT(indexes(produce(topic, values({framed(1), "bad"}, zstd))), ElementsAre(1));
  EXPECT_EQ(produce(topic, values({framed(1, std::string(2000, 'a'))}, zstd)).error_code,
            ErrorCode::message_too_large);
}

TEST_F(SchemaValidation, RegistryLost_IsRetriableAndKeepsTheOrderOfAnIdempotentProducer) {
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "id"}});
  script->replace("/schemas/ids/1/versions?deleted=true", test::http_failure());
  const auto batch = [](std::int32_t sequence) {
    return values({framed(1)}, test::from_producer(5, 0, sequence));
  };
  const auto lost = produce(topic, batch(0));
  EXPECT_EQ(lost.error_code, ErrorCode::not_enough_replicas);
  EXPECT_THAT(lost.error_message.value_or(""), HasSubstr("cannot be looked up now"));
  EXPECT_THAT(lost.record_errors, IsEmpty());
  EXPECT_EQ(end_of(topic), 0);
  script->id_of(1, {"t-value"});
  EXPECT_EQ(produce(topic, batch(1)).error_code, ErrorCode::not_enough_replicas)
      << "what was sent behind it must not overtake it";
  EXPECT_EQ(produce(topic, batch(0)).error_code, ErrorCode::none);
  EXPECT_EQ(produce(topic, batch(1)).error_code, ErrorCode::none);
  EXPECT_EQ(end_of(topic), 2);
}

TEST_F(SchemaValidation, RegistryLost_IsAcceptedWhereTheTopicSaysSo) {
  const auto topic = plane.api.make_topic(
      "t", 1, {{kValidation, "id"}, {"tidegate.value.schema.on.registry.error", "accept"}});
  script->otherwise(test::http_failure());
  EXPECT_EQ(produce(topic, values({framed(50)})).error_code, ErrorCode::none);
  EXPECT_THAT(indexes(produce(topic, values({framed(50), "bad"}))), ElementsAre(1));
  EXPECT_EQ(end_of(topic), 1);
}

TEST_F(SchemaValidation, RefusedBatch_TakesNoSequence) {
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "id"}});
  EXPECT_EQ(produce(topic, values({"bad"}, test::from_producer(5, 0, 0))).error_code,
            ErrorCode::invalid_record);
  EXPECT_EQ(produce(topic, values({framed(1)}, test::from_producer(5, 0, 0))).error_code, ErrorCode::none);
}

TEST_F(SchemaValidation, Full_NamesTheFieldOfABadRecordAndStoresNothing) {
  script->schema_of(1, R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},
    {"name":"b","type":"string"}]})");
  const auto topic = plane.api.make_topic("t", 1, {{kValidation, "full"}});
  const std::string good = framed(1, "\x02\x02x");
  const auto bad = produce(topic, values({good, framed(1, "\x02\x02\xff"), good, framed(1, "\x02")}));
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_record);
  ASSERT_THAT(indexes(bad), ElementsAre(1, 3));
  EXPECT_EQ(bad.record_errors[0].batch_index_error_message,
            "value: no value of schema id 1: a string is no UTF-8 (at b)");
  EXPECT_THAT(bad.error_message.value_or(""), HasSubstr("2 records are invalid; record 1: "));
  EXPECT_EQ(end_of(topic), 0);
  EXPECT_EQ(produce(topic, values({good, good})).error_code, ErrorCode::none);
  EXPECT_EQ(end_of(topic), 2);
}

TEST_F(SchemaValidation, LimitsOfFullValidation_ComeFromTheConfiguration) {
  // As many types, steps and bytes as one setting too low: each schema is good without it.
  struct Limit {
    std::string key;
    std::string value;
    std::string schema;
    std::string payload;
    std::string reason;
    std::string type{};
  };
  const std::string lists = R"({"type":"array","items":{"type":"array","items":"null"}})";
  const std::string one = std::string("\x02\0\0", 3);  // a list in the list
  const std::string two_fields = R"(syntax = "proto3"; message M { int32 a = 1; int32 b = 2; })";
  const std::string two_types = R"(syntax = "proto3"; message M { message N {} N n = 1; })";
  const std::vector<Limit> limits = {
      {"schema.max.bytes", "1024", lists + std::string(1024, ' '), one, "more than 1024 bytes"},
      {"schema.max.types", "1", lists, one, "too many types"},
      {"schema.max.depth", "1", lists, one, "the schema is nested too deeply"},
      {"schema.record.max.depth", "1", lists, one, "the record is nested too deeply"},
      {"schema.record.max.empty.values", "0", R"({"type":"array","items":"null"})", std::string("\x06\0", 2),
       "take no bytes"},
      {"schema.max.references", "0", R"("int")", std::string(1, '\0'), "more than 0 references"},
      {"schema.max.reference.depth", "0", R"("int")", std::string(1, '\0'), "too many steps away"},
      {"schema.max.fields", "1", two_fields, std::string(1, '\0'), "too many fields", "PROTOBUF"},
      {"schema.max.types", "1", two_types, std::string(1, '\0'), "too many types", "PROTOBUF"},
      {"schema.max.depth", "1", two_types, std::string(1, '\0'), "the schema is nested too deeply",
       "PROTOBUF"},
      {"schema.record.max.depth", "1", two_types, std::string("\0\x0a\0", 3),
       "the record is nested too deeply", "PROTOBUF"},
      {"schema.max.types", "1", R"({"items":{}})", "[]", "too many types", "JSON"},
      {"schema.max.depth", "1", R"({"items":{"items":{}}})", "[]", "the schema is nested too deeply", "JSON"},
      {"schema.max.pattern.bytes", "4096", R"({"pattern":"[a-z]{500}"})", "1", "its pattern", "JSON"},
      {"schema.record.max.depth", "1", "{}", "[[]]", "the record is nested too deeply", "JSON"},
      {"schema.record.max.steps", "2", R"({"items":{}})", "[1,2]", "too many steps", "JSON"}};
  for (const Limit& limit : limits) {
    for (const bool limited : {false, true}) {
      std::vector<test::RegistryScript::Reference> references;
      if (limit.key.find("reference") != std::string::npos) references = {{"r", "r"}};
      script->version_of("r", 1, R"("int")");
      script->schema_of(1, limit.schema, references, limit.type);
      auto made = options();
      if (limited) made.config.insert_or_assign(limit.key, limit.value);
      test::DataPlane other(made);
      const auto topic = other.api.make_topic("t", 1, {{kValidation, "full"}});
      const auto told = other.produce(topic, 0, values({framed(1, limit.payload)}).bytes);
      const auto reason = told.error_message.value_or("");
      EXPECT_EQ(told.error_code, limited ? ErrorCode::invalid_record : ErrorCode::none)
          << limit.key << reason;
      if (limited) EXPECT_THAT(reason, HasSubstr(limit.reason)) << limit.key;
    }
  }
}

class SchemaSettings : public SchemaValidation {
 protected:
  CreateTopicsResponse::CreatableTopicResult create(std::map<std::string, std::string> configs,
                                                    const std::string& name = "t") {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) topic.configs.push_back({key, value});
    return plane.api.call<CreateTopicsResponse>(request).topics.at(0);
  }
  ErrorCode alter(const std::string& key, std::optional<std::string> value) {
    IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = "t";
    const std::int8_t operation = value ? 0 : 1;
    resource.configs.push_back({.name = key, .config_operation = operation, .value = value});
    return plane.api.call<IncrementalAlterConfigsResponse>(request).responses.at(0).error_code;
  }
  // "value from synonyms" of a setting.
  std::string described(const std::string& key) {
    DescribeConfigsRequest request;
    request.include_synonyms = true;
    request.resources = {{.resource_type = 2, .resource_name = "t", .configuration_keys = std::vector{key}}};
    const auto result = plane.api.call<DescribeConfigsResponse>(request).results.at(0);
    if (result.configs.size() != 1) return "not there";
    std::string text = result.configs[0].value.value_or("null");
    for (const auto& synonym : result.configs[0].synonyms)
      text += " " + synonym.name + "=" + synonym.value.value_or("null");
    return text;
  }
  schema::Validation validation() { return plane.api.find_topic("t")->settings.schema.value.validation; }
};

TEST_F(SchemaSettings, AreCreatedDescribedAndAltered) {
  EXPECT_EQ(create({{kValidation, "id"}}).error_code, ErrorCode::none);
  EXPECT_EQ(described(kValidation),
            "id tidegate.value.schema.validation=id tidegate.value.schema.validation=off");
  EXPECT_EQ(described("tidegate.key.schema.validation"), "off tidegate.key.schema.validation=off");
  EXPECT_EQ(described("tidegate.value.schema.on.registry.error").substr(0, 5), "fail ");
  EXPECT_EQ(described("tidegate.value.schema.subject.name.strategy").substr(0, 6), "topic ");
  const auto topic = plane.api.find_topic("t");
  EXPECT_EQ(produce(topic, values({"bad"})).error_code, ErrorCode::invalid_record);
  EXPECT_EQ(alter(kValidation, "off"), ErrorCode::none);
  EXPECT_EQ(produce(topic, values({"bad"})).error_code, ErrorCode::none);
  EXPECT_EQ(alter(kValidation, "id"), ErrorCode::none);
  EXPECT_EQ(produce(topic, values({"bad"})).error_code, ErrorCode::invalid_record);
  EXPECT_EQ(alter(kValidation, std::nullopt), ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::off);
}

TEST_F(SchemaSettings, ConfluentsAndRedpandasNames_GoForOurs) {
  EXPECT_EQ(create({{"confluent.value.schema.validation", "true"}}).error_code, ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::id);
  EXPECT_EQ(described(kValidation),
            "id confluent.value.schema.validation=true tidegate.value.schema.validation=off");
  EXPECT_EQ(described("confluent.value.schema.validation").substr(0, 5), "true ");
  EXPECT_EQ(alter(kValidation, "off"), ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::off) << "our own name wins";
  EXPECT_EQ(alter(kValidation, std::nullopt), ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::id);
  EXPECT_EQ(alter("confluent.value.schema.validation", std::nullopt), ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::off);
  EXPECT_EQ(alter("redpanda.value.schema.id.validation", "true"), ErrorCode::none);
  EXPECT_EQ(validation(), schema::Validation::id);
  EXPECT_EQ(alter("redpanda.value.subject.name.strategy", "TopicNameStrategy"), ErrorCode::none);
  EXPECT_EQ(alter("confluent.value.subject.name.strategy", "nonsense"), ErrorCode::invalid_config);
}

TEST_F(SchemaSettings, Strategies_HaveThreeNames) {
  constexpr auto kStrategy = "tidegate.value.schema.subject.name.strategy";
  EXPECT_EQ(create({{kValidation, "ID"}}).error_code, ErrorCode::invalid_config);
  EXPECT_EQ(create({{kValidation, "id"}, {kStrategy, "record"}}).error_code, ErrorCode::none);
  const auto strategy = [&] { return plane.api.find_topic("t")->settings.schema.value.strategy; };
  EXPECT_EQ(strategy(), schema::SubjectStrategy::record);
  EXPECT_EQ(alter(kStrategy, "topic-record"), ErrorCode::none);
  EXPECT_EQ(strategy(), schema::SubjectStrategy::topic_record);
  EXPECT_EQ(alter(kStrategy, std::nullopt), ErrorCode::none);
  EXPECT_EQ(alter("confluent.value.subject.name.strategy",
                  "io.confluent.kafka.serializers.subject.RecordNameStrategy"),
            ErrorCode::none);
  EXPECT_EQ(strategy(), schema::SubjectStrategy::record);
  EXPECT_EQ(alter(kStrategy, "records"), ErrorCode::invalid_config);
}

TEST_F(SchemaSettings, Overview_ShowsTopicsWithValidationOrARegisteredSubject) {
  script->replace("/subjects", test::http_ok(R"(["b-key","zzz"])"));
  plane.api.make_topic("a", 1, {{kValidation, "id"}});
  plane.api.make_topic("b");
  plane.api.make_topic("c");
  plane.api.shards().call([&] { plane.api.registry()->start(); });
  plane.api.shards().settle();
  const auto overview = plane.api.shards().call([&] { return broker::schema_overview(plane.api.broker()); });
  plane.api.shards().call([&] { plane.api.registry()->stop(); });
  EXPECT_TRUE(overview.has_registry);
  ASSERT_EQ(overview.topics.size(), 2U);
  EXPECT_EQ(overview.topics[0].name, "a");
  EXPECT_EQ(overview.topics[0].value.policy.validation, schema::Validation::id);
  EXPECT_FALSE(overview.topics[0].value.registered);
  EXPECT_EQ(overview.topics[1].name, "b");
  EXPECT_TRUE(overview.topics[1].key.registered);
  EXPECT_EQ(overview.topics[1].key.subject, "b-key");
}

TEST(SchemaWithoutRegistry, ValidationIsRefusedAsASetting) {
  test::ApiHarness api;
  std::vector<broker::NewTopic> topics(1);
  topics.front() = {"t", 1, {{kValidation, "id"}}};
  const auto created = api.run([&] { return api.broker().topics().create(topics, false); });
  ASSERT_FALSE(created.front());
  EXPECT_EQ(created.front().error().code, ErrorCode::invalid_config);
  EXPECT_THAT(created.front().error().message, HasSubstr("schema.registry.url"));
}

}  // namespace
}  // namespace tidegate
