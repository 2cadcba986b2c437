// The budget of metadata writes, on a clock that the test turns.
#include "log/write_budget.h"

#include "seaweed_rig.h"

namespace tidegate::test {
namespace {

using std::chrono::milliseconds;

TEST(WriteBudget, PlacesComeAtItsRate) {
  seaweed::WriteBudget budget(100);  // one each 10 ms, and five of the last moment
  MonoTime now{std::chrono::seconds(10)};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(budget.take(now), now) << i;
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(budget.take(now), now + milliseconds(10) * i);
  now = now + milliseconds(2000);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(budget.take(now), now) << "what was not taken for long is not made up for";
  EXPECT_GT(budget.take(now), now);
}

TEST(WriteBudget, Zero_IsNoLimit) {
  seaweed::WriteBudget budget(0);
  const MonoTime now{std::chrono::seconds(1)};
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(budget.take(now), now);
}

class SeaweedBudget : public testing::Test {
 protected:
  SeaweedBudget() { rig.options.direct.metadata_writes_per_second = 100; }
  // Each partition appends every 10 ms for a second. Returns the commits; `waited` is the longest append.
  std::uint64_t run(std::int32_t partitions, Duration* waited) {
    auto gateway = rig.gateway();
    EXPECT_TRUE(gateway->make_topic(partitions));
    for (std::int32_t i = 0; i < partitions; ++i) gateway->log(i);
    rig.shards().advance(std::chrono::seconds(1));
    const std::uint64_t before = rig.cluster.calls(SeaweedOp::transact);
    auto longest = std::make_shared<Duration>(0);
    auto done = std::make_shared<int>(0);
    constexpr int kSteps = 100;
    for (int step = 0; step < kSteps; ++step) {
      for (std::int32_t i = 0; i < partitions; ++i) {
        auto start = [&, i] {
          rig.shards().shard().spawn(append(gateway->log(i), rig.shards().clock(), longest, done), "append");
        };
        rig.shards().call(start);
      }
      rig.shards().settle(20);
      rig.shards().advance(milliseconds(10));
    }
    const std::uint64_t commits = rig.cluster.calls(SeaweedOp::transact) - before;
    const auto ended = [&] { return rig.shards().call([done] { return *done; }); };
    for (int i = 0; i < 200 && ended() < kSteps * partitions; ++i) {
      rig.shards().settle(20);
      rig.shards().advance(milliseconds(10));
    }
    EXPECT_EQ(ended(), kSteps * partitions);
    *waited = rig.shards().call([longest] { return *longest; });
    for (std::int32_t i = 0; i < partitions; ++i) EXPECT_EQ(gateway->offsets(i).log_end, kSteps);
    return commits;
  }
  static Task<void> append(storage::PartitionLog& log, const Clock& clock, std::shared_ptr<Duration> longest,
                           std::shared_ptr<int> done) {
    const MonoTime began = clock.now();
    auto appended = co_await log.append(log.leader_epoch(), list(batch_of({"x"})));
    EXPECT_TRUE(appended);
    *longest = std::max(*longest, clock.now() - began);
    ++*done;
  }
  SeaweedRig rig{static_cast<ManualClock*>(nullptr)};
};

TEST_F(SeaweedBudget, OnePartition_DoesNotWait) {
  Duration waited{0};
  EXPECT_EQ(run(1, &waited), 100U);
  EXPECT_EQ(waited, Duration(0));
}

TEST_F(SeaweedBudget, ManyPartitions_GatherLonger) {
  Duration waited{0};
  const std::uint64_t commits = run(30, &waited);
  EXPECT_LE(commits, 110U) << "a hundred a second, and what was made up for";
  EXPECT_GE(commits, 90U);
  EXPECT_GE(waited, milliseconds(250));
  EXPECT_LE(waited, milliseconds(700))
      << "in turn: thirty of them take 300 ms, and one may just have missed its own";
}

}  // namespace
}  // namespace tidegate::test
