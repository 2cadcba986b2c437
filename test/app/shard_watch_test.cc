#include "shard_watch.h"

#include <gtest/gtest.h>

#include <future>

#include "support/run_task.h"

namespace tidegate::app {
namespace {

TEST(ShardWatch, AShardThatHangs_IsSeenUntilItMoves) {
  test::ShardHarness harness{2};
  ShardWatch watch(harness.pool());
  EXPECT_TRUE(watch.all_moved());
  harness.settle();
  EXPECT_TRUE(watch.all_moved());
  harness.settle();

  std::promise<void> held;
  std::promise<void> let_go;
  harness.shard(1).post([&] {
    held.set_value();
    let_go.get_future().wait();
  });
  held.get_future().wait();
  static_cast<void>(watch.all_moved());  // gives it what it does not get to
  EXPECT_FALSE(watch.all_moved());
  EXPECT_FALSE(watch.all_moved());
  let_go.set_value();
  harness.settle();
  static_cast<void>(watch.all_moved());
  harness.settle();
  EXPECT_TRUE(watch.all_moved());
  harness.settle();
  harness.stop();
}

}  // namespace
}  // namespace tidegate::app
