// An embedded engine on real shards and a FaultDisk (or a real directory), for tests that run on their
// own thread and go to a shard for each call.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "engine.h"
#include "fault_disk.h"
#include "support/batches.h"
#include "support/run_task.h"
#include "vfs_file_system.h"

namespace tidegate::test {

inline const TopicId kTopicId = [] {
  TopicId id;
  id.bytes = {7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return id;
}();

// Shards and lanes outlive many engines: starting threads is what such tests would otherwise spend their time
// on.
class EngineRig {
 public:
  explicit EngineRig(std::uint64_t seed = 1, unsigned shards = 1)
      : harness_(shards, RealClock{}),
        pool_(BlockingPoolOptions{}, harness_.metrics()),
        rng_(seed),
        disk_(std::make_shared<FaultDisk>(seed)) {
    spdlog::set_level(spdlog::level::off);
    options.data_dir = "/data";
  }
  ~EngineRig() {
    stop();
    if (!real_dir_.empty()) std::filesystem::remove_all(real_dir_);
  }

  storage::EmbeddedOptions options;
  storage::LogConfig config;
  bool rocks_metadata = false;  // RocksDB on the FaultDisk; else a stand-in that is as unreliable, and fast

  FaultDisk& disk() { return *disk_; }
  void new_disk(std::uint64_t seed) { disk_ = std::make_shared<FaultDisk>(seed); }
  MetricRegistry& metrics() { return harness_.metrics(); }
  ShardHarness& shards() { return harness_; }
  storage::Engine& engine() { return *engine_; }
  BlockingPool& blocking() { return pool_; }
  // From now on a directory of the real file system and RocksDB.
  const std::string& use_real_dir() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-embedded-XXXXXX").string();
    real_dir_ = ::mkdtemp(name.data());
    options.data_dir = real_dir_ + "/data";
    return options.data_dir;
  }

  Result<void> start() {
    logs_.clear();
    if (real_dir_.empty()) {
      engine_ = std::make_unique<storage::embedded::EmbeddedEngine>(
          options, harness_.pool(), pool_, harness_.clock(), rng_, harness_.metrics(), disk_->mount(),
          metadata());
    } else {
      engine_ = storage::make_embedded_engine(options, harness_.pool(), pool_, harness_.clock(), rng_,
                                              harness_.metrics());
    }
    auto started = harness_.run([this] { return engine_->start(); });
    if (started) return started;
    engine_.reset();
    return started;
  }
  void stop() {
    logs_.clear();
    if (!engine_) return;
    harness_.run([this] { return engine_->stop(); });
    harness_.settle();
    engine_.reset();
  }
  // The engine of before is stopped, which writes nothing any more when the disk is dark or was crashed.
  void start_with_topic(std::int32_t partitions) {
    const auto started = start();
    ASSERT_TRUE(started) << started.error().message;
    const auto made = make_topic(partitions);
    ASSERT_TRUE(made) << made.error().message;
  }
  Result<void> make_topic(std::int32_t partitions, TopicId id = kTopicId, std::string name = "topic") {
    return harness_.run([&] {
      std::vector<storage::Topic> topics(1);
      topics[0].name = name;
      topics[0].id = id;
      topics[0].partitions = partitions;
      return engine_->topics().create(std::move(topics));
    });
  }

  Result<std::shared_ptr<storage::PartitionLog>> open(PartitionId id) {
    return harness_.run([&] { return engine_->partition(id, config); }, shard_of(id));
  }
  unsigned shard_of(const PartitionId& id) { return storage::owner_shard(id, harness_.pool().size()); }
  storage::PartitionLog& log(std::int32_t index = 0) {
    auto& log = logs_[index];
    if (!log) {
      auto opened = open({kTopicId, index});
      EXPECT_TRUE(opened) << opened.error().message;
      log = *opened;
    }
    return *log;
  }
  template <class F>
  auto on_log(std::int32_t index, F fn) {
    auto& at = log(index);
    return harness_.run([&at, &fn] { return fn(at); }, shard_of({kTopicId, index}));
  }

  // Appends and waits until it is durable (or as much as the policy promises).
  Result<storage::Appended> append(std::int32_t index, std::vector<protocol::RecordBatch> batches) {
    auto& at = log(index);
    return harness_.run(
        [&]() -> Task<Result<storage::Appended>> {
          auto appended = co_await at.append(at.leader_epoch(), std::move(batches));
          if (!appended) co_return appended;
          auto durable = co_await at.wait_durable(appended->log_end);
          if (!durable) co_return fail(std::move(durable.error()));
          co_return appended;
        },
        shard_of({kTopicId, index}));
  }
  Result<storage::Appended> append_values(std::int32_t index, const std::vector<std::string>& values) {
    return append(index, list(batch_of(values)));
  }
  storage::LogOffsets offsets(std::int32_t index = 0) {
    auto& at = log(index);
    return harness_.call([&] { return at.offsets(); }, shard_of({kTopicId, index}));
  }
  Result<storage::ReadResult> read(std::int32_t index, Offset from,
                                   storage::ReadLimits limits = {.at_least_one_batch = true}) {
    return on_log(index, [=](storage::PartitionLog& at) { return at.read(from, limits); });
  }
  struct Everything {
    std::vector<ReadRecord> records;
    std::vector<Error> errors;
    std::vector<Offset> damaged;  // offsets whose read gave an error
  };
  // From log start to the high watermark; steps over damage one offset at a time.
  Everything read_all(std::int32_t index) {
    Everything all;
    const auto at = offsets(index);
    for (Offset from = at.log_start; from < at.high_watermark;) {
      auto got =
          read(index, from, {.max_bytes = 1U << 16, .at_least_one_batch = true, .end = at.high_watermark});
      if (!got) {
        all.errors.push_back(got.error());
        all.damaged.push_back(from);
        ++from;
        continue;
      }
      if (got->batches == 0) {
        ADD_FAILURE() << "nothing at " << from << " below the high watermark " << at.high_watermark;
        break;
      }
      for (auto& record : records_of(*got)) {
        if (record.offset >= from) all.records.push_back(std::move(record));
      }
      from = got->next_offset;
    }
    return all;
  }

 private:
  std::unique_ptr<storage::embedded::Kv> metadata() {
    if (!rocks_metadata) return disk_->mount_kv();
    return make_rocks_kv_on(disk_->mount(), options.data_dir + "/meta",
                            options.flush != storage::FlushPolicy::ack);
  }

  ShardHarness harness_;
  BlockingPool pool_;
  SeededRng rng_;
  std::shared_ptr<FaultDisk> disk_;
  std::string real_dir_;
  std::unique_ptr<storage::Engine> engine_;
  std::map<std::int32_t, std::shared_ptr<storage::PartitionLog>> logs_;
};

}  // namespace tidegate::test
