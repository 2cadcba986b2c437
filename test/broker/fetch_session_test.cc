#include "fetch_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::broker {
namespace {

using ::testing::ElementsAre;

constexpr MonoTime kStart{};
constexpr Duration kEvictAfter = std::chrono::minutes(2);

FetchKey key(std::int32_t partition, std::string name = "t") {
  return {.name = std::move(name), .partition = partition};
}
FetchWant want(std::int32_t partition, Offset offset = 0) {
  return {.key = key(partition), .fetch_offset = offset, .max_bytes = 100};
}
FetchSeen seen(std::int32_t partition, Offset high_watermark, bool records = false) {
  return {.key = key(partition), .has_records = records, .high_watermark = high_watermark, .log_start = 0};
}

class Sessions : public ::testing::Test {
 protected:
  std::int32_t create(std::vector<FetchWant> wants, MonoTime now = kStart) {
    std::vector<FetchSeen> told;
    for (const FetchWant& each : wants) told.push_back(seen(each.key.partition, 10));
    return sessions.create(false, wants, told, now, evicted);
  }
  FetchSessions::Incremental advance(std::int32_t id, std::int32_t epoch, std::vector<FetchWant> changes = {},
                                     std::vector<FetchKey> forgotten = {}, bool by_id = false) {
    return sessions.advance(id, epoch, by_id, std::move(changes), forgotten, kStart);
  }

  static constexpr std::size_t kMaxBytes = 4096;  // a dozen partitions
  FetchSessionSlots slots{2, kMaxBytes, kEvictAfter};
  FetchSessions sessions{1, 3, 99, slots};
  std::optional<std::int32_t> evicted;
};

TEST_F(Sessions, Id_NamesItsShard) {
  for (int i = 0; i < 2; ++i) {
    const std::int32_t id = create({want(0)});
    EXPECT_GT(id, 0);
    EXPECT_EQ(FetchSessions::shard_of(id, 3), 1U);
  }
}

TEST_F(Sessions, UnknownId_IsNotFound) {
  EXPECT_EQ(advance(4, 1).error, ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(advance(0, 1).error, ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(advance(-5, 1).error, ErrorCode::fetch_session_id_not_found);
}

TEST_F(Sessions, Epochs_GoUpByOneAndNothingElseFits) {
  const std::int32_t id = create({want(0)});
  EXPECT_EQ(advance(id, 2).error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(advance(id, 1).error, ErrorCode::none);
  EXPECT_EQ(advance(id, 1).error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(advance(id, 2).error, ErrorCode::none);
}

TEST_F(Sessions, NamesAgainstIds_IsAnErrorOfItsOwn) {
  const std::int32_t id = create({want(0)});
  EXPECT_EQ(advance(id, 1, {}, {}, true).error, ErrorCode::fetch_session_topic_id_error);
  EXPECT_EQ(advance(id, 1).error, ErrorCode::none);
}

TEST_F(Sessions, Changes_AreAppliedAndRemembered) {
  const std::int32_t id = create({want(0, 5), want(1)});
  const auto changed = advance(id, 1, {want(1, 7), want(2)}, {key(0)});
  ASSERT_EQ(changed.wants.size(), 2U);
  EXPECT_EQ(changed.wants[0].key.partition, 1);
  EXPECT_EQ(changed.wants[0].fetch_offset, 7);
  EXPECT_EQ(changed.wants[1].key.partition, 2);
  EXPECT_EQ(advance(id, 2).wants.size(), 2U);
}

TEST_F(Sessions, LastPartitionForgotten_ClosesTheSession) {
  const std::int32_t id = create({want(0)});
  const auto closed = advance(id, 1, {}, {key(0)});
  EXPECT_EQ(closed.error, ErrorCode::none);
  EXPECT_EQ(closed.session_id, kNoSession);
  EXPECT_EQ(sessions.size(), 0U);
  EXPECT_EQ(slots.used(), 0U);
}

TEST_F(Sessions, Reply_CarriesRecordsAndMovedMarksOnly) {
  const std::int32_t id = create({want(0), want(1), want(2), want(3)});
  auto log_start_moved = seen(3, 10);
  log_start_moved.log_start = 4;
  const auto carry =
      sessions.record_reply(id, {seen(0, 10), seen(1, 11), seen(2, 10, true), log_start_moved});
  EXPECT_THAT(carry, ElementsAre(false, true, true, true));
  EXPECT_THAT(sessions.record_reply(id, {seen(0, 10), seen(1, 11), seen(2, 10), log_start_moved}),
              ElementsAre(false, false, false, false));
}

TEST_F(Sessions, Error_IsToldEveryTimeAndSoIsItsEnd) {
  const std::int32_t id = create({want(0)});
  FetchSeen bad{.key = key(0), .error = ErrorCode::unknown_topic_or_partition};
  EXPECT_THAT(sessions.record_reply(id, {bad}), ElementsAre(true));
  EXPECT_THAT(sessions.record_reply(id, {bad}), ElementsAre(true));
  EXPECT_THAT(sessions.record_reply(id, {seen(0, 10)}), ElementsAre(true));
  EXPECT_THAT(sessions.record_reply(id, {seen(0, 10)}), ElementsAre(false));
}

TEST_F(Sessions, DivergingEpoch_IsToldEveryTime) {
  const std::int32_t id = create({want(0)});
  FetchSeen diverging = seen(0, 10);
  diverging.diverging = true;
  EXPECT_THAT(sessions.record_reply(id, {diverging}), ElementsAre(true));
  EXPECT_THAT(sessions.record_reply(id, {diverging}), ElementsAre(true));
}

TEST_F(Sessions, PartitionWithRecords_GoesToTheEndOfTheOrder) {
  const std::int32_t id = create({want(0), want(1), want(2)});
  sessions.record_reply(id, {seen(0, 10, true), seen(1, 10), seen(2, 10)});
  const auto next = advance(id, 1);
  ASSERT_EQ(next.wants.size(), 3U);
  EXPECT_EQ(next.wants[0].key.partition, 1);
  EXPECT_EQ(next.wants[2].key.partition, 0);
}

TEST_F(Sessions, WithoutPartitions_NoneIsMade) { EXPECT_EQ(create({}), kNoSession); }

TEST_F(Sessions, NoFreeSlot_MeansNoSession) {
  EXPECT_NE(create({want(0)}), kNoSession);
  EXPECT_NE(create({want(0)}), kNoSession);
  EXPECT_EQ(create({want(0), want(1)}), kNoSession);
  EXPECT_FALSE(evicted);
  EXPECT_EQ(slots.used(), 2U);
}

TEST_F(Sessions, IdleSession_GivesWay) {
  const std::int32_t first = create({want(0)});
  create({want(0)});
  slots.touch(first, {1, 300}, kStart + kEvictAfter / 2);
  const MonoTime later = kStart + kEvictAfter + std::chrono::seconds(1);
  EXPECT_NE(create({want(0)}, later), kNoSession);
  ASSERT_TRUE(evicted);
  EXPECT_NE(*evicted, first);
}

TEST_F(Sessions, OldSmallSession_GivesWayToALargerOne) {
  const std::int32_t small = create({want(0)});
  const std::int32_t large = create({want(0), want(1), want(2)});
  const MonoTime later = kStart + kEvictAfter + std::chrono::seconds(1);
  slots.touch(small, {1, 300}, later);
  slots.touch(large, {3, 900}, later);
  EXPECT_EQ(create({want(0)}, later), kNoSession);
  EXPECT_NE(create({want(0), want(1)}, later), kNoSession);
  EXPECT_EQ(evicted, small);
}

TEST_F(Sessions, MoreThanTheMemoryThereIs_IsNotRemembered) {
  std::vector<FetchWant> many;
  for (int i = 0; i < 20; ++i) many.push_back(want(i));
  EXPECT_EQ(create(many), kNoSession);
  EXPECT_EQ(slots.used_bytes(), 0U);

  FetchWant long_name = want(0);
  long_name.key.name.assign(kMaxBytes, 'n');
  EXPECT_EQ(create({long_name}), kNoSession);
  EXPECT_EQ(slots.used(), 0U);
}

TEST_F(Sessions, SessionThatGrowsPastTheMemory_IsClosedAndGivesItBack) {
  const std::int32_t other = create({want(0)});
  const std::size_t before = slots.used_bytes();
  const std::int32_t id = create({want(0)});
  ASSERT_NE(id, kNoSession);
  int epoch = 1;
  for (; epoch < 20; ++epoch) {
    const auto next = advance(id, epoch, {want(epoch)});
    EXPECT_LE(slots.used_bytes(), kMaxBytes);
    if (next.error == ErrorCode::none) continue;
    EXPECT_EQ(next.error, ErrorCode::fetch_session_id_not_found);
    break;
  }
  EXPECT_LT(epoch, 20);
  EXPECT_EQ(sessions.size(), 1U);
  EXPECT_EQ(slots.used_bytes(), before);
  EXPECT_EQ(advance(other, 1).error, ErrorCode::none);
}

TEST_F(Sessions, ForgottenPartitions_GiveTheirMemoryBack) {
  const std::int32_t id = create({want(0)});
  const std::size_t before = slots.used_bytes();
  EXPECT_EQ(advance(id, 1, {want(1), want(2)}).error, ErrorCode::none);
  EXPECT_GT(slots.used_bytes(), before);
  EXPECT_EQ(advance(id, 2, {}, {want(1).key, want(2).key}).error, ErrorCode::none);
  EXPECT_EQ(slots.used_bytes(), before);
}

TEST_F(Sessions, Close_GivesTheSlotBack) {
  const std::int32_t id = create({want(0)});
  sessions.close(id);
  sessions.close(id);
  EXPECT_EQ(slots.used(), 0U);
  EXPECT_EQ(advance(id, 1).error, ErrorCode::fetch_session_id_not_found);
}

}  // namespace
}  // namespace tidegate::broker
