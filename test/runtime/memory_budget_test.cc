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

TEST_F(MemoryBudgetTest, WaiterLeftAtTheEnd_IsDestroyedWithTheBudgetAndThePool) {
  start(1, 100);
  start(2, 100);
  EXPECT_EQ(budget.waiters(), 1u);
  harness.call([this] { leases.clear(); });
}

}  // namespace
}  // namespace tidegate
