// The pure parts of fetch: sharing out, leader epochs, waiters, the zstd guard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fetch_plan.h"
#include "fetch_wait.h"
#include "leader_epochs.h"
#include "tidegate/protocol/record_batch.h"
#include "zstd_guard.h"

namespace tidegate::broker {
namespace {

TEST(Allot, GoesInOrderUntilTheLimitIsSpent) {
  const FetchSize sizes[] = {{0, 100}, {80, 100}, {200, 100}, {50, 100}};
  const auto shares = allot(sizes, 200);
  EXPECT_EQ(shares[0].max_bytes, 0U);
  EXPECT_EQ(shares[1].max_bytes, 80U);
  EXPECT_EQ(shares[2].max_bytes, 100U);
  EXPECT_EQ(shares[3].max_bytes, 20U);
}

TEST(Allot, FirstWithDataGetsABatchHoweverLarge) {
  const FetchSize sizes[] = {{0, 100}, {80, 0}, {200, 100}};
  const auto shares = allot(sizes, 0);
  EXPECT_FALSE(shares[0].at_least_one);
  EXPECT_TRUE(shares[1].at_least_one);
  EXPECT_FALSE(shares[2].at_least_one);
  EXPECT_EQ(shares[2].max_bytes, 0U);
}

TEST(Allot, CountsNoMoreThanAResponseCouldCarry) {
  const FetchSize sizes[] = {{500, 100}, {80, 100}};
  EXPECT_EQ(countable_bytes(sizes), 180U);
}

constexpr storage::EpochStart kEpochs[] = {{.epoch = 2, .start = 10}, {.epoch = 5, .start = 40}};

TEST(LeaderEpochs, EndOfEpoch_IsWhereTheNextBegan) {
  const auto end = [](LeaderEpoch epoch) { return end_of_epoch(kEpochs, epoch, 90); };
  EXPECT_EQ(end(5).end, 90);
  EXPECT_EQ(end(5).epoch, 5);
  EXPECT_EQ(end(2).end, 40);
  EXPECT_EQ(end(4).epoch, 2);  // never was: the largest below
  EXPECT_EQ(end(4).end, 40);
  EXPECT_EQ(end(1).epoch, 1);  // older than all: ended where the oldest begins
  EXPECT_EQ(end(1).end, 10);
  EXPECT_EQ(end(6).epoch, kNoEpoch);
  EXPECT_EQ(end(6).end, -1);
  EXPECT_EQ(end(kNoEpoch).end, -1);
}

TEST(LeaderEpochs, EpochAt_IsTheOneThatWroteTheOffset) {
  EXPECT_EQ(epoch_at(kEpochs, 10), 2);
  EXPECT_EQ(epoch_at(kEpochs, 39), 2);
  EXPECT_EQ(epoch_at(kEpochs, 40), 5);
  EXPECT_EQ(epoch_at(kEpochs, 3), 2);
  EXPECT_EQ(epoch_at({}, 3), kNoEpoch);
}

TEST(LeaderEpochs, Check_FencesOlderAndDoesNotKnowNewer) {
  EXPECT_EQ(check_leader_epoch(kNoEpoch, 3), ErrorCode::none);
  EXPECT_EQ(check_leader_epoch(3, 3), ErrorCode::none);
  EXPECT_EQ(check_leader_epoch(2, 3), ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(check_leader_epoch(4, 3), ErrorCode::unknown_leader_epoch);
}

struct Reports {
  std::size_t bytes = 0;
  bool trouble = false;
  int count = 0;
};

TEST(FetchWaiter, ReportsGrowthOnceItReachesTheNeed) {
  Reports reports;
  FetchWaiter waiter(100,
                     [&](std::size_t bytes, bool trouble) { reports = {bytes, trouble, reports.count + 1}; });
  std::size_t now[2] = {0, 0};
  FetchWatches watches[2];
  for (int i = 0; i < 2; ++i) {
    const std::size_t entry = waiter.add({0, [&now, i](bool&) { return now[i]; }});
    watches[i].add(&waiter, entry);
  }
  now[0] = 60;
  watches[0].notify();
  EXPECT_EQ(reports.count, 0);
  now[1] = 50;
  watches[1].notify();
  EXPECT_EQ(reports.count, 1);
  EXPECT_EQ(reports.bytes, 110U);
  watches[1].notify();
  EXPECT_EQ(reports.count, 1);
  watches[0].remove(&waiter);
  EXPECT_EQ(watches[0].size(), 0U);
}

TEST(FetchWaiter, ReportsTroubleAtOnce) {
  Reports reports;
  FetchWaiter waiter(100,
                     [&](std::size_t bytes, bool trouble) { reports = {bytes, trouble, reports.count + 1}; });
  FetchWatches watches;
  watches.add(&waiter, waiter.add({0, [](bool& trouble) {
                                     trouble = true;
                                     return std::size_t{0};
                                   }}));
  watches.notify();
  EXPECT_TRUE(reports.trouble);
}

TEST(FetchCollector, IsSatisfiedByTheSumOfShards) {
  FetchCollector collector(100, 2);
  collector.report(0, 60, false);
  EXPECT_FALSE(collector.satisfied());
  collector.report(0, 10, false);  // late: the larger number stays
  collector.report(1, 40, false);
  EXPECT_TRUE(collector.satisfied());
}

TEST(FetchCollector, TroubleSatisfies) {
  FetchCollector collector(100, 2);
  collector.report(1, 0, true);
  EXPECT_TRUE(collector.satisfied());
}

SharedBuffer batch_with(protocol::Compression codec) {
  const protocol::NewRecord records[] = {{.timestamp = 1, .key = "k", .value = std::string(200, 'v')}};
  return protocol::build_batch(records, {.compression = codec})->bytes;
}

TEST(ZstdGuard, FindsTheCodecAcrossChunkBorders) {
  const SharedBuffer plain = batch_with(protocol::Compression::none);
  const SharedBuffer zstd = batch_with(protocol::Compression::zstd);
  std::string all(as_text(plain.bytes()));
  all += as_text(zstd.bytes());
  const SharedBuffer bytes = SharedBuffer::copy_of(as_bytes(all));
  for (std::size_t cut = 0; cut <= bytes.size(); cut += 7) {
    const SharedBuffer chunks[] = {bytes.slice(0, cut), bytes.slice(cut, bytes.size() - cut)};
    EXPECT_TRUE(holds_zstd(chunks)) << cut;
  }
  const SharedBuffer only_plain[] = {plain, plain};
  EXPECT_FALSE(holds_zstd(only_plain));
  EXPECT_FALSE(holds_zstd({}));
}

}  // namespace
}  // namespace tidegate::broker
