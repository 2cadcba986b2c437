#include "compaction/record_sieve.h"

#include <gtest/gtest.h>

#include "support/batches.h"
#include "tidegate/protocol/batch_filter.h"

namespace tidegate::broker {
namespace {

using protocol::NewRecord;
using protocol::RecordBatch;
using test::build;

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr HashSecret kSecret{.first = 1, .second = 2};

NewRecord put(std::string key, std::string value) {
  return {.timestamp = kNow, .key = std::move(key), .value = std::move(value), .headers = {}};
}
NewRecord erase(std::string key) {
  return {.timestamp = kNow, .key = std::move(key), .value = std::nullopt, .headers = {}};
}
RecordBatch at(Offset base, const std::vector<NewRecord>& records,
               std::int64_t producer = protocol::kNoProducerId) {
  return build(records,
               {.producer_id = producer, .producer_epoch = 0, .base_sequence = 0, .base_offset = base});
}

class RecordSieveTest : public testing::Test {
 protected:
  void map(const std::vector<RecordBatch>& batches) {
    KeyMapper mapper(offsets_, 0, {});
    for (const auto& batch : batches) {
      const auto added = mapper.add(batch);
      ASSERT_TRUE(added);
      if (!*added) break;
    }
    rules_.map_end = mapper.end();
  }
  // "offset=value" of what stays; "empty" for a batch without records, "gone" for none.
  std::vector<std::string> sift(const RecordBatch& batch) {
    RecordSieve sieve(offsets_, rules_);
    auto passed = sieve.pass(batch);
    if (!passed) return {"error"};
    if (!*passed) return {"gone"};
    last_ = **passed;
    std::vector<std::string> left;
    for (const auto& record : test::records_of(last_))
      left.push_back(std::to_string(record.offset) + "=" + record.value);
    if (left.empty()) left.emplace_back("empty");
    return left;
  }
  using Left = std::vector<std::string>;

  KeyOffsets offsets_{1000 * KeyOffsets::kSlotBytes, 0.9, kSecret};
  SieveRules rules_{.now_ms = kNow, .delete_retention_ms = 1000};
  RecordBatch last_;
};

TEST_F(RecordSieveTest, LastOfEachKey_Stays) {
  const auto first = at(0, {put("a", "1"), put("b", "1"), put("c", "1")});
  const auto second = at(3, {put("a", "2"), put("c", "2"), put("a", "3")});
  map({first, second});
  EXPECT_EQ(sift(first), (Left{"1=1"}));
  EXPECT_EQ(sift(second), (Left{"4=2", "5=3"}));
}

TEST_F(RecordSieveTest, KeylessRecords_Go) {
  const auto batch =
      at(0, {{.timestamp = kNow, .key = std::nullopt, .value = "old", .headers = {}}, put("a", "1")});
  map({batch});
  EXPECT_EQ(sift(batch), (Left{"1=1"}));
}

TEST_F(RecordSieveTest, BeyondTheMap_EverythingStays) {
  KeyOffsets small(2 * KeyOffsets::kSlotBytes, 0.9, kSecret);
  KeyMapper mapper(small, 0, {});
  const auto batch = at(0, {put("a", "1"), put("a", "2"), put("b", "1"), put("a", "3")});
  const auto added = mapper.add(batch);
  ASSERT_TRUE(added);
  EXPECT_FALSE(*added) << "one key is all it takes";
  EXPECT_EQ(mapper.end(), 2);
  RecordSieve sieve(small, {.map_end = mapper.end(), .now_ms = kNow, .delete_retention_ms = 1000});
  auto passed = sieve.pass(batch);
  ASSERT_TRUE(passed && *passed);
  EXPECT_EQ(test::values_of(test::records_of(**passed)), (Left{"2", "1", "3"}));
}

TEST_F(RecordSieveTest, Tombstone_StaysUntilItsHorizonThenGoes) {
  const auto value = at(0, {put("a", "1")});
  const auto tombstone = at(1, {erase("a")});
  map({value, tombstone});
  EXPECT_EQ(sift(value), Left{"gone"});
  EXPECT_EQ(sift(tombstone), Left{"1=(null)"});
  const RecordBatch marked = last_;
  EXPECT_EQ(protocol::delete_horizon_ms(marked.header), kNow + 1000);
  rules_.now_ms = kNow + 999;
  EXPECT_EQ(sift(marked), Left{"1=(null)"});
  EXPECT_EQ(protocol::delete_horizon_ms(last_.header), kNow + 1000) << "it is not put off";
  rules_.now_ms = kNow + 1000;
  EXPECT_EQ(sift(marked), Left{"gone"});
}

TEST_F(RecordSieveTest, SupersededTombstone_GoesAtOnce) {
  const auto tombstone = at(0, {erase("a")});
  map({tombstone, at(1, {put("a", "2")})});
  EXPECT_EQ(sift(tombstone), Left{"gone"});
}

TEST_F(RecordSieveTest, EndlessRetention_DoesNotOverflow) {
  rules_.delete_retention_ms = std::numeric_limits<std::int64_t>::max();
  const auto tombstone = at(0, {erase("a")});
  map({tombstone});
  EXPECT_EQ(sift(tombstone), Left{"0=(null)"});
  EXPECT_EQ(protocol::delete_horizon_ms(last_.header), std::numeric_limits<std::int64_t>::max());
}

TEST_F(RecordSieveTest, LastBatchOfAProducer_StaysEmpty) {
  const auto first = at(0, {put("a", "1"), put("b", "1")}, 7);
  const auto second = at(2, {put("a", "2"), put("b", "2")}, 8);
  const auto third = at(4, {put("a", "3"), put("b", "3")});
  map({first, second, third});
  rules_.producer_ends = {{7, 1}, {8, 30}};
  EXPECT_EQ(sift(first), Left{"empty"});
  EXPECT_EQ(last_.header.producer_id, 7);
  EXPECT_EQ(last_.header.last_sequence(), 1);
  EXPECT_EQ(sift(last_), Left{"empty"}) << "as long as it is the last";
  EXPECT_EQ(sift(second), Left{"gone"});
  rules_.producer_ends = {{7, 40}};
  EXPECT_EQ(sift(last_), Left{"gone"});
}

TEST_F(RecordSieveTest, TransactionsAndMarkers_StayAndSupersedeNothing) {
  const auto before = at(0, {put("a", "1")});
  const auto open = build(
      {put("a", "2")},
      {.producer_id = 7, .producer_epoch = 0, .base_sequence = 0, .transactional = true, .base_offset = 1});
  auto marker = protocol::build_control_batch(protocol::ControlType::abort, 7, 0, 0, kNow);
  marker.header.base_offset = 2;
  map({before, open, marker, at(3, {put("b", "1")})});
  EXPECT_EQ(sift(before), Left{"0=1"}) << "the transaction may have been aborted";
  EXPECT_EQ(sift(open), Left{"1=2"});
  RecordSieve sieve(offsets_, rules_);
  auto passed = sieve.pass(marker);
  ASSERT_TRUE(passed && *passed);
  EXPECT_EQ((*passed)->bytes, marker.bytes);
}

TEST_F(RecordSieveTest, BadRecords_AreAnError) {
  auto batch = at(0, {put("a", "1")});
  map({batch});
  batch.header.records_count = 3;
  EXPECT_EQ(sift(batch), Left{"error"});
  KeyMapper mapper(offsets_, 0, {});
  EXPECT_FALSE(mapper.add(batch));
}

}  // namespace
}  // namespace tidegate::broker
