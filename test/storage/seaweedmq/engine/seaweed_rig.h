// SeaweedMQ engines on real shards over one MemoryCluster, for tests that run on their own thread and go to a
// shard for each call. Several at once are several gateways.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "engine.h"
#include "format/names.h"
#include "memory_backend.h"
#include "support/batches.h"
#include "support/run_task.h"

namespace tidegate::test {

inline const TopicId kTopicId = [] {
  TopicId id;
  id.bytes = {7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return id;
}();

// One gateway: an engine with its own connection.
class Gateway {
 public:
  Gateway(ShardHarness& harness, MemoryCluster& cluster, seaweed::EngineOptions options, Rng& rng,
          NodeId node = 1)
      : harness_(harness), client_(std::make_shared<MemoryClient>(cluster)) {
    auto source = std::make_unique<MemorySource>(nullptr, client_);
    engine_ = std::make_unique<seaweed::SeaweedmqEngine>(options, std::move(source), harness.pool(),
                                                         harness.clock(), rng, metrics_);
    engine_->introduce({.node = node, .rack = "", .endpoints = {{"PLAINTEXT", "gateway", 9092}}});
  }
  ~Gateway() { stop(); }

  storage::Engine& engine() { return *engine_; }
  storage::Cluster& cluster() { return engine_->cluster(); }
  Result<void> start() {
    return harness_.run([this] { return engine_->start(); });
  }
  void stop() {
    logs_.clear();
    if (!std::exchange(stopped_, true)) harness_.run([this] { return engine_->stop(); });
    harness_.settle();
  }
  // The process is killed: nothing that it still does has an effect.
  void kill() {
    client_->kill();
    stop();
  }
  // Other filers own the keys from now on.
  void change_ring() {
    harness_.call([this] {
      client_->ring_changes();
      return 0;
    });
  }
  // It reaches nothing for a while.
  void cut_off(bool cut) { client_->cut_off(cut); }
  void housekeeping() {
    harness_.run([this] { return engine_->housekeeping(); });
  }
  Result<void> make_topic(std::int32_t partitions = 1, TopicId id = kTopicId, std::string name = "topic") {
    storage::Topic topic{.name = std::move(name), .id = id, .partitions = partitions};
    return harness_.run([&] { return engine_->topics().create({topic}); });
  }
  Result<std::shared_ptr<storage::PartitionLog>> open(std::int32_t index = 0) {
    return harness_.run([&] { return engine_->partition({kTopicId, index}, config); });
  }
  bool was_opened(std::int32_t index = 0) const { return logs_.contains(index); }
  storage::PartitionLog& log(std::int32_t index = 0) {
    auto& log = logs_[index];
    if (!log) {
      auto opened = open(index);
      EXPECT_TRUE(opened) << opened.error().message;
      log = *opened;
    }
    return *log;
  }
  template <class F>
  auto on_log(F fn, std::int32_t index = 0) {
    auto& at = log(index);
    return harness_.run([&at, &fn] { return fn(at); });
  }
  Result<storage::Appended> append(std::vector<protocol::RecordBatch> batches, std::int32_t index = 0) {
    return on_log([&](storage::PartitionLog& at) { return at.append(at.leader_epoch(), batches); }, index);
  }
  Result<storage::Appended> append_values(const std::vector<std::string>& values, std::int32_t index = 0) {
    return append(list(batch_of(values)), index);
  }
  storage::LogOffsets offsets(std::int32_t index = 0) {
    auto& at = log(index);
    return harness_.call([&at] { return at.offsets(); });
  }
  Result<storage::ReadResult> read(Offset from, storage::ReadLimits limits = {}) {
    return on_log([&](storage::PartitionLog& at) { return at.read(from, limits); });
  }
  std::vector<ReadRecord> read_all(Offset from = 0) {
    std::vector<ReadRecord> all;
    for (;;) {
      auto some = read(from);
      EXPECT_TRUE(some) << some.error().message;
      if (!some || some->batches == 0) return all;
      for (auto& record : records_of(*some)) all.push_back(std::move(record));
      from = some->next_offset;
    }
  }
  std::vector<std::string> values() { return values_of(read_all()); }

  storage::LogConfig config{.retention_ms = -1};

 private:
  ShardHarness& harness_;
  MetricRegistry metrics_;
  std::shared_ptr<MemoryClient> client_;
  std::unique_ptr<seaweed::SeaweedmqEngine> engine_;
  std::map<std::int32_t, std::shared_ptr<storage::PartitionLog>> logs_;
  bool stopped_ = false;
};

class SeaweedRig {
 public:
  SeaweedRig() : SeaweedRig(RealClock{}) {}
  explicit SeaweedRig(RealClock clock) : harness_(1, clock) { set_up(); }
  // With a clock that stands still: for what waits for nothing.
  explicit SeaweedRig(ManualClock*) : harness_(1) { set_up(); }

  seaweed::EngineOptions options;
  MemoryCluster cluster;

  ShardHarness& shards() { return harness_; }
  // A gateway that is running; with `topic`, the topic is made.
  std::unique_ptr<Gateway> gateway(bool topic = false) {
    auto made = unstarted(++last_node_);
    auto started = made->start();
    EXPECT_TRUE(started) << started.error().message;
    if (topic) EXPECT_TRUE(made->make_topic());
    return made;
  }
  std::unique_ptr<Gateway> unstarted(NodeId node) {
    return std::make_unique<Gateway>(harness_, cluster, options, rng_, node);
  }
  // The partition's log files, and what is beside them.
  std::vector<std::string> log_files() const {
    std::vector<std::string> files;
    for (const auto& path : cluster.paths("/topics/kafka/topic/v")) {
      if (seaweed::LogFileName::parse(path.substr(path.rfind('/') + 1))) files.push_back(path);
    }
    return files;
  }
  std::size_t chunks() const {
    std::size_t count = 0;
    for (const auto& path : log_files()) count += cluster.entry(path)->chunks.size();
    return count;
  }

 private:
  void set_up() {
    spdlog::set_level(spdlog::level::off);
    options.direct.linger = Duration(0);
    options.direct.give_up_after = std::chrono::milliseconds(100);
    options.direct.first_backoff = std::chrono::milliseconds(1);
    options.direct.longest_backoff = std::chrono::milliseconds(5);
  }
  SeededRng rng_{99};
  NodeId last_node_ = 0;
  ShardHarness harness_;
};

using Values = std::vector<std::string>;

}  // namespace tidegate::test
