#include "tidegate/storage/memory/memory_engine.h"

#include <gtest/gtest.h>

#include "support/batches.h"
#include "support/run_task.h"

namespace tidegate::storage {
namespace {

double gauge(const MetricRegistry& metrics, const std::string& name) {
  for (const auto& family : metrics.collect()) {
    if (family.name == name) return family.samples.at(0).value;
  }
  ADD_FAILURE() << "no metric " << name;
  return -1;
}

TEST(MemoryEngine, UsedAndLimit_AreGauges) {
  test::ShardHarness harness;
  SeededRng rng(1);
  const auto engine =
      make_memory_engine({.max_bytes = 12'345}, harness.pool(), harness.clock(), rng, harness.metrics());
  EXPECT_EQ(gauge(harness.metrics(), "tidegate_storage_memory_limit_bytes"), 12'345);
  EXPECT_EQ(gauge(harness.metrics(), "tidegate_storage_memory_used_bytes"), 0);
  EXPECT_FALSE(engine->health().ready);
  const std::vector<MetaOp> ops{{.kind = MetaOp::Kind::put, .key = "k", .value = "v"}};
  auto use = [&]() -> Task<bool> {
    auto started = co_await engine->start();
    auto put = co_await engine->meta().put_batch("s", 0, ops, MetaDurability::policy);
    co_return started&& put;
  };
  EXPECT_TRUE(harness.run(use));
  EXPECT_TRUE(engine->health().ready);
  EXPECT_GT(gauge(harness.metrics(), "tidegate_storage_memory_used_bytes"), 0);
  auto stop = [&]() -> Task<void> { co_await engine->stop(); };
  harness.run(stop);
  EXPECT_EQ(gauge(harness.metrics(), "tidegate_storage_memory_used_bytes"), 0);
  EXPECT_FALSE(engine->health().ready);
}

TEST(MemoryEngine, PartitionsAboveTheMaximum_AreRefused) {
  test::ShardHarness harness;
  SeededRng rng(1);
  const auto engine = make_memory_engine({}, harness.pool(), harness.clock(), rng, harness.metrics());
  const std::int32_t most = engine->capabilities().max_partitions;
  const Topic large{.name = "large", .id = random_uuid(rng), .partitions = most};
  const Topic more{.name = "more", .id = random_uuid(rng), .partitions = 1};
  const std::vector<Topic> just_large{large};
  const std::vector<Topic> just_more{more};
  auto use = [&]() -> Task<std::vector<Result<void>>> {
    std::vector<Result<void>> results;
    results.push_back(co_await engine->start());
    results.push_back(co_await engine->topics().create(just_large));
    results.push_back(co_await engine->topics().create(just_more));
    const std::vector<TopicStore::Growth> growth{{.id = large.id, .partitions = most + 1}};
    const auto grown = co_await engine->topics().add_partitions(growth);
    results.push_back(grown.at(0));
    const std::vector<TopicId> gone{large.id};
    const auto removed = co_await engine->topics().remove(gone);
    results.push_back(removed.at(0));
    results.push_back(co_await engine->topics().create(just_more));
    co_return results;
  };
  const auto results = harness.run(use);
  EXPECT_TRUE(results[1]);
  ASSERT_FALSE(results[2]);
  EXPECT_EQ(results[2].error().code, ErrorCode::invalid_partitions);
  ASSERT_FALSE(results[3]);
  EXPECT_EQ(results[3].error().code, ErrorCode::invalid_partitions);
  EXPECT_TRUE(results[5]) << "room again";
  auto stop = [&]() -> Task<void> { co_await engine->stop(); };
  harness.run(stop);
}

}  // namespace
}  // namespace tidegate::storage
