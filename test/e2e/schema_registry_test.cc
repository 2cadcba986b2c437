// The daemon and a registry behind real HTTP: topics with schema validation while the registry answers,
// fails, comes back, and when it is not there at all. The registry is a scripted server of this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"
#include "support/stub_http_server.h"
#include "support/wire_client.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/produce.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate {
namespace {

using namespace protocol;  // NOLINT: a test that speaks the protocol
using test::StubAnswer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Told = ProduceResponse::PartitionProduceResponse;

constexpr std::int16_t kProduceVersion = 9;
// Nothing listens there.
constexpr const char* kNobody = "http://127.0.0.1:1";

std::string framed(char id) { return std::string("\0\0\0\0", 4) + id + "payload"; }
std::string question(int id) { return "/schemas/ids/" + std::to_string(id) + "/versions?deleted=true"; }

ErrorCode create_topic(test::WireClient& client, const std::string& name,
                       const std::map<std::string, std::string>& configs) {
  CreateTopicsRequest request;
  request.timeout_ms = 30'000;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  for (const auto& [key, value] : configs) topic.configs.push_back({key, value});
  const auto answer = client.call<CreateTopicsResponse>(request, 4);
  return answer ? answer->topics.at(0).error_code : ErrorCode::unknown_server_error;
}

Told produce(test::WireClient& client, const std::string& name, const std::vector<std::string>& values) {
  std::vector<NewRecord> records;
  for (const auto& value : values) records.push_back({.timestamp = 1'700'000'000'000, .value = value});
  const auto batch = build_batch(records, {.compression = Compression::zstd});
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = name;
  topic.partition_data.emplace_back().records = batch->bytes;
  const auto answer = client.call<ProduceResponse>(request, kProduceVersion);
  EXPECT_TRUE(answer);
  return answer ? answer->responses.at(0).partition_responses.at(0) : Told{};
}

std::string get(std::uint16_t port, const std::string& path) {
  test::WireClient client(port);
  client.send_bytes("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::string text;
  char piece[4096];
  pollfd waiting{client.fd(), POLLIN, 0};
  while (::poll(&waiting, 1, 30'000) > 0) {
    const auto got = ::recv(client.fd(), piece, sizeof piece, 0);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> with_registry(const std::string& urls) {
  // Long: a machine that is busy is no registry that is lost.
  return {"--set", "schema.registry.url=" + urls,
          "--set", "schema.registry.timeout.ms=30000",
          "--set", "schema.registry.connect.timeout.ms=10000",
          "--set", "schema.registry.tries=1",
          "--set", "schema.cache.unknown.ms=1"};
}

TEST(SchemaRegistry, BadRecordsAreNamed_AndIdsAreAskedForOnce) {
  test::StubHttpServer registry;
  registry.script(question(1), StubAnswer::of(200, R"([{"subject":"orders-value","version":1}])"));
  registry.script(question(2), StubAnswer::of(200, R"([{"subject":"other-value","version":1}])"));
  test::DaemonProcess daemon(with_registry(std::string(kNobody) + "," + registry.url()));
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 60'000);
  ASSERT_EQ(create_topic(client, "orders", {{"confluent.value.schema.validation", "true"}}), ErrorCode::none);

  const Told bad = produce(client, "orders", {framed(1), "none", framed(2), framed(3), framed(1)});
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_record);
  std::vector<std::int32_t> indexes;
  for (const auto& each : bad.record_errors) indexes.push_back(each.batch_index);
  EXPECT_THAT(indexes, ElementsAre(1, 2, 3));
  for (int round = 0; round < 3; ++round) {
    const Told good = produce(client, "orders", {framed(1)});
    EXPECT_EQ(good.error_code, ErrorCode::none) << good.error_message.value_or("");
    EXPECT_EQ(good.base_offset, round) << "nothing of the bad batch was stored";
  }
  int asked = 0;
  for (const auto& request : registry.requests()) asked += request.starts_with("GET " + question(1) + " ");
  EXPECT_EQ(asked, 1);

  const std::string page = get(daemon.admin_port(), "/schemas");
  EXPECT_THAT(page, HasSubstr("200 OK"));
  EXPECT_THAT(page, HasSubstr("\"name\": \"orders\""));
  EXPECT_THAT(page, HasSubstr("\"validation\": \"id\""));
  EXPECT_THAT(page, HasSubstr(registry.url()));
  EXPECT_THAT(get(daemon.admin_port(), "/metrics"),
              HasSubstr("tidegate_schema_records_total{field=\"value\",result=\"no_id\"} 1"));
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

TEST(SchemaRegistry, FullValidation_FollowsReferencesAndNamesTheField) {
  test::StubHttpServer registry;
  registry.script(question(1), StubAnswer::of(200, R"([{"subject":"orders-value","version":1}])"));
  registry.script(
      "/schemas/ids/1",
      StubAnswer::of(200, R"({"schema":"{\"type\":\"record\",\"name\":\"Order\",\"fields\":[)"
                          R"({\"name\":\"to\",\"type\":\"shop.Address\"}]}",)"
                          R"("references":[{"name":"shop.Address","subject":"a/b","version":2}]})"));
  registry.script("/subjects/a%2Fb/versions/2?deleted=true",
                  StubAnswer::of(200, R"({"schema":"{\"type\":\"record\",\"name\":\"shop.Address\",)"
                                      R"(\"fields\":[{\"name\":\"city\",\"type\":\"string\"}]}"})"));
  test::DaemonProcess daemon(with_registry(registry.url()));
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 60'000);
  ASSERT_EQ(create_topic(client, "orders", {{"tidegate.value.schema.validation", "full"}}), ErrorCode::none);
  const std::string prefix("\0\0\0\0\x01", 5);
  const Told bad = produce(client, "orders", {prefix + "\x02x", prefix + "\x04x"});
  EXPECT_EQ(bad.error_code, ErrorCode::invalid_record);
  ASSERT_EQ(bad.record_errors.size(), 1U);
  EXPECT_EQ(bad.record_errors[0].batch_index, 1);
  EXPECT_THAT(bad.record_errors[0].batch_index_error_message.value_or(""), HasSubstr("(at to.city)"));
  const Told good = produce(client, "orders", {prefix + "\x02x"});
  EXPECT_EQ(good.error_code, ErrorCode::none) << good.error_message.value_or("");
  EXPECT_EQ(good.base_offset, 0);
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

TEST(SchemaRegistry, WhatFailsIsRetriable_UntilTheRegistryIsBack) {
  test::StubHttpServer registry;
  registry.script(question(1), StubAnswer::of(500, "<html>no</html>"));
  test::DaemonProcess daemon(with_registry(registry.url()));
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 60'000);
  ASSERT_EQ(create_topic(client, "orders", {{"tidegate.value.schema.validation", "id"}}), ErrorCode::none);
  const Told lost = produce(client, "orders", {framed(1)});
  EXPECT_EQ(lost.error_code, ErrorCode::not_enough_replicas);
  EXPECT_THAT(lost.error_message.value_or(""), HasSubstr("cannot be looked up now"));
  registry.script(question(1), StubAnswer::of(200, R"([{"subject":"orders-value","version":1}])"));
  const Told back = produce(client, "orders", {framed(1)});
  EXPECT_EQ(back.error_code, ErrorCode::none) << back.error_message.value_or("");
  EXPECT_EQ(back.base_offset, 0);
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

TEST(SchemaRegistry, WhoIsNotThere_IsNoReasonNotToStart) {
  test::DaemonProcess daemon(with_registry(kNobody));
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 60'000);
  ASSERT_EQ(create_topic(client, "strict", {{"tidegate.value.schema.validation", "id"}}), ErrorCode::none);
  ASSERT_EQ(create_topic(client, "open",
                         {{"tidegate.value.schema.validation", "id"},
                          {"tidegate.value.schema.on.registry.error", "accept"}}),
            ErrorCode::none);
  ASSERT_EQ(create_topic(client, "plain", {}), ErrorCode::none);
  EXPECT_EQ(produce(client, "strict", {framed(1)}).error_code, ErrorCode::not_enough_replicas);
  EXPECT_EQ(produce(client, "open", {framed(1)}).error_code, ErrorCode::none);
  EXPECT_EQ(produce(client, "open", {"no id"}).error_code, ErrorCode::invalid_record);
  EXPECT_EQ(produce(client, "plain", {"no id"}).error_code, ErrorCode::none);
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

TEST(SchemaRegistry, WithoutOne_ValidationIsRefusedAsASetting) {
  test::DaemonProcess daemon;
  ASSERT_TRUE(daemon.ready());
  test::WireClient client(daemon.kafka_port(), 60'000);
  EXPECT_EQ(create_topic(client, "orders", {{"tidegate.value.schema.validation", "id"}}),
            ErrorCode::invalid_config);
  EXPECT_THAT(get(daemon.admin_port(), "/schemas"), HasSubstr("\"registry\": null"));
  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

}  // namespace
}  // namespace tidegate
