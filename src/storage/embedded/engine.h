// The embedded engine: puts the parts together, owns the logs of every shard, starts, stops and keeps
// house. Tests make it with a Vfs and a Kv of their own.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "context.h"
#include "embedded_log.h"
#include "meta_table.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "topic_table.h"

namespace tidegate::storage::embedded {

class EmbeddedEngine final : public Engine {
 public:
  EmbeddedEngine(EmbeddedOptions options, ShardPool& shards, BlockingPool& pool, const Clock& clock, Rng& rng,
                 MetricRegistry& metrics, std::unique_ptr<Vfs> vfs, std::unique_ptr<Kv> kv);
  ~EmbeddedEngine() override;

  std::string_view name() const override { return "embedded"; }
  Task<Result<void>> start() override;
  Task<void> stop() override;
  Health health() const override;
  Capabilities capabilities() const override;
  std::string cluster_id() const override { return cluster_id_; }
  TopicStore& topics() override { return topics_; }
  MetaStore& meta() override { return meta_; }
  Task<Result<std::shared_ptr<PartitionLog>>> partition(PartitionId id, LogConfig config) override;
  LeaderEpoch leader_epoch(const PartitionId& id) const override { return context_.facts.leader_epoch(id); }
  std::vector<PartitionId> partitions_with_data() const override {
    return context_.slots.partitions(std::nullopt);
  }
  void apply_config(PartitionId id, LogConfig config) override;
  Task<void> housekeeping() override;

 private:
  // What the engine has on one shard; touched there alone.
  struct OnShard {
    OnShard(Shard& shard, EngineContext& context, std::size_t cache_bytes)
        : logs_of(shard, context, cache_bytes) {}
    LogShard logs_of;
    std::unordered_map<PartitionId, std::shared_ptr<EmbeddedLog>> logs;
    std::unordered_set<PartitionId> opening;
    Event opened;  // one of `opening` is done
    // Of removed topics, until nothing of them is under way.
    std::vector<std::shared_ptr<EmbeddedLog>> removed;
    TimerId flush_timer = kNoTimer;
    bool running = false;
  };
  struct Opened {
    RecoveredLog log;
    std::shared_ptr<SparseIndex> active_index;
  };

  // Blocking parts of start().
  Result<void> open_metadata();
  Result<void> take_cluster_id();
  Task<void> recover_dirty();
  Result<Opened> open_files(const PartitionId& id, const LogConfig& config);

  Task<void> close_shard(unsigned index);
  Task<void> keep_shard(unsigned index, std::int64_t age_now_ms);
  Task<void> close_topics(std::vector<TopicId> ids);
  bool forget_topics_on_shard(unsigned index, const std::unordered_set<TopicId>& ids);
  Task<void> delete_remains();
  void arm_flush(OnShard& on);
  void flush_dirty(OnShard& on);
  std::int64_t age_now_ms() const;

  EngineContext context_;
  ShardPool& shards_;
  Rng& rng_;
  TopicTable topics_;
  MetaTable meta_;
  std::vector<std::unique_ptr<OnShard>> on_shards_;
  std::unique_ptr<VfsLock> lock_;
  std::string cluster_id_;
  std::atomic<bool> ready_{false};
  bool kv_open_ = false;
  std::string not_ready_ = "not started";
  // The wall clock's jumps must not age records: ages count from here on the monotonic clock too.
  std::int64_t start_wall_ms_ = 0;
  MonoTime start_time_;
};

}  // namespace tidegate::storage::embedded
