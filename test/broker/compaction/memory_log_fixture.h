// One compacted log of a memory engine, on a shard with a manual clock.
#pragma once

#include <gtest/gtest.h>

#include "support/batches.h"
#include "support/run_task.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/storage/memory/memory_engine.h"

namespace tidegate::test {

class MemoryLogFixture : public testing::Test {
 protected:
  MemoryLogFixture() : pool_({}, harness_.metrics()), rng_(1) {
    engine_ = storage::make_memory_engine({}, harness_.pool(), harness_.clock(), rng_, harness_.metrics());
    id_.topic.bytes = {7};
    auto open = [this]() -> Task<void> {
      std::vector<storage::Topic> topics(1);
      topics[0].name = "compacted";
      topics[0].id = id_.topic;
      EXPECT_TRUE(co_await engine_->start());
      EXPECT_TRUE(co_await engine_->topics().create(topics));
      const storage::LogConfig config{.segment_bytes = 400, .cleanup_compact = true};
      auto log = co_await engine_->partition(id_, config);
      EXPECT_TRUE(log);
      log_ = *log;
    };
    harness_.run(open);
  }
  ~MemoryLogFixture() override {
    log_.reset();
    harness_.run([this] { return engine_->stop(); });
  }

  // One record a batch; the value is the key's how-manieth.
  void put(const std::string& key, std::int64_t timestamp = kFirstTimestamp, bool tombstone = false) {
    const std::string value = std::to_string(++writes_[key]) + std::string(80, '.');
    auto batch = build({{.timestamp = timestamp,
                         .key = key,
                         .value = tombstone ? std::nullopt : std::optional(value),
                         .headers = {}}});
    auto append = [&]() -> Task<bool> {
      auto done = co_await log_->append(0, list(batch));
      co_return done.has_value();
    };
    EXPECT_TRUE(harness_.run(append));
  }
  void put_many(int records, int keys) {
    for (int i = 0; i < records; ++i) put("key-" + std::to_string(i % keys));
  }
  std::vector<Offset> offsets_left() {
    auto read = [this]() -> Task<std::vector<Offset>> {
      std::vector<Offset> left;
      for (Offset from = 0; from < log_->offsets().log_end;) {
        auto some = co_await log_->read(from, {.at_least_one_batch = true});
        if (!some || some->batches == 0) break;
        for (const auto& record : records_of(*some)) left.push_back(record.offset);
        from = some->next_offset;
      }
      co_return left;
    };
    return harness_.run(read);
  }
  Offset sealed_end() {
    return harness_.call([this] { return log_->cleanable(log_->offsets().log_end).back().end; });
  }

  ShardHarness harness_;
  BlockingPool pool_;
  SeededRng rng_;
  std::unique_ptr<storage::Engine> engine_;
  PartitionId id_;
  std::shared_ptr<storage::PartitionLog> log_;
  std::map<std::string, int> writes_;
};

}  // namespace tidegate::test
