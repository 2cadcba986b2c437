// Counts: many records, many partitions, both shards at once. Not a benchmark: it asserts order and
// completeness only.
#include "contract_test.h"

namespace tidegate::test {
namespace {

class ScaleContract : public ContractTest {};
TIDEGATE_CONTRACT_SUITE(ScaleContract);

constexpr int kInFlight = 16;

// Appends `batches` batches of `size` records, kInFlight of them at a time, durably. Returns how many
// went well.
Task<int> append_many(storage::PartitionLog* log, std::string name, int batches, int size) {
  int good = 0;
  for (int done = 0; done < batches;) {
    storage::Appended last;
    for (int i = 0; i < kInFlight && done < batches; ++i, ++done) {
      auto batch = list(numbered_batch(name, done * size, size));
      auto appended = co_await log->append(log->leader_epoch(), std::move(batch));
      if (!appended) co_return good;
      last = *appended;
    }
    auto durable = co_await log->wait_durable(last.log_end);
    if (!durable) co_return good;
    good = done;
  }
  co_return good;
}

// Reads up to `end` while it grows; returns how many records came in order.
Task<Offset> follow(storage::PartitionLog* log, std::string name, Offset end) {
  Offset next = 0;
  while (next < end) {
    const Offset visible = log->offsets().high_watermark;
    auto read =
        co_await log->read(next, {.max_bytes = 256U << 10, .at_least_one_batch = true, .end = visible});
    if (!read) co_return next;
    for (const auto& record : records_of(*read)) {
      if (record.offset != next || record.value != name + std::to_string(next)) co_return next;
      ++next;
    }
    if (read->batches == 0) {
      auto turn = [](Resume resume) { Shard::current()->post(std::move(resume)); };
      co_await suspend(turn);
    }
  }
  co_return next;
}

TEST_P(ScaleContract, HundredThousandRecords_CountAndOrder) {
  auto log = new_log(small_segments(1 << 20));
  auto written =
      log.start_on_shard([](storage::PartitionLog& to) { return append_many(&to, "r", 1000, 100); });
  auto followed = log.start_on_shard([](storage::PartitionLog& to) { return follow(&to, "r", 100'000); });
  EXPECT_EQ(host().wait(std::move(written)), 1000);
  EXPECT_EQ(host().wait(std::move(followed)), 100'000) << "read while it was written";
  const auto records = log.read_all(0);
  ASSERT_EQ(records.size(), 100'000U);
  for (std::size_t i = 0; i < records.size(); ++i) {
    ASSERT_EQ(records[i].offset, static_cast<Offset>(i));
    ASSERT_EQ(records[i].value, "r" + std::to_string(i));
  }
}

TEST_P(ScaleContract, ThousandPartitions_KeepTheirOwn) {
  constexpr std::int32_t kPartitions = 1000;
  const auto topic = must_create("wide", kPartitions);
  const auto visit = [&](auto each) {
    std::vector<std::future<int>> counts;
    for (unsigned shard = 0; shard < host().shards().size(); ++shard) {
      auto all = [this, shard, id = topic.id, each]() -> Task<int> {
        int good = 0;
        for (std::int32_t i = 0; i < kPartitions; ++i) {
          const PartitionId partition{.topic = id, .index = i};
          if (host().shard_of(partition) != shard) continue;
          auto log = co_await host().engine().partition(partition, {});
          if (!log) continue;
          good += co_await each(*log, i);
        }
        co_return good;
      };
      counts.push_back(host().start(shard, all));
    }
    int good = 0;
    for (auto& count : counts) good += host().wait(std::move(count));
    return good;
  };
  const auto append = [](std::shared_ptr<storage::PartitionLog> log, std::int32_t i) -> Task<int> {
    auto batch = list(batch_of({"p" + std::to_string(i), "q"}));
    auto appended = co_await log->append(log->leader_epoch(), std::move(batch));
    co_return appended && appended->base_offset == 0 ? 1 : 0;
  };
  const auto read = [](std::shared_ptr<storage::PartitionLog> log, std::int32_t i) -> Task<int> {
    auto durable = co_await log->flush();
    auto stored = co_await log->read(0, {});
    if (!durable || !stored) co_return 0;
    co_return values_of(records_of(*stored)) == std::vector<std::string>{"p" + std::to_string(i), "q"} ? 1
                                                                                                       : 0;
  };
  EXPECT_EQ(visit(append), kPartitions);
  EXPECT_EQ(visit(read), kPartitions);
}

TEST_P(ScaleContract, ManyTopicsInOneCall_AreAllThere) {
  std::vector<storage::Topic> many;
  for (int i = 0; i < 500; ++i) many.push_back(new_topic("topic-" + std::to_string(i)));
  ASSERT_TRUE(create(many));
  EXPECT_EQ(topics().size(), 500U);
}

TEST_P(ScaleContract, BothShardsAtOnce_WithHousekeeping) {
  const auto topic = must_create("busy", 8);
  std::vector<std::future<int>> written;
  std::vector<std::future<Offset>> followed;
  std::vector<LogHandle> logs;
  for (std::int32_t i = 0; i < 8; ++i) {
    logs.push_back(log_of(topic, i, small_segments(8192)));
    const std::string name = "p" + std::to_string(i) + "-";
    written.push_back(logs.back().start_on_shard(
        [name](storage::PartitionLog& log) { return append_many(&log, name, 100, 5); }));
    followed.push_back(
        logs.back().start_on_shard([name](storage::PartitionLog& log) { return follow(&log, name, 500); }));
  }
  for (int i = 0; i < 5; ++i) {
    host().housekeeping();
    must_create("meanwhile-" + std::to_string(i));
  }
  for (auto& count : written) EXPECT_EQ(host().wait(std::move(count)), 100);
  for (auto& count : followed) EXPECT_EQ(host().wait(std::move(count)), 500);
}

TEST_P(ScaleContract, RemovalUnderLoad_EndsInCleanErrors) {
  const auto topic = must_create("doomed", 4);
  std::vector<std::future<int>> written;
  std::vector<LogHandle> logs;
  for (std::int32_t i = 0; i < 4; ++i) {
    logs.push_back(log_of(topic, i, small_segments(8192)));
    written.push_back(logs.back().start_on_shard(
        [](storage::PartitionLog& log) { return append_many(&log, "x", 2000, 1); }));
  }
  ASSERT_TRUE(remove(topic.id));
  for (auto& count : written) EXPECT_LE(host().wait(std::move(count)), 2000);
  for (const auto& log : logs) EXPECT_EQ(code_of(log.read(0)), ErrorCode::unknown_topic_or_partition);
}

}  // namespace
}  // namespace tidegate::test
