// Validation of batches by what their records hold, against a scripted registry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "support/batches.h"
#include "support/run_task.h"
#include "support/scripted_registry.h"
#include "tidegate/schema/batch_validator.h"

namespace tidegate::schema {
namespace {

using namespace std::chrono_literals;
using test::http_failure;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kOrder = R"({"type":"record","name":"Order","fields":[
  {"name":"id","type":"long"},{"name":"tags","type":{"type":"array","items":"string"}},
  {"name":"paid","type":["null","boolean"]}]})";
constexpr TopicPolicy kFull{.value = {.validation = Validation::full}};
constexpr TopicPolicy kFullOpen{.value = {.validation = Validation::full, .accept_unchecked = true}};

std::string bytes(std::initializer_list<int> each) {
  std::string out;
  for (const int byte : each) out += static_cast<char>(byte);
  return out;
}
std::string framed(std::int32_t id, const std::string& payload) {
  return bytes({0, id >> 24, id >> 16, id >> 8, id}) + payload;
}
// id 7, tags ["a"], paid true.
const std::string kGood = bytes({14, 2, 2, 'a', 0, 2, 1});
const std::string kBadTag = bytes({14, 2, 2, 0xff, 0, 2, 1});

class FullValidationTest : public ::testing::Test {
 protected:
  FullValidationTest() {
    make({});
    add(1, kOrder);
  }
  ~FullValidationTest() override { shards.stop(); }

  void make(ValidationOptions options) {
    RegistryOptions registry_options{.urls = {"http://a"}};
    registry_options.tries = 1;
    registry = std::make_unique<Registry>(registry_options, std::make_unique<test::ScriptedTransport>(script),
                                          shards.shard(0), blocking, shards.clock(), rng, shards.metrics());
    validator = std::make_unique<BatchValidator>(registry.get(), blocking, shards.metrics(), options);
  }
  void add(std::int32_t id, const std::string& text,
           const std::vector<test::RegistryScript::Reference>& references = {},
           const std::string& type = {}) {
    script->id_of(id, {"t-value", "t-key"});
    script->schema_of(id, text, references, type);
  }
  BatchVerdict check(const protocol::RecordBatch& batch, const TopicPolicy& policy = kFull) {
    return shards.run([&] { return validator->check(policy, "t", batch, {}); }, 1);
  }
  BatchVerdict check(const std::vector<std::string>& values, const TopicPolicy& policy = kFull) {
    return check(test::batch_of(values), policy);
  }
  // Of a batch of one record.
  std::string reason(const std::string& value) {
    const auto verdict = check({value});
    if (verdict.error == ErrorCode::none) return "";
    EXPECT_EQ(verdict.error, ErrorCode::invalid_record) << verdict.message;
    return verdict.problems.empty() ? "no problem: " + verdict.message : verdict.problems[0].message;
  }
  static std::vector<std::int32_t> indexes(const BatchVerdict& verdict) {
    std::vector<std::int32_t> found;
    for (const auto& problem : verdict.problems) found.push_back(problem.index);
    return found;
  }
  std::future<BatchVerdict> begin(const std::vector<std::string>& values) {
    auto done = std::make_shared<std::promise<BatchVerdict>>();
    auto future = done->get_future();
    shards.shard(1).spawn(tell(validator.get(), test::batch_of(values), done), "test");
    return future;
  }
  static Task<void> tell(BatchValidator* of, protocol::RecordBatch batch,
                         std::shared_ptr<std::promise<BatchVerdict>> done) {
    done->set_value(co_await of->check(kFull, "t", std::move(batch), {}));
  }
  double metric(const std::string& name, const std::string& label) {
    for (const auto& family : shards.metrics().collect()) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        for (const auto& [key, value] : sample.labels) {
          if (value == label) return sample.value;
        }
      }
    }
    return -1;
  }

  test::ShardHarness shards{2};
  BlockingPool blocking{BlockingPoolOptions{}, shards.metrics()};
  SeededRng rng{1};
  std::shared_ptr<test::RegistryScript> script = std::make_shared<test::RegistryScript>();
  std::unique_ptr<Registry> registry;
  std::unique_ptr<BatchValidator> validator;
};

TEST_F(FullValidationTest, ValuesOfTheSchema_Pass) {
  for (int round = 0; round < 3; ++round)
    EXPECT_EQ(check({framed(1, kGood), framed(1, kGood)}).error, ErrorCode::none);
  EXPECT_EQ(script->asked().size(), 2U) << "whose it is, and its text";
}

TEST_F(FullValidationTest, BadRecords_AreNamedWithTheFieldAndTheReason) {
  const auto verdict = check({framed(1, kGood), framed(1, kBadTag), "none", framed(9, kGood),
                              framed(1, kGood + "x"), framed(1, "")});
  EXPECT_EQ(verdict.error, ErrorCode::invalid_record);
  ASSERT_THAT(indexes(verdict), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(verdict.problems[0].message, "value: no value of schema id 1: a string is no UTF-8 (at tags[0])");
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("no schema id"));
  EXPECT_THAT(verdict.problems[2].message, HasSubstr("unknown"));
  EXPECT_THAT(verdict.problems[3].message, HasSubstr("1 bytes are left"));
  EXPECT_THAT(verdict.problems[4].message, HasSubstr("(at id)"));
  EXPECT_EQ(metric("tidegate_schema_records_total", "mismatch"), 0) << "of keys";
}

TEST_F(FullValidationTest, NullsPass_AndKeysHaveTheirOwnPolicy) {
  constexpr TopicPolicy kKeys{.key = {.validation = Validation::full},
                              .value = {.validation = Validation::id}};
  const auto batch = test::build({{.timestamp = 1},
                                  {.timestamp = 2, .key = framed(1, kGood), .value = framed(1, kBadTag)},
                                  {.timestamp = 3, .key = framed(1, kBadTag), .value = framed(1, kGood)}});
  const auto verdict = check(batch, kKeys);
  ASSERT_THAT(indexes(verdict), ElementsAre(2));
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("key: no value of schema id 1"));
  EXPECT_EQ(check(test::build({{.timestamp = 1, .key = "k"}})).error, ErrorCode::none);
}

TEST_F(FullValidationTest, SchemaInAHeader_LeavesTheWholeValue) {
  const auto with = [](const std::string& value) {
    return test::build({{.timestamp = 1, .value = value, .headers = {{"__value_schema_id", framed(1, "")}}}});
  };
  EXPECT_EQ(check(with(kGood)).error, ErrorCode::none);
  EXPECT_EQ(check(with(kBadTag)).error, ErrorCode::invalid_record);
}

TEST_F(FullValidationTest, CompressedAndLargeBatches_AreJudgedTheSame) {
  for (const auto codec : {protocol::Compression::none, protocol::Compression::zstd}) {
    protocol::NewBatchOptions options;
    options.compression = codec;
    std::vector<std::string> values(5000, framed(1, kGood));
    EXPECT_EQ(check(test::batch_of(values, options)).error, ErrorCode::none);
    values[4321] = framed(1, kBadTag);
    EXPECT_THAT(indexes(check(test::batch_of(values, options))), ElementsAre(4321));
  }
}

TEST_F(FullValidationTest, JsonRecords_AreJudgedAsAvroOnesAre) {
  add(2, R"({"properties":{"items":{"items":{"$ref":"item.json"}}}})", {{"item.json", "items", 4}}, "JSON");
  script->version_of("items", 4, R"({"properties":{"name":{"type":"string"}}})", {}, "JSON");
  const auto verdict =
      check({framed(2, R"({"items":[{"name":"a"}]})"), framed(2, R"({"items":[{"name":"a"},{"name":1}]})"),
             framed(2, "{"), framed(2, ""), framed(1, kGood)});
  EXPECT_EQ(verdict.error, ErrorCode::invalid_record);
  ASSERT_THAT(indexes(verdict), ElementsAre(1, 2, 3));
  EXPECT_EQ(
      verdict.problems[0].message,
      "value: no value of schema id 2: a number is of no type that the schema allows (at /items/1/name)");
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("the JSON text ends early"));
  EXPECT_EQ(script->asked_for("/subjects/items/versions/4"), 1U);
  add(5, R"({"pattern":"(?=a)b"})", {}, "JSON");
  EXPECT_THAT(reason(framed(5, "{}")), AllOf(HasSubstr("schema id 5 cannot be validated with"),
                                             HasSubstr("lookahead and lookbehind are not supported")));
}

TEST_F(FullValidationTest, ProtobufRecords_AreJudgedAsAvroOnesAre) {
  add(3,
      "syntax = \"proto3\"; import \"item.proto\"; message Order { int64 id = 1; repeated Item items = 2; } "
      "message Other { string s = 1; }",
      {{"item.proto", "items", 4}}, "PROTOBUF");
  script->version_of("items", 4, "syntax = \"proto3\"; message Item { string name = 1; }", {}, "PROTOBUF");
  const std::string good = bytes({0, 8, 7, 18, 3, 10, 1, 'a'});
  const std::string bad = bytes({0, 8, 7, 18, 0, 18, 3, 10, 1, 0xff});
  const auto verdict = check({framed(3, good), framed(3, bad), framed(3, bytes({2, 2, 10, 1, 'x'})),
                              framed(3, bytes({2, 4})), framed(3, ""), framed(1, kGood)});
  EXPECT_EQ(verdict.error, ErrorCode::invalid_record);
  ASSERT_THAT(indexes(verdict), ElementsAre(1, 3, 4));
  EXPECT_EQ(verdict.problems[0].message,
            "value: no value of schema id 3: as Order: a string is no UTF-8 (at items[1].name)");
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("its message path names no message of the schema: 2"));
  EXPECT_THAT(verdict.problems[2].message, HasSubstr("ends before its message path"));
  EXPECT_EQ(script->asked_for("/subjects/items/versions/4"), 1U);
}

TEST_F(FullValidationTest, ProtobufSchemasThatCannotBeUsed_SayWhy) {
  add(3, "message M { Item i = 1; }", {}, "PROTOBUF");
  EXPECT_THAT(reason(framed(3, bytes({0}))),
              HasSubstr("schema id 3 cannot be validated with: 1:13: Expected"));
  add(4, "import \"item.proto\"; message M { optional Item i = 1; }", {}, "PROTOBUF");
  EXPECT_THAT(reason(framed(4, bytes({0}))), HasSubstr("its import of item.proto is none of its references"));
  script->version_of("a", 1, R"("int")");
  add(5, "import \"a\"; message M {}", {{"a", "a"}}, "PROTOBUF");
  EXPECT_THAT(reason(framed(5, bytes({0}))), HasSubstr("refers to a schema of format AVRO"));
  make({.max_types = 3, .max_fields = 3, .max_schema_depth = 3, .max_record_depth = 2});
  const std::string head = "syntax = \"proto3\"; message M { M m = 1; ";
  add(10, head + "}", {}, "PROTOBUF");
  EXPECT_EQ(reason(framed(10, bytes({0, 10, 0}))), "");
  EXPECT_THAT(reason(framed(10, bytes({0, 10, 2, 10, 0}))), HasSubstr("the record is nested too deeply"));
  add(11, head + "} message A {} message B {} message C {}", {}, "PROTOBUF");
  EXPECT_THAT(reason(framed(11, bytes({0}))), HasSubstr("too many types"));
  add(12, head + "int32 a = 2; int32 b = 3; int32 c = 4; }", {}, "PROTOBUF");
  EXPECT_THAT(reason(framed(12, bytes({0}))), HasSubstr("too many fields"));
  add(13, head + "message A { message B { message C {} } } }", {}, "PROTOBUF");
  EXPECT_THAT(reason(framed(13, bytes({0}))), HasSubstr("the schema is nested too deeply"));
}

TEST_F(FullValidationTest, UnusableSchema_IsLookedAtAgainAfterItsTime) {
  add(2, R"(["null",["int"]])");
  EXPECT_THAT(reason(framed(2, "")), HasSubstr("union is directly in a union"));
  const auto asked = script->asked().size();
  EXPECT_NE(reason(framed(2, "")), "");
  EXPECT_EQ(script->asked().size(), asked) << "remembered";
  EXPECT_EQ(metric("tidegate_schema_compiled_total", "unusable"), 1);
  shards.advance(5s);
  EXPECT_NE(reason(framed(2, "")), "");
  EXPECT_EQ(metric("tidegate_schema_compiled_total", "unusable"), 2);
}

TEST_F(FullValidationTest, References_AreFollowedOnceEach) {
  // 10 -> a, b; a -> c; b -> c.
  script->version_of("c", 1, R"({"type":"fixed","name":"C","size":1})");
  script->version_of("a", 3, R"({"type":"record","name":"A","fields":[{"name":"c","type":"C"}]})",
                     {{"C", "c"}});
  script->version_of("b", 1, R"({"type":"record","name":"B","fields":[{"name":"c","type":"C"}]})",
                     {{"C", "c"}});
  add(10, R"({"type":"record","name":"R","fields":[{"name":"a","type":"A"},{"name":"b","type":"B"}]})",
      {{"A", "a", 3}, {"B", "b"}});
  EXPECT_EQ(reason(framed(10, "xy")), "");
  EXPECT_THAT(reason(framed(10, "x")), HasSubstr("(at b.c)"));
  EXPECT_EQ(script->asked_for("/subjects/c/"), 1U);
  EXPECT_EQ(script->asked_for("/subjects/a/versions/3"), 1U);
}

TEST_F(FullValidationTest, ReferencesThatCannotBe_MakeASchemaUnusable) {
  script->version_of("a", 1, R"("int")", {{"B", "b"}});
  script->version_of("b", 1, R"("int")", {{"A", "a"}});
  add(10, R"("int")", {{"A", "a"}});
  EXPECT_THAT(reason(framed(10, bytes({0}))), HasSubstr("version 1 of a goes in a circle"));
  add(11, R"("int")", {{"N", "nowhere", 4}});
  EXPECT_THAT(reason(framed(11, bytes({0}))), HasSubstr("version 4 of nowhere leads nowhere"));
  script->version_of("f", 1, R"({"type":"fixed","name":"F","size":1})");
  script->version_of("f", 2, R"({"type":"fixed","name":"F","size":2})");
  add(12, R"("F")", {{"F", "f", 1}, {"F", "f", 2}});
  EXPECT_THAT(reason(framed(12, "x")), HasSubstr("F is defined twice"));
  script->version_of("p", 1, "message M {}", {}, "PROTOBUF");
  add(13, R"("int")", {{"p", "p"}});
  EXPECT_THAT(reason(framed(13, bytes({0}))), HasSubstr("refers to a schema of format PROTOBUF"));
}

TEST_F(FullValidationTest, NumberDepthAndSizeOfReferences_AreLimited) {
  const auto chain = [&](std::int32_t id, int length) {
    for (int i = 1; i <= length; ++i) {
      const std::string next = "s" + std::to_string(i + 1);
      script->version_of("s" + std::to_string(i), 1, R"("int")",
                         i == length ? std::vector<test::RegistryScript::Reference>{}
                                     : std::vector<test::RegistryScript::Reference>{{next, next}});
    }
    add(id, R"("int")", {{"s1", "s1"}});
    return reason(framed(id, bytes({0})));
  };
  EXPECT_EQ(chain(10, 16), "");
  EXPECT_THAT(chain(11, 17), HasSubstr("too many steps away"));
  std::vector<test::RegistryScript::Reference> many;
  for (int i = 0; i < 65; ++i) {
    many.push_back({"m" + std::to_string(i), "m" + std::to_string(i)});
    script->version_of(many.back().subject, 1, R"("int")");
    if (i == 63) add(12, R"("int")", many);
  }
  EXPECT_EQ(reason(framed(12, bytes({0}))), "");
  add(13, R"("int")", many);
  EXPECT_THAT(reason(framed(13, bytes({0}))), HasSubstr("more than 64 references"));

  make({.max_schema_bytes = 200});
  add(20, R"("int")" + std::string(195, ' '));
  EXPECT_EQ(reason(framed(20, bytes({0}))), "");
  add(21, R"("int")" + std::string(196, ' '));
  EXPECT_THAT(reason(framed(21, bytes({0}))), HasSubstr("more than 200 bytes"));
  script->version_of("large", 1, R"("int")" + std::string(100, ' '));
  add(22, R"("int")" + std::string(100, ' '), {{"l", "large"}});
  EXPECT_THAT(reason(framed(22, bytes({0}))), HasSubstr("more than 200 bytes"));
}

TEST_F(FullValidationTest, LimitsOfSchemasAndRecords_AreThoseOfTheOptions) {
  make({.max_types = 3, .max_schema_depth = 3, .max_record_depth = 2, .max_empty_values = 4});
  const auto lists = [](int depth) {
    std::string text = R"("null")";
    for (int i = 0; i < depth; ++i) text = R"({"type":"array","items":)" + text + "}";
    return text;
  };
  add(10, lists(3));
  add(11, R"(["null",)" + lists(3) + "]");
  add(12, R"({"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"}},
    {"name":"b","type":{"type":"array","items":"int"}},{"name":"c","type":{"type":"array","items":"int"}}]})");
  EXPECT_EQ(reason(framed(10, bytes({0}))), "");
  EXPECT_THAT(reason(framed(10, bytes({2, 2, 0}))), HasSubstr("the record is nested too deeply"));
  EXPECT_THAT(reason(framed(11, bytes({0}))), HasSubstr("the schema is nested too deeply"));
  EXPECT_THAT(reason(framed(12, bytes({0}))), HasSubstr("too many types"));
  add(13, lists(1));
  EXPECT_EQ(reason(framed(13, bytes({12, 0}))), "") << "6 nulls: 4, and one a byte";
  EXPECT_THAT(reason(framed(13, bytes({14, 0}))), HasSubstr("take no bytes"));
}

TEST_F(FullValidationTest, ManyAtOnce_FetchASchemaOnce) {
  shards.call([&] { script->held = true; });
  std::vector<std::future<BatchVerdict>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(begin({framed(1, i % 2 == 0 ? kGood : kBadTag)}));
  shards.settle();
  shards.call([&] {
    script->held = false;
    script->released.notify_all();
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(futures[static_cast<std::size_t>(i)].get().error,
              i % 2 == 0 ? ErrorCode::none : ErrorCode::invalid_record);
  }
  EXPECT_EQ(script->asked().size(), 2U);
  EXPECT_EQ(metric("tidegate_schema_compiled_total", "usable"), 1);
}

TEST_F(FullValidationTest, SlowRegistry_IsWaitedForOnceAndNotForEver) {
  // Whose id it is, is known; its text takes longer than a batch waits.
  EXPECT_EQ(check({framed(1, kGood)}, {.value = {.validation = Validation::id}}).error, ErrorCode::none);
  shards.call([&] { script->held = true; });
  auto first = begin({framed(1, kGood)});
  shards.settle();
  shards.advance(5s);
  const auto told = first.get();
  EXPECT_EQ(told.error, ErrorCode::not_enough_replicas);
  EXPECT_THAT(told.message, HasSubstr("schema id 1 cannot be looked up now"));
  shards.call([&] {
    script->held = false;
    script->released.notify_all();
  });
  EXPECT_EQ(check({framed(1, kGood)}).error, ErrorCode::none);
  EXPECT_EQ(script->asked_for("/schemas/ids/1"), 2U) << "its subjects, its text: the second batch found it";
}

TEST_F(FullValidationTest, RegistryLost_IsRetriableOrAcceptedAsThePolicySays) {
  EXPECT_EQ(check({framed(1, kGood)}).error, ErrorCode::none);
  add(2, kOrder);
  add(3, R"("A")", {{"A", "a"}});
  script->replace("/schemas/ids/2", http_failure());
  script->replace("/subjects/a/versions/1?deleted=true", http_failure());
  const auto closed = check({framed(2, kGood)});
  EXPECT_EQ(closed.error, ErrorCode::not_enough_replicas);
  EXPECT_THAT(closed.message, HasSubstr("schema id 2 cannot be looked up now"));
  EXPECT_THAT(check({framed(3, kGood)}).message,
              HasSubstr("its reference to version 1 of a cannot be followed"));
  EXPECT_EQ(check({framed(2, "anything")}, kFullOpen).error, ErrorCode::none);
  EXPECT_EQ(check({framed(1, kGood)}).error, ErrorCode::none) << "what is known goes on";
  EXPECT_THAT(indexes(check({framed(2, "anything"), framed(1, kBadTag)}, kFullOpen)), ElementsAre(1));
  script->schema_of(2, kOrder);
  EXPECT_EQ(check({framed(2, kGood)}).error, ErrorCode::none) << "and it is asked again";
}

TEST_F(FullValidationTest, NamesAsLongAsASchema_DoNotMakeReasonsLong) {
  std::string name = "a";  // so that letters of two bytes stand across each limit
  for (int i = 0; i < 50'000; ++i) name += "\xc3\xbc";
  const std::string field = R"({"name":")" + name + R"(","type":"boolean"})";
  add(20, R"({"type":"record","name":"R","fields":[)" + field + "]}");
  const std::string mismatch = reason(framed(20, "x"));
  EXPECT_THAT(mismatch, HasSubstr("\xc3\xbc..."));
  EXPECT_LT(mismatch.size(), 300U);
  add(21, R"({"type":"record","name":")" + name + R"(","fields":[)" + field + "," + field + "]}");
  const std::string unusable = reason(framed(21, "x"));
  EXPECT_THAT(unusable, HasSubstr("\xc3\xbc..."));
  EXPECT_LT(unusable.size(), 700U);
  script->id_of(22, {"t-value"});
  script->schema_of(22, R"("int")", {{"r", name}});
  EXPECT_LT(reason(framed(22, "x")).size(), 700U);
}

TEST_F(FullValidationTest, TextThatIsGone_IsUnusable) {
  script->id_of(2, {"t-value"});
  EXPECT_THAT(reason(framed(2, kGood)), HasSubstr("does not have its text"));
}

TEST_F(FullValidationTest, CompiledSchemas_AreKeptWithinTheirMemory) {
  make({.compiled_cache_bytes = 10'000});
  for (std::int32_t id = 100; id < 140; ++id) {
    add(id, kOrder);
    EXPECT_EQ(check({framed(id, kGood)}).error, ErrorCode::none);
  }
  double bytes = 0;
  for (const auto& family : shards.metrics().collect()) {
    if (family.name == "tidegate_schema_compiled_bytes") bytes = family.samples.at(0).value;
  }
  EXPECT_GT(bytes, 1000);
  EXPECT_LE(bytes, 10'000);
  EXPECT_EQ(check({framed(100, kGood), framed(139, kBadTag)}).problems.size(), 1U) << "pushed out, and back";
}

// ----------------------------------------------------------- subjects that are named after record types

constexpr TopicPolicy by_name(Validation validation, SubjectStrategy strategy,
                              bool accept_unchecked = false) {
  return {.value = {.validation = validation, .strategy = strategy, .accept_unchecked = accept_unchecked}};
}
constexpr TopicPolicy kIdByRecord = by_name(Validation::id, SubjectStrategy::record);

TEST_F(FullValidationTest, SubjectsOfRecordTypes_AreThoseOfTheSchemasName) {
  constexpr auto kNamed = R"({"type":"record","name":"Order","namespace":"shop.v1","fields":[]})";
  script->schema_of(20, kNamed);
  script->id_of(20, {"shop.v1.Order"});
  script->schema_of(21, kNamed);
  script->id_of(21, {"t-shop.v1.Order"});
  script->schema_of(22, kNamed);
  script->id_of(22, {"t-value"});
  const auto batch = test::batch_of({framed(20, ""), framed(21, ""), framed(22, "")});
  const auto of_record = check(batch, kIdByRecord);
  EXPECT_THAT(indexes(of_record), ElementsAre(1, 2));
  EXPECT_EQ(of_record.problems[0].message,
            "value: schema id 21 is not registered under subject shop.v1.Order");
  EXPECT_THAT(indexes(check(batch, by_name(Validation::id, SubjectStrategy::topic_record))),
              ElementsAre(0, 2));
  EXPECT_THAT(indexes(check(batch, by_name(Validation::id, SubjectStrategy::topic))), ElementsAre(0, 1));
}

TEST_F(FullValidationTest, SubjectsOfRecordTypes_FullLooksAtTheRecords_IdDoesNot) {
  script->id_of(1, {"Order"});
  const std::vector<std::string> values{framed(1, kGood), framed(1, kBadTag)};
  EXPECT_EQ(check(values, kIdByRecord).error, ErrorCode::none);
  const auto full = check(values, by_name(Validation::full, SubjectStrategy::record));
  EXPECT_THAT(indexes(full), ElementsAre(1));
  EXPECT_THAT(full.problems[0].message, HasSubstr("no UTF-8"));
}

TEST_F(FullValidationTest, SubjectsOfProtobufMessages_AreThoseOfEachRecordsMessage) {
  script->schema_of(30, "syntax = \"proto3\"; package p; message A { message Inner {} } message B {}", {},
                    "PROTOBUF");
  script->id_of(30, {"p.A", "p.A.Inner"});
  const auto verdict = check({framed(30, bytes({0})), framed(30, bytes({2, 2})), framed(30, bytes({4, 0, 0})),
                              framed(30, bytes({2, 8}))},
                             kIdByRecord);
  EXPECT_THAT(indexes(verdict), ElementsAre(1, 3));
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("subject p.B"));
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("names no subject"));
}

TEST_F(FullValidationTest, SubjectsOfRecordTypes_WhatHasNoNameIsRefused) {
  script->schema_of(40, R"("string")");
  script->id_of(40, {"string"});
  const auto verdict = check({framed(40, bytes({0})), framed(99, "")}, kIdByRecord);
  EXPECT_THAT(indexes(verdict), ElementsAre(0, 1));
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("its type has no name"));
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("schema id 99"));
}

TEST_F(FullValidationTest, JsonSchemas_AreNamedByTheirTitle) {
  script->id_of(6, {"shop.Order"});
  script->schema_of(6, R"({"title":"shop.Order"})", {}, "JSON");
  script->id_of(7, {"shop.Order"});
  script->schema_of(7, "{}", {}, "JSON");
  const auto verdict = check({framed(6, "{}"), framed(7, "{}")}, kIdByRecord);
  ASSERT_THAT(indexes(verdict), ElementsAre(1));
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("its schema has no title"));
}

TEST_F(FullValidationTest, SubjectsOfRecordTypes_RegistryThatIsAway) {
  script->replace("/schemas/ids/1", http_failure());
  EXPECT_EQ(check({framed(1, kGood)}, kIdByRecord).error, ErrorCode::not_enough_replicas);
  const auto open = by_name(Validation::id, SubjectStrategy::record, true);
  EXPECT_EQ(check({framed(1, kGood)}, open).error, ErrorCode::none);
  script->schema_of(50, kOrder);
  script->replace("/schemas/ids/50/versions?deleted=true", http_failure());
  EXPECT_EQ(check({framed(50, kGood)}, kIdByRecord).error, ErrorCode::not_enough_replicas);
  EXPECT_EQ(check({framed(50, kGood)}, open).error, ErrorCode::none);
}

}  // namespace
}  // namespace tidegate::schema
