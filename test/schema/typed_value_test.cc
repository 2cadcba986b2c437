// Values as columns and back: what is proved, what is kept, and what a stored value must not become.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "typed_value.h"

namespace tidegate::schema {
namespace {

using ::testing::HasSubstr;

// Keeps what it is given.
class KeptFormat final : public ColumnFormat {
 public:
  std::string encode(const ColumnRecord& record) const override {
    kept_.push_back(record);
    return std::to_string(kept_.size() - 1);
  }
  Result<ColumnRecord> decode(ByteView bytes) const override {
    return kept_.at(std::stoul(std::string(as_text(bytes))));
  }
  ColumnRecord& record(const std::string& stored) { return kept_.at(std::stoul(stored)); }

 private:
  mutable std::vector<ColumnRecord> kept_;
};

CompiledSchemaPtr compiled(std::string text, SchemaType type = SchemaType::avro) {
  auto schema = compile_schema({.type = type, .text = std::move(text), .references = {}}, {}, {});
  EXPECT_TRUE(schema) << (schema ? "" : schema.error().message);
  return *schema;
}

std::string bytes(std::initializer_list<int> each) {
  std::string out;
  for (const int byte : each) out += static_cast<char>(byte);
  return out;
}

struct Topic {
  KeptFormat format;
  DeclaredColumns declared;
  std::map<std::int32_t, CompiledSchemaPtr> schemas;

  void add(std::int32_t id, CompiledSchemaPtr schema) {
    add_columns(declared, declarable(*schema->value_columns({})));
    schemas.emplace(id, std::move(schema));
  }
  TypedValue store(std::string_view value) {
    const Framed framed = unframe(Field::value, as_bytes(value), {});
    ValueWriter writer(format, declared);
    return writer.make(as_bytes(value), framed, schemas.at(framed.id).get());
  }
  Result<std::string> back(const std::string& stored) {
    return value_of(format, as_bytes(stored), [this](std::int32_t id) {
      const auto at = schemas.find(id);
      return at == schemas.end() ? nullptr : at->second.get();
    });
  }
  const ColumnValue* column(const TypedValue& made, const std::string& name) {
    return find_column(format.record(made.stored), name);
  }
};

const std::string kPrefix7 = bytes({0, 0, 0, 0, 7});

TEST(TypedValue, GoldenRecordOfEveryColumn) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"a.All","fields":[
    {"name":"flag","type":"boolean"},
    {"name":"i","type":"int"},
    {"name":"maybe","type":["null","long"]},
    {"name":"f","type":"float"},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"color","type":{"type":"enum","name":"Color","symbols":["RED","BLUE"]}},
    {"name":"tags","type":{"type":"array","items":"string"}},
    {"name":"one_of","type":["string",{"type":"record","name":"Sub","fields":[{"name":"n","type":"int"}]}]},
    {"name":"nothing","type":"null"}]})"));
  const std::string value =
      kPrefix7 + bytes({1, 0x53, 2, 0x0e, 0, 0, 0xc0, 0x3f, 4, 6, 4, 0xfe, 0xa2, 2, 2, 2, 'x', 0, 2, 8});
  const TypedValue made = topic.store(value);
  EXPECT_TRUE(made.proved);
  EXPECT_EQ(topic.column(made, "flag")->number, 1);
  EXPECT_EQ(topic.column(made, "i")->number, -42);
  EXPECT_EQ(topic.column(made, "maybe")->number, 7);
  EXPECT_EQ(topic.column(made, "f")->number, 0x3fc00000);
  EXPECT_EQ(topic.column(made, "day")->number, 2);
  EXPECT_EQ(topic.column(made, "at")->number, 3);
  EXPECT_EQ(topic.column(made, "amount")->bytes, "-3.50");
  EXPECT_EQ(topic.column(made, "color")->bytes, "BLUE");
  EXPECT_EQ(topic.column(made, "tags")->parts.at(0).value.bytes, "x");
  EXPECT_EQ(topic.column(made, "one_of")->parts.at(0).name, "a.Sub");
  EXPECT_EQ(topic.column(made, "nothing"), nullptr);
  EXPECT_EQ(topic.back(made.stored), value);
  const ColumnValue* envelope = topic.column(made, "_tidegate");
  ASSERT_NE(envelope, nullptr);
  EXPECT_EQ(envelope->bytes.substr(0, 6), bytes({1, 2, 0, 0, 0, 7}));
  EXPECT_EQ(envelope->bytes.size(), 12U);
}

TEST(TypedValue, LongerSpellingIsKeptBesideItsColumns) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"long"}]})"));
  const std::string value = kPrefix7 + bytes({0x8e, 0x00});
  const TypedValue made = topic.store(value);
  EXPECT_FALSE(made.proved);
  EXPECT_EQ(topic.column(made, "n")->number, 7);
  EXPECT_EQ(topic.back(made.stored), value);
}

TEST(TypedValue, MapsAndRecursionAreTextForPeopleAndBytesForReaders) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[
    {"name":"m","type":{"type":"map","values":"long"}},{"name":"next","type":["null","R"]}]})"));
  const std::string value = kPrefix7 + bytes({2, 4, 'a', '"', 6, 0, 2, 0, 0});
  const TypedValue made = topic.store(value);
  EXPECT_FALSE(made.proved);
  EXPECT_EQ(topic.column(made, "m")->bytes, R"({"a\"":3})");
  EXPECT_EQ(topic.column(made, "next")->bytes, R"({"m":{},"next":null})");
  EXPECT_EQ(topic.back(made.stored), value);
}

TEST(TypedValue, EvolutionAddsColumns_AndAnotherTypeKeepsTheBytes) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"long"}]})"));
  topic.add(8, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"long"},
    {"name":"s","type":"string"}]})"));
  topic.add(9, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"string"},
    {"name":"s","type":"string"}]})"));
  EXPECT_EQ(topic.declared.columns.size(), 3U);  // the envelope, n, s
  const TypedValue old = topic.store(kPrefix7 + bytes({2}));
  const TypedValue more = topic.store(bytes({0, 0, 0, 0, 8, 4, 2, 'x'}));
  const TypedValue other = topic.store(bytes({0, 0, 0, 0, 9, 2, 'y', 2, 'z'}));
  EXPECT_TRUE(old.proved);
  EXPECT_TRUE(more.proved);
  EXPECT_FALSE(other.proved);
  EXPECT_EQ(topic.column(other, "n"), nullptr);
  EXPECT_EQ(topic.column(other, "s")->bytes, "z");
  EXPECT_EQ(topic.back(old.stored), kPrefix7 + bytes({2}));
  EXPECT_EQ(topic.back(more.stored), bytes({0, 0, 0, 0, 8, 4, 2, 'x'}));
  EXPECT_EQ(topic.back(other.stored), bytes({0, 0, 0, 0, 9, 2, 'y', 2, 'z'}));
}

TEST(TypedValue, AnotherRecordTypeHasNoColumns) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"long"}]})"));
  topic.add(8, compiled(R"({"type":"record","name":"Q","fields":[{"name":"n","type":"long"}]})"));
  const TypedValue made = topic.store(bytes({0, 0, 0, 0, 8, 2}));
  EXPECT_FALSE(made.proved);
  EXPECT_EQ(topic.format.record(made.stored).size(), 1U);
  EXPECT_EQ(topic.back(made.stored), bytes({0, 0, 0, 0, 8, 2}));
}

TEST(TypedValue, NamesOfSeaweedmqsOwnColumnsAreLeftOut) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[{"name":"_key","type":"long"},
    {"name":"_tidegate","type":"bytes"},{"name":"n","type":"long"}]})"));
  const std::string value = kPrefix7 + bytes({2, 2, 'x', 4});
  const TypedValue made = topic.store(value);
  EXPECT_FALSE(made.proved);
  EXPECT_EQ(topic.column(made, "_key"), nullptr);
  EXPECT_EQ(topic.column(made, "n")->number, 2);
  EXPECT_EQ(topic.back(made.stored), value);
}

TEST(TypedValue, SchemaNamedInAHeaderHasNoPrefix) {
  Topic topic;
  topic.add(7, compiled("\"long\""));
  ValueWriter writer(topic.format, topic.declared);
  const std::string value = bytes({2});
  const TypedValue made = writer.make(as_bytes(value), {.id = 7, .payload = as_bytes(value), .problem = {}},
                                      topic.schemas.at(7).get());
  EXPECT_TRUE(made.proved);
  EXPECT_EQ(topic.column(made, "value")->number, 1);
  EXPECT_EQ(topic.back(made.stored), value);
}

TEST(TypedValue, DecimalsAreTextOrKept) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"bytes","logicalType":"decimal","precision":30,"scale":2})"));
  const std::pair<std::string, std::string> proved[] = {
      {bytes({2, 0}), "0.00"},          {bytes({2, 5}), "0.05"},
      {bytes({2, 0xff}), "-0.01"},      {bytes({4, 0, 0x80}), "1.28"},
      {bytes({2, 0x80}), "-1.28"},      {bytes({4, 0xff, 0x7f}), "-1.29"},
      {bytes({4, 0x01, 0x00}), "2.56"}, {bytes({4, 0x80, 0x00}), "-327.68"}};
  for (const auto& [body, text] : proved) {
    const TypedValue made = topic.store(kPrefix7 + body);
    EXPECT_TRUE(made.proved) << text;
    EXPECT_EQ(topic.column(made, "value")->bytes, text);
    EXPECT_EQ(topic.back(made.stored), kPrefix7 + body);
  }
  // Longer than it has to be, none at all, and more than there is text for.
  for (const std::string& body : {bytes({4, 0, 5}), bytes({0}), bytes({34}) + std::string(17, '\1')}) {
    const TypedValue made = topic.store(kPrefix7 + body);
    EXPECT_FALSE(made.proved);
    EXPECT_EQ(topic.back(made.stored), kPrefix7 + body);
  }
  topic = Topic();
  topic.add(7, compiled(R"({"type":"fixed","name":"D","size":4,"logicalType":"decimal","precision":9})"));
  const TypedValue made = topic.store(kPrefix7 + bytes({0xff, 0xff, 0xff, 0xfe}));
  EXPECT_TRUE(made.proved);
  EXPECT_EQ(topic.column(made, "value")->bytes, "-2");
}

TEST(TypedValue, WhatWouldTakeMuchMoreThanTheValueIsKeptAlone) {
  Topic topic;
  std::string fields;
  for (int i = 0; i < 100; ++i)
    fields += (i > 0 ? "," : "") + std::string(R"({"name":"f)") + std::string(1000, 'x') + std::to_string(i) +
              R"(","type":"boolean"})";
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[)" + fields + "]}"));
  // KeptFormat tells no size; one that does is seaweedmq's.
  class Sized final : public ColumnFormat {
    std::string encode(const ColumnRecord& record) const override {
      std::string out;
      for (const auto& one : record) out += one.name + one.value.bytes;
      return out;
    }
    Result<ColumnRecord> decode(ByteView) const override { return ColumnRecord{}; }
  };
  const Sized sized;
  const std::string value = kPrefix7 + std::string(100, '\1');
  ValueWriter writer(sized, topic.declared);
  const TypedValue made =
      writer.make(as_bytes(value), unframe(Field::value, as_bytes(value), {}), topic.schemas.at(7).get());
  EXPECT_FALSE(made.proved);
  EXPECT_LT(made.stored.size(), 200U);
}

TEST(TypedValue, WhatWasChangedIsDamageAndNeverAnotherValue) {
  Topic topic;
  topic.add(7, compiled(R"({"type":"record","name":"R","fields":[{"name":"n","type":"long"}]})"));
  const TypedValue made = topic.store(kPrefix7 + bytes({2}));
  ColumnRecord& record = topic.format.record(made.stored);
  const ColumnRecord good = record;
  record[0].value.number = 5;
  EXPECT_THAT(topic.back(made.stored).error().message, HasSubstr("fails its CRC"));
  record = good;
  record[0].value.kind = ColumnKind::string;
  EXPECT_THAT(topic.back(made.stored).error().message, HasSubstr("no value of schema id 7"));
  record = good;
  record.erase(record.begin() + 1);
  EXPECT_THAT(topic.back(made.stored).error().message, HasSubstr("no envelope"));
  for (std::size_t size = 0; size < good[1].value.bytes.size(); ++size) {
    record = good;
    record[1].value.bytes.resize(size);
    EXPECT_FALSE(topic.back(made.stored)) << size;
  }
  record = good;
  topic.schemas.clear();
  EXPECT_THAT(topic.back(made.stored).error().message, HasSubstr("not kept with the topic"));
}

}  // namespace
}  // namespace tidegate::schema
