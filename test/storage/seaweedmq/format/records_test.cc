// What entries say: attributes of log files, topic.conf, our own documents.
#include "format/records.h"

#include <gtest/gtest.h>

#include "format/coding.h"
#include "format/names.h"
#include "tidegate/base/rng.h"

namespace tidegate::test {
namespace {

using namespace storage::seaweedmq;
using storage::EpochStart;

FileFacts some_facts() {
  return {.layout = Layout::record,
          .epoch = 3,
          .base = 100,
          .end = 160,
          .first_ts_ns = 5,
          .last_ts_ns = 99,
          .max_timestamp = 1234,
          .chunks = {{.base = 100, .end = 120, .max_timestamp = 7, .record_bytes = 500},
                     {.base = 130, .end = 155, .max_timestamp = 1234, .record_bytes = 600}}};
}

TEST(SeaweedFileFacts, RoundTrip_WithSeaweedsOwnNames) {
  const auto attributes = attributes_of(some_facts());
  EXPECT_EQ(attributes.at("offset_min"), be_bytes(std::int64_t{100}));
  EXPECT_EQ(attributes.at("offset_max"), be_bytes(std::int64_t{159}));
  EXPECT_EQ(attributes.at("buffer_start"), be_bytes(std::int64_t{100}));
  const auto parsed = parse_facts(attributes, 2);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(**parsed, some_facts());
}

TEST(SeaweedFileFacts, FirstFile_HasItsRangeToo) {
  FileFacts facts = some_facts();
  facts.base = 0;
  facts.chunks.clear();
  EXPECT_EQ(attributes_of(facts).at("offset_min"), std::string(8, '\0'));
}

TEST(SeaweedFileFacts, ForeignFiles_HaveNone_DamagedOnes_AreRefused) {
  auto attributes = attributes_of(some_facts());
  const std::string own = attributes.at("tidegate");
  EXPECT_EQ(parse_facts(attributes, 1).error().code, ErrorCode::corrupt_message)
      << "another number of chunks";
  for (std::size_t size = 0; size < own.size(); ++size) {
    attributes["tidegate"] = own.substr(0, size);
    EXPECT_FALSE(parse_facts(attributes, 2)) << size;
  }
  attributes["tidegate"] = own;
  attributes["tidegate"][0] = 2;
  EXPECT_FALSE(parse_facts(attributes, 2)) << "a later version";
  FileFacts overlapping = some_facts();
  overlapping.chunks[1].base = 119;
  EXPECT_FALSE(parse_facts(attributes_of(overlapping), 2));
  attributes.erase("tidegate");
  EXPECT_EQ(*parse_facts(attributes, 2), std::nullopt);
}

TEST(SeaweedFileFacts, Marks_AreInAnAttributeOfTheirOwn) {
  EXPECT_FALSE(attributes_of(some_facts()).contains("tidegate_marks")) << "nobody needs it";
  FileFacts facts = some_facts();
  facts.chunks[1].marks = {{.offset = 140, .position = 300'000}, {.offset = 150, .position = 600'000}};
  auto attributes = attributes_of(facts);
  const auto parsed = parse_facts(attributes, 2);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(**parsed, facts);
  const std::string good = attributes.at("tidegate_marks");
  EXPECT_EQ(good.size(), 2U + 2U + 2 * 12U);
  for (std::size_t size = 0; size < good.size(); ++size) {
    attributes["tidegate_marks"] = good.substr(0, size);
    EXPECT_FALSE(parse_facts(attributes, 2)) << size;
  }
  attributes["tidegate_marks"] = good + '\0';
  EXPECT_FALSE(parse_facts(attributes, 2));
  attributes.erase("tidegate_marks");
  EXPECT_EQ(**parse_facts(attributes, 2), some_facts());
  const std::vector<std::vector<ChunkMark>> bad{
      {{.offset = 130, .position = 5}},
      {{.offset = 155, .position = 5}},
      {{.offset = 140, .position = 0}},
      {{.offset = 140, .position = 5}, {.offset = 140, .position = 6}},
      {{.offset = 140, .position = 5}, {.offset = 141, .position = 5}}};
  for (const auto& marks : bad) {
    facts.chunks[1].marks = marks;
    EXPECT_FALSE(parse_facts(attributes_of(facts), 2));
  }
}

TEST(SeaweedCheckpoint, IsEightBytes) {
  EXPECT_EQ(checkpoint_of(258), std::string("\0\0\0\0\0\0\1\2", 8));
  EXPECT_EQ(parse_checkpoint(checkpoint_of(258)), 258);
  EXPECT_EQ(parse_checkpoint("258"), std::nullopt);
}

TEST(SeaweedTopicConf, IsProtobufJson) {
  const std::string json = encode_topic_conf({.slots = 64, .generation_ns = 1'700'000'000'000'000'001});
  EXPECT_NE(json.find("\"unixTimeNs\": \"1700000000000000001\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"rangeStop\": 2520"), std::string::npos);
  const auto parsed = parse_topic_conf(json);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->slots, 64);
  EXPECT_EQ(parsed->generation_ns, 1'700'000'000'000'000'001);
}

TEST(SeaweedTopicConf, OfOthers_IsUnderstood) {
  // Zeros left out, other field names, other fields: what Go's protobuf writes.
  const auto parsed = parse_topic_conf(R"({"brokerPartitionAssignments":[
      {"partition":{"ringSize":2520,"rangeStop":1260,"unixTimeNs":"12"},"leaderBroker":"h:17777"},
      {"partition":{"ring_size":2520,"range_start":1260,"range_stop":2520,"unix_time_ns":"12"}}],
      "retention":{"retentionSeconds":"60","enabled":true}})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->slots, 2);
  EXPECT_EQ(parsed->generation_ns, 12);
  for (const char* bad :
       {"", "{", "[]", "{}", R"({"brokerPartitionAssignments":[]})", R"({"brokerPartitionAssignments":[{}]})",
        R"({"brokerPartitionAssignments":[{"partition":{"ringSize":4096}}]})",
        R"({"brokerPartitionAssignments":[{"partition":{"ringSize":2520,"unixTimeNs":"x"}}]})",
        R"({"brokerPartitionAssignments":[{"partition":{"ringSize":2520,"unixTimeNs":"1"}},
                              {"partition":{"ringSize":2520,"unixTimeNs":"2"}}]})"}) {
    EXPECT_EQ(parse_topic_conf(bad).error().code, ErrorCode::corrupt_message) << bad;
  }
}

TEST(SeaweedTopicRecord, RoundTrip) {
  SeededRng rng(1);
  TopicRecord record;
  record.topic = {.name = "orders",
                  .id = random_uuid(rng),
                  .partitions = 7,
                  .configs = {{"a", "1"}, {"b", ""}},
                  .created_ms = 5};
  record.slots = 64;
  record.generation_ns = 1'700'000'000'000'000'001;
  record.layout = Layout::record;
  record.path = WritePath::broker;
  record.remains = {{.id = random_uuid(rng), .generation_ns = 3}};
  const auto parsed = parse_topic_record(encode_topic_record(record));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->topic.name, "orders");
  EXPECT_EQ(parsed->topic.id, record.topic.id);
  EXPECT_EQ(parsed->topic.partitions, 7);
  EXPECT_EQ(parsed->topic.configs, record.topic.configs);
  EXPECT_EQ(parsed->topic.created_ms, 5);
  EXPECT_EQ(parsed->slots, 64);
  EXPECT_EQ(parsed->generation_ns, record.generation_ns);
  EXPECT_EQ(parsed->layout, Layout::record);
  EXPECT_EQ(parsed->path, WritePath::broker);
  EXPECT_EQ(parsed->remains, record.remains);
  EXPECT_FALSE(parsed->removed);

  record.removed = true;
  const auto removed = parse_topic_record(encode_topic_record(record));
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->removed);
  EXPECT_EQ(removed->remains, record.remains);
  record.removed = false;
  record.topic.partitions = 65;
  EXPECT_FALSE(parse_topic_record(encode_topic_record(record))) << "more than there are parts of the ring";
  EXPECT_FALSE(parse_topic_record("{\"version\": 2}"));
}

TEST(SeaweedState, RoundTripAndDamage) {
  const PartitionState state{.log_start = 5,
                             .log_end = 90,
                             .last_ts_ns = 1'700'000'000'000'000'001,
                             .listed_to = "x",
                             .listed_end = 50,
                             .listed_bytes = 1234,
                             .epochs = {{0, 0}, {2, 40}}};
  const auto parsed = parse_state(encode_state(state));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->log_start, 5);
  EXPECT_EQ(parsed->log_end, 90);
  EXPECT_EQ(parsed->last_ts_ns, state.last_ts_ns);
  EXPECT_EQ(parsed->listed_to, "x");
  EXPECT_EQ(parsed->listed_end, 50);
  EXPECT_EQ(parsed->listed_bytes, 1234U);
  ASSERT_EQ(parsed->epochs.size(), 2U);
  EXPECT_EQ(parsed->epochs[1].epoch, 2);
  EXPECT_EQ(parsed->epochs[1].start, 40);
  EXPECT_FALSE(parse_state(encode_state({.log_start = 5, .log_end = 4})));
  EXPECT_FALSE(parse_state(encode_state({.epochs = {{1, 0}, {1, 5}}})));
  EXPECT_FALSE(parse_state("null"));

  const std::string good = encode_state({.log_start = 5, .log_end = 90, .last_ts_ns = 17});
  ASSERT_TRUE(parse_state(good));
  // Numbers that a conversion would silently turn into others.
  for (const char* number :
       {"95555555555555555555555555550", "9.5e27", "9.5", "9223372036854775808", "-1", "\"90\"", "null"}) {
    std::string bad = good;
    bad.replace(bad.find("90"), 2, number);
    EXPECT_FALSE(parse_state(bad)) << bad;
  }
}

TEST(SeaweedScope, RoundTripAndEveryCut) {
  const ScopeContent content{
      .scope = std::string("a\0b", 3), .epoch = -7, .entries = {{"", "v"}, {"k", std::string(3, '\0')}}};
  const std::string bytes = encode_scope(content);
  const auto parsed = parse_scope(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->scope, content.scope);
  EXPECT_EQ(parsed->epoch, -7);
  EXPECT_EQ(parsed->entries, content.entries);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_scope(bytes.substr(0, size))) << size;
  EXPECT_FALSE(parse_scope(bytes + "x"));
}

}  // namespace
}  // namespace tidegate::test
