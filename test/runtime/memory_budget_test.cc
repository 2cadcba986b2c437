#include "tidegate/runtime/memory_budget.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/run_task.h"

namespace tidegate {
namespace {

struct MemoryBudgetTest : ::testing::Test {
  MemoryBudget budget{100};
  std::vector<int> granted;
  std::vector<MemoryLease> leases;
  test::ShardHarness harness;

  Task<void> take(int id, std::size_t bytes) {
    auto lease = co_await budget.acquire(bytes);
    granted.push_back(id);
    leases.push_back(std::move(lease));
  }
  void start(int id, std::size_t bytes) {
    harness.call([=, this] { harness.shard().start(take(id, bytes), "test"); });
  }
  Task<void> take_until(int id, std::size_t bytes, std::size_t least, Duration patience) {
    auto& timers = harness.shard().timers();
    auto lease = co_await budget.acquire_until(bytes, least, timers, timers.clock().now() + patience, wait);
    granted.push_back(id);
    leases.push_back(std::move(lease));
  }
  void start_until(int id, std::size_t bytes, std::size_t least,
                   Duration patience = std::chrono::milliseconds(100)) {
    harness.call([=, this] { harness.shard().start(take_until(id, bytes, least, patience), "test"); });
  }
  MemoryWait wait;
  void give_back(std::size_t at) {
    harness.call([=, this] { leases.at(at).release(); });
    harness.settle();
  }
};

TEST_F(MemoryBudgetTest, Acquire_WaitsForRoomInFifoOrderSoThatALargeOneIsNotStarved) {
  start(1, 60);
  start(2, 80);  // does not fit
  start(3, 10);  // would fit, but is behind 2
  EXPECT_EQ(granted, (std::vector{1}));
  EXPECT_EQ(budget.waiters(), 2u);
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2, 3}));
  EXPECT_EQ(budget.used(), 90u);
  harness.call([this] { leases.clear(); });
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(MemoryBudgetTest, Acquire_OfMoreThanTheWholeBudgetIsAdmittedAlone) {
  start(1, 1);
  start(2, 500);
  EXPECT_EQ(granted, (std::vector{1}));
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2}));
  start(3, 1);
  EXPECT_EQ(granted, (std::vector{1, 2}));
  give_back(1);
  EXPECT_EQ(granted, (std::vector{1, 2, 3}));
}

TEST_F(MemoryBudgetTest, TryAcquire_NeverOvertakesAWaiter) {
  start(1, 90);
  start(2, 50);
  harness.call([this] {
    MemoryLease lease;
    EXPECT_FALSE(budget.try_acquire(5, lease));
    EXPECT_EQ(lease.size(), 0u);
  });
  give_back(0);
  harness.call([this] {
    MemoryLease lease;
    EXPECT_TRUE(budget.try_acquire(5, lease));
    EXPECT_EQ(budget.used(), 55u);
  });
  EXPECT_EQ(budget.used(), 50u);
}

TEST_F(MemoryBudgetTest, ShrinkTo_GivesTheRestToAWaiter) {
  start(1, 90);
  start(2, 50);
  harness.call([this] {
    leases.at(0).shrink_to(200);
    EXPECT_EQ(leases.at(0).size(), 90u);
    leases.at(0).shrink_to(40);
  });
  harness.settle();
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(budget.used(), 90u);
}

TEST_F(MemoryBudgetTest, AcquireUntil_IsGrantedInItsTurnBeforeTheDeadline) {
  start(1, 90);
  start_until(2, 60, 0);
  EXPECT_EQ(granted, (std::vector{1}));
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(leases.at(1).size(), 60u);
  harness.advance(std::chrono::seconds(1));
  EXPECT_EQ(budget.used(), 60u);
}

TEST_F(MemoryBudgetTest, AcquireUntil_AtTheDeadlineTakesWhatRoomThereIs) {
  start(1, 70);
  start_until(2, 60, 20);
  harness.advance(std::chrono::milliseconds(101));
  harness.settle();
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(leases.at(1).size(), 30u);
  EXPECT_EQ(budget.used(), 100u);
}

TEST_F(MemoryBudgetTest, AcquireUntil_TakesNothingWhenTheRoomIsTooSmallAndLetsTheNextOnePass) {
  start(1, 70);
  start_until(2, 60, 40);
  start(3, 30);  // fits, but is behind 2
  EXPECT_EQ(granted, (std::vector{1}));
  harness.advance(std::chrono::milliseconds(101));
  harness.settle();
  EXPECT_EQ(granted, (std::vector{1, 2, 3}));
  EXPECT_EQ(leases.at(1).size(), 0u);
  EXPECT_EQ(budget.used(), 100u);
}

TEST_F(MemoryBudgetTest, AcquireUntil_AfterItsDeadlineDoesNotWait) {
  start(1, 70);
  start_until(2, 60, 10, Duration::zero());
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(leases.at(1).size(), 30u);
  start(3, 5);
  start_until(4, 60, 0, Duration::zero());  // overtakes nobody
  EXPECT_EQ(granted, (std::vector{1, 2, 4}));
  EXPECT_EQ(leases.at(2).size(), 0u);
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2, 4, 3}));
}

TEST_F(MemoryBudgetTest, AcquireUntil_GivenUpEndsWithNothing) {
  start(1, 100);
  start_until(2, 10, 0);
  start(3, 10);
  harness.call([this] {
    wait.give_up();
    wait.give_up();
  });
  harness.settle();
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(leases.at(1).size(), 0u);
  EXPECT_EQ(budget.waiters(), 1u);
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2, 3}));
}

TEST_F(MemoryBudgetTest, GrowTo_ChargesBeyondTheLimitAndHoldsOthersBack) {
  start(1, 60);
  harness.call([this] { leases.at(0).grow_to(150); });
  EXPECT_EQ(budget.used(), 150u);
  start(2, 10);
  harness.call([this] { leases.at(0).shrink_to(95); });
  harness.settle();
  EXPECT_EQ(granted, (std::vector{1}));
  give_back(0);
  EXPECT_EQ(granted, (std::vector{1, 2}));
  EXPECT_EQ(budget.used(), 10u);
}

TEST_F(MemoryBudgetTest, WaiterLeftAtTheEnd_IsDestroyedWithTheBudgetAndThePool) {
  start(1, 100);
  start(2, 100);
  EXPECT_EQ(budget.waiters(), 1u);
  harness.call([this] { leases.clear(); });
}

}  // namespace
}  // namespace tidegate
