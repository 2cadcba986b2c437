#include "tidegate/storage/memory/memory_engine.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "memory_log.h"
#include "memory_meta.h"
#include "memory_quota.h"
#include "memory_topics.h"
#include "tidegate/base/assert.h"
#include "tidegate/runtime/let_others_run.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage {

namespace {

// Of a removal, on one shard without a pause.
constexpr std::size_t kTopicsAtOnce = 500;

class MemoryEngine final : public Engine {
 public:
  MemoryEngine(MemoryEngineOptions options, ShardPool& shards, const Clock& clock, Rng& rng,
               MetricRegistry& metrics);

  std::string_view name() const override { return "memory"; }
  Task<Result<void>> start() override;
  Task<void> stop() override;
  Health health() const override;
  Capabilities capabilities() const override { return kCapabilities; }
  std::string cluster_id() const override { return cluster_id_; }
  TopicStore& topics() override { return topics_; }
  MetaStore& meta() override { return meta_; }
  Task<Result<std::shared_ptr<PartitionLog>>> partition(PartitionId id, LogConfig config) override;
  LeaderEpoch leader_epoch(const PartitionId&) const override { return 0; }
  void apply_config(PartitionId id, LogConfig config) override;
  Task<void> housekeeping() override;

 private:
  using Logs = std::unordered_map<PartitionId, std::shared_ptr<MemoryLog>>;
  static constexpr Capabilities kCapabilities{
      .durable = false, .compaction = true, .max_partitions = 100'000};

  // Runs `visit` on every shard with that shard's open logs, one shard after the other.
  Task<void> on_every_shard(std::function<void(Logs&)> visit);
  Task<void> drop_logs(std::vector<TopicId> topics);
  Logs& logs_of_this_shard(const PartitionId& id);
  std::int64_t wall_without_jumps() const;

  ShardPool& shards_;
  const Clock& clock_;
  Rng& rng_;
  const std::shared_ptr<MemoryQuota> quota_;
  MemoryTopics topics_;
  MemoryMeta meta_;
  std::string cluster_id_;
  std::atomic<bool> started_{false};
  std::int64_t wall_at_start_ms_ = 0;
  MonoTime started_at_;
  std::vector<Logs> logs_;  // one a shard, touched on that shard alone
};

MemoryEngine::MemoryEngine(MemoryEngineOptions options, ShardPool& shards, const Clock& clock, Rng& rng,
                           MetricRegistry& metrics)
    : shards_(shards),
      clock_(clock),
      rng_(rng),
      quota_(std::make_shared<MemoryQuota>(options.max_bytes)),
      topics_(kCapabilities.max_partitions,
              [this](std::vector<TopicId> ids) { return drop_logs(std::move(ids)); }),
      meta_(quota_),
      logs_(shards.size()) {
  metrics.gauge("tidegate_storage_memory_limit_bytes", "Bytes that the memory engine may hold")
      .set(static_cast<std::int64_t>(options.max_bytes));
  metrics.gauge_callback("tidegate_storage_memory_used_bytes", "Bytes that the memory engine holds", {},
                         [quota = quota_] { return static_cast<double>(quota->used()); });
}

Task<Result<void>> MemoryEngine::start() {
  cluster_id_ = random_uuid(rng_).to_string();
  wall_at_start_ms_ = clock_.wall_ms();
  started_at_ = clock_.now();
  started_ = true;
  co_return Result<void>{};
}

Task<void> MemoryEngine::stop() {
  started_ = false;
  topics_.clear();
  meta_.clear();
  const std::function<void(Logs&)> drop_all = [](Logs& logs) {
    for (auto& [id, log] : logs) log->remove();
    logs.clear();
  };
  co_await on_every_shard(drop_all);
}

Health MemoryEngine::health() const {
  if (!started_) return {.ready = false, .reason = "not started"};
  return {.ready = true};
}

Task<Result<std::shared_ptr<PartitionLog>>> MemoryEngine::partition(PartitionId id, LogConfig config) {
  Logs& logs = logs_of_this_shard(id);
  if (const auto found = logs.find(id); found != logs.end()) co_return found->second;
  if (!topics_.contains(id)) {
    co_return fail(ErrorCode::unknown_topic_or_partition,
                   fmt::format("there is no partition {} of topic {}", id.index, id.topic.to_string()));
  }
  auto log = std::make_shared<MemoryLog>(config, quota_, clock_);
  logs.emplace(id, log);
  co_return log;
}

void MemoryEngine::apply_config(PartitionId id, LogConfig config) {
  Logs& logs = logs_of_this_shard(id);
  if (const auto found = logs.find(id); found != logs.end()) found->second->apply_config(config);
}

MemoryEngine::Logs& MemoryEngine::logs_of_this_shard(const PartitionId& id) {
  const Shard* shard = Shard::current();
  TIDEGATE_ASSERT(shard != nullptr && shard->index() == owner_shard(id, shards_.size()));
  return logs_[shard->index()];
}

Task<void> MemoryEngine::on_every_shard(std::function<void(Logs&)> visit) {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto there = [&logs = logs_[i], visit] { visit(logs); };
    co_await submit_to(shards_.at(i), there);
  }
}

Task<void> MemoryEngine::drop_logs(std::vector<TopicId> topics) {
  for (std::size_t from = 0; from < topics.size(); from += kTopicsAtOnce) {
    const auto some = std::span(topics).subspan(from, std::min(kTopicsAtOnce, topics.size() - from));
    const auto gone = std::make_shared<const std::unordered_set<TopicId>>(some.begin(), some.end());
    const std::function<void(Logs&)> drop = [gone](Logs& logs) {
      std::erase_if(logs, [&](auto& entry) {
        if (!gone->contains(entry.first.topic)) return false;
        entry.second->remove();
        return true;
      });
    };
    co_await on_every_shard(drop);
    co_await let_others_run();
  }
}

Task<void> MemoryEngine::housekeeping() {
  const std::int64_t wall_ms = wall_without_jumps();
  const std::function<void(Logs&)> keep = [wall_ms](Logs& logs) {
    // A listener that is told may open logs: not while the map is walked.
    std::vector<std::shared_ptr<MemoryLog>> open;
    open.reserve(logs.size());
    for (const auto& [id, log] : logs) open.push_back(log);
    for (const auto& log : open) log->housekeeping(wall_ms);
  };
  co_await on_every_shard(keep);
}

std::int64_t MemoryEngine::wall_without_jumps() const {
  const auto running = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - started_at_);
  // A clock set forward must not age the data; one set back may make it younger.
  return std::min(clock_.wall_ms(), wall_at_start_ms_ + running.count());
}

}  // namespace

std::unique_ptr<Engine> make_memory_engine(MemoryEngineOptions options, ShardPool& shards, const Clock& clock,
                                           Rng& rng, MetricRegistry& metrics) {
  return std::make_unique<MemoryEngine>(options, shards, clock, rng, metrics);
}

}  // namespace tidegate::storage
