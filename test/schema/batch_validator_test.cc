// Validation of batches by schema id, against a scripted registry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/batches.h"
#include "support/run_task.h"
#include "support/scripted_registry.h"
#include "tidegate/schema/batch_validator.h"

namespace tidegate::schema {
namespace {

using protocol::NewRecord;
using test::http_failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string framed(std::int32_t id, std::string_view payload = "x") {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint32_t>(id) >> shift);
  return bytes + std::string(payload);
}

constexpr TopicPolicy kValues{.value = {.validation = Validation::id}};
constexpr TopicPolicy kBoth{.key = {.validation = Validation::id}, .value = {.validation = Validation::id}};
constexpr TopicPolicy kValuesOpen{.value = {.validation = Validation::id, .accept_unchecked = true}};

class BatchValidatorTest : public ::testing::Test {
 protected:
  BatchValidatorTest() {
    RegistryOptions options{.urls = {"http://a"}};
    options.tries = 1;
    registry = std::make_unique<Registry>(options, std::make_unique<test::ScriptedTransport>(script),
                                          shards.shard(0), blocking, shards.clock(), rng, shards.metrics());
    validator = std::make_unique<BatchValidator>(registry.get(), blocking, shards.metrics());
    script->id_of(1, {"t-value"});
    script->id_of(2, {"t-key"});
    script->id_of(3, {"other-value"});
  }
  ~BatchValidatorTest() override { shards.stop(); }

  BatchVerdict check(const TopicPolicy& policy, const protocol::RecordBatch& batch,
                     protocol::RecordLimits limits = {}) {
    return shards.run([&] { return validator->check(policy, "t", batch, limits); }, 1);
  }
  BatchVerdict check_values(const std::vector<std::string>& values, const TopicPolicy& policy = kValues) {
    return check(policy, test::batch_of(values));
  }
  static std::vector<std::int32_t> indexes(const BatchVerdict& verdict) {
    std::vector<std::int32_t> found;
    for (const auto& problem : verdict.problems) found.push_back(problem.index);
    return found;
  }

  test::ShardHarness shards{2};
  BlockingPool blocking{BlockingPoolOptions{}, shards.metrics()};
  SeededRng rng{1};
  std::shared_ptr<test::RegistryScript> script = std::make_shared<test::RegistryScript>();
  std::unique_ptr<Registry> registry;
  std::unique_ptr<BatchValidator> validator;
};

TEST_F(BatchValidatorTest, GoodRecords_PassWithOneLookUp) {
  EXPECT_EQ(check_values({framed(1), framed(1), framed(1, "")}).error, ErrorCode::none);
  EXPECT_EQ(script->asked().size(), 1U);
}

TEST_F(BatchValidatorTest, EveryBadRecordIsNamedWithItsReason) {
  const auto verdict = check_values(
      {framed(1), "", framed(3), "abcdef", framed(9), framed(1), std::string(4, '\0'), framed(-1)});
  EXPECT_EQ(verdict.error, ErrorCode::invalid_record);
  EXPECT_THAT(indexes(verdict), ElementsAre(1, 2, 3, 4, 6, 7));
  EXPECT_EQ(verdict.problems_total, 6U);
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("0 bytes"));
  EXPECT_THAT(verdict.problems[1].message, HasSubstr("not registered under subject t-value"));
  EXPECT_THAT(verdict.problems[2].message, HasSubstr("the first byte is 97"));
  EXPECT_THAT(verdict.problems[3].message, HasSubstr("id 9 is unknown"));
  EXPECT_THAT(verdict.message, HasSubstr("6 records are invalid; record 1: value: "));
}

TEST_F(BatchValidatorTest, Nulls_PassAlways) {
  const auto batch = test::build(
      {{.timestamp = 1, .key = "not a schema"}, {.timestamp = 2, .key = framed(2)}, {.timestamp = 3}});
  EXPECT_EQ(check(kValues, batch).error, ErrorCode::none);
  EXPECT_TRUE(script->asked().empty());
  EXPECT_THAT(indexes(check(kBoth, batch)), ElementsAre(0));
}

TEST_F(BatchValidatorTest, KeysAndValues_HaveTheirOwnSubjects) {
  EXPECT_EQ(check(kBoth, test::build({{.timestamp = 1, .key = framed(2), .value = framed(1)}})).error,
            ErrorCode::none);
  const auto swapped = check(kBoth, test::build({{.timestamp = 1, .key = framed(1), .value = framed(2)}}));
  ASSERT_THAT(indexes(swapped), ElementsAre(0)) << "named once";
  EXPECT_THAT(swapped.problems[0].message,
              HasSubstr("key: schema id 1 is not registered under subject t-key"));
}

TEST_F(BatchValidatorTest, LongKeysThatBeginWithZero_AreNoBusinessOfATopicWithoutKeyValidation) {
  const std::string number("\0\0\0\0\0\0\0\x07", 8);
  EXPECT_EQ(check(kValues, test::build({{.timestamp = 1, .key = number, .value = framed(1)}})).error,
            ErrorCode::none);
}

TEST_F(BatchValidatorTest, CompressedBatches_AreLookedIntoUnderTheLimit) {
  for (const auto codec : {protocol::Compression::gzip, protocol::Compression::snappy,
                           protocol::Compression::lz4, protocol::Compression::zstd}) {
    protocol::NewBatchOptions options;
    options.compression = codec;
    EXPECT_EQ(check(kValues, test::batch_of({framed(1), framed(1)}, options)).error, ErrorCode::none);
    EXPECT_THAT(indexes(check(kValues, test::batch_of({framed(1), "bad"}, options))), ElementsAre(1));
    // Large enough for the CPU lane.
    SeededRng noise(7);
    std::string payload(100'000, '\0');
    for (char& c : payload) c = static_cast<char>(noise.next());
    EXPECT_THAT(indexes(check(kValues, test::batch_of({"bad", framed(1, payload)}, options))),
                ElementsAre(0));
    const auto bomb = test::batch_of({framed(1, std::string(1'000'000, 'a'))}, options);
    EXPECT_EQ(check(kValues, bomb, {.max_inflated_bytes = 100'000}).error, ErrorCode::message_too_large);
  }
}

TEST_F(BatchValidatorTest, RegistryLost_IsRetriableOrAcceptedAsThePolicySays) {
  script->otherwise(http_failure());
  EXPECT_EQ(check_values({framed(1)}).error, ErrorCode::none);
  const auto closed = check_values({framed(1), framed(7)});
  EXPECT_EQ(closed.error, ErrorCode::not_enough_replicas);
  EXPECT_THAT(closed.message, HasSubstr("schema id 7 cannot be looked up now"));
  EXPECT_THAT(closed.problems, IsEmpty());
  EXPECT_EQ(check_values({framed(1), framed(7)}, kValuesOpen).error, ErrorCode::none);
  // What is known to be bad is refused all the same.
  EXPECT_THAT(indexes(check_values({framed(7), "bad"}, kValuesOpen)), ElementsAre(1));
  EXPECT_THAT(indexes(check_values({framed(7), "bad"})), ElementsAre(1));
}

TEST_F(BatchValidatorTest, RegistryLost_CostsTheTimeOfOneLookUpForABatch) {
  script->otherwise(http_failure());
  std::vector<std::string> values;
  for (std::int32_t id = 100; id < 150; ++id) values.push_back(framed(id));
  EXPECT_EQ(check_values(values, kValuesOpen).error, ErrorCode::none);
  EXPECT_EQ(script->asked().size(), 1U);
}

// Every answer takes two seconds.
class SlowTransport final : public HttpTransport {
 public:
  SlowTransport(std::shared_ptr<test::RegistryScript> script, ManualClock& clock)
      : script_(std::move(script)), clock_(clock) {}
  Task<HttpReply> get(HttpRequest request) override {
    clock_.advance(std::chrono::seconds(2));
    co_return script_->take(request);
  }
  void stop() override {}

 private:
  std::shared_ptr<test::RegistryScript> script_;
  ManualClock& clock_;
};

TEST_F(BatchValidatorTest, SlowRegistry_HasFiveSecondsForABatch) {
  RegistryOptions options{.urls = {"http://a"}};
  registry =
      std::make_unique<Registry>(options, std::make_unique<SlowTransport>(script, shards.manual_clock()),
                                 shards.shard(0), blocking, shards.clock(), rng, shards.metrics());
  validator = std::make_unique<BatchValidator>(registry.get(), blocking, shards.metrics());
  std::vector<std::string> values;
  for (std::int32_t id = 100; id < 105; ++id) {
    script->id_of(id, {"t-value"});
    values.push_back(framed(id));
  }
  const auto verdict = check_values(values);
  EXPECT_EQ(verdict.error, ErrorCode::not_enough_replicas);
  EXPECT_THAT(verdict.message, HasSubstr("in time"));
  EXPECT_EQ(script->asked().size(), 3U);
  EXPECT_EQ(check_values(values).error, ErrorCode::none) << "what is known needs no second look-up";
  EXPECT_EQ(script->asked().size(), 5U);
}

TEST_F(BatchValidatorTest, NoRegistry_IsLikeALostOne) {
  validator = std::make_unique<BatchValidator>(nullptr, blocking, shards.metrics());
  EXPECT_EQ(check_values({framed(1)}).error, ErrorCode::not_enough_replicas);
  EXPECT_EQ(check_values({framed(1)}, kValuesOpen).error, ErrorCode::none);
  EXPECT_EQ(check_values({"bad"}, kValuesOpen).error, ErrorCode::invalid_record);
}

TEST_F(BatchValidatorTest, TooManySchemasInABatch_AreRefused) {
  std::vector<std::string> values;
  for (std::int32_t id = 0; id < 100; ++id) {
    script->id_of(1000 + id, {"t-value"});
    values.push_back(framed(1000 + id));
  }
  EXPECT_EQ(check_values(values).error, ErrorCode::none);
  values.push_back(framed(1));
  const auto verdict = check_values(values);
  EXPECT_EQ(verdict.error, ErrorCode::invalid_record);
  EXPECT_THAT(verdict.message, HasSubstr("more than 100"));
}

TEST_F(BatchValidatorTest, MoreBadRecordsThanAreNamed_AreCounted) {
  std::vector<std::string> values(1500, "bad");
  const auto unframed = check_values(values);
  EXPECT_EQ(unframed.problems.size(), kMaxNamedRecords);
  EXPECT_EQ(unframed.problems_total, 1500U);
  values.assign(1500, framed(9));
  const auto unknown = check_values(values);
  EXPECT_EQ(unknown.problems.size(), kMaxNamedRecords);
  EXPECT_EQ(unknown.problems_total, 1500U);
}

TEST_F(BatchValidatorTest, IdInAHeader_IsResolvedOrRefusedClearly) {
  const auto with_header = [](std::string header, std::string value) {
    return test::build(
        {{.timestamp = 1, .value = std::move(value), .headers = {{"__value_schema_id", std::move(header)}}}});
  };
  EXPECT_EQ(check(kValues, with_header(framed(1, ""), "no prefix")).error, ErrorCode::none);
  EXPECT_THAT(check(kValues, with_header(framed(3, ""), "no prefix")).message, HasSubstr("subject t-value"));
  EXPECT_THAT(check(kValues, with_header("\x01" + std::string(16, 'g'), "no prefix")).message,
              HasSubstr("GUID"));
  EXPECT_THAT(check(kValues, with_header("?", framed(1))).message, HasSubstr("holds no schema id"));
}

TEST_F(BatchValidatorTest, RecordsThatCannotBeRead_AreRefused) {
  auto batch = test::batch_of({framed(1), framed(1)});
  batch.header.records_count = 7;
  EXPECT_EQ(check(kValues, batch).error, ErrorCode::invalid_record);
}

}  // namespace
}  // namespace tidegate::schema
