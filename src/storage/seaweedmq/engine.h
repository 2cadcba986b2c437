// The SeaweedMQ engine: puts the parts together over a Backend, owns the logs of every shard, starts, stops
// and keeps house. The daemon makes it over rpc/, tests over a backend of their own.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backend_source.h"
#include "broker_path/broker_log.h"
#include "cluster/fence.h"
#include "cluster/seaweed_cluster.h"
#include "cluster/session.h"
#include "foreign_gateway.h"
#include "format/record_value.h"
#include "log/direct_log.h"
#include "meta/scope_store.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/event.h"
#include "topics/topic_table.h"
#include "versioned_entry.h"

namespace tidegate::storage::seaweedmq {

struct EngineOptions {
  DirectOptions direct;
  BrokerOptions broker;
  TopicDefaults topics;
  // Of all shards together: batches that were committed last, and chunks that were read from volume servers.
  std::size_t tail_cache_bytes = 64U << 20;
  std::size_t chunk_cache_bytes = 64U << 20;
  // start() goes on trying for as long as parts of SeaweedFS are missing; otherwise it fails at once.
  bool wait_for_backend = false;
  // How long this gateway may serve what it owns without having been heard of, and how long others wait for
  // it. Zero: nobody waits for anybody, and whoever opens a partition takes it over.
  Duration lease{0};
  // Partitions without a stream to a broker for so long are for /readyz.
  Duration streams_missing_after = std::chrono::seconds(20);
  // Several gateways share the partitions out; otherwise this one takes whatever is free.
  bool shares = false;
  // This process, as other gateways are told of it, and what this gateway can tell of theirs.
  std::string process;
  std::function<bool(const std::string& process)> process_has_ended = [](const std::string&) {
    return false;
  };
  PositionFiles positions;
};

class SeaweedmqEngine final : public Engine {
 public:
  SeaweedmqEngine(EngineOptions options, std::unique_ptr<BackendSource> source, ShardPool& shards,
                  const Clock& clock, Rng& rng, MetricRegistry& metrics);
  ~SeaweedmqEngine() override;

  std::string_view name() const override { return "seaweedmq"; }
  Task<Result<void>> start() override;
  Task<void> stop() override;
  // Who this gateway is to clients and to other gateways. Before start(), on shard 0.
  void introduce(Member self) {
    cluster_.introduce(self.node);
    session_.introduce(std::move(self), process_);
  }
  // Where gateways share. Valid after start().
  Cluster& cluster() { return cluster_; }
  // On shard 0: a start() that waits for its backend ends with an error. Returns when it has.
  Task<void> stop_waiting();
  Health health() const override;
  Capabilities capabilities() const override;
  std::string cluster_id() const override { return cluster_id_; }
  const ColumnFormat* column_format() const override { return &column_format_; }
  bool may_have_columns(const TopicId& id) const override { return topics_.may_have_columns(id); }
  void set_rebuilder(ValueRebuilder* rebuilder) override;
  TopicStore& topics() override { return topics_; }
  MetaStore& meta() override { return meta_; }
  Task<Result<std::shared_ptr<PartitionLog>>> partition(PartitionId id, LogConfig config) override;
  LeaderEpoch leader_epoch(const PartitionId& id) const override { return fences_.epoch_of(id); }
  std::vector<PartitionId> partitions_with_data() const override { return topics_.partitions(); }
  void apply_config(PartitionId id, LogConfig config) override;
  Task<void> housekeeping() override;

 private:
  // What the engine has on one shard; touched there alone.
  struct OnShard {
    explicit OnShard(std::unique_ptr<LogShard> home) : logs_of(std::move(home)) {}
    std::unique_ptr<LogShard> logs_of;
    std::unordered_map<PartitionId, std::shared_ptr<EngineLog>> logs;
    std::unordered_set<PartitionId> opening;
    Event opened;  // one of `opening` is done
    // Of removed topics, until nothing of them is under way.
    std::vector<std::shared_ptr<EngineLog>> removed;
    bool running = false;
  };
  using Opening = Result<std::shared_ptr<EngineLog>>;

  Task<Result<void>> wait_and_come_up();
  Task<Result<void>> come_up();
  // invalid_config when the filer would let our files expire.
  Task<Result<void>> check_filer_rules();
  Task<void> watch_filer_rules();
  Task<Result<void>> take_cluster_id();
  Task<Opening> open_log(PartitionId id, LogConfig config);
  Task<void> close_shard(unsigned index);
  Task<void> keep_shard(unsigned index, std::int64_t age_now_ms);
  Task<void> close_topic(TopicId id);
  // engine_streams.cc
  Task<Opening> open_broker_log(TopicRecord record, PartitionId id, LogConfig config,
                                std::shared_ptr<Ownership> ownership);
  Task<Result<void>> mend_topic(TopicId topic);
  Task<Result<void>> configure_topic(TopicRecord record);
  // A topic of others is published to from now on: its partitions are opened anew for that.
  Task<void> share_topic(TopicId topic);
  Task<void> open_anew(unsigned index, TopicId topic);
  Task<void> let_go_of_removed(std::string name);
  Task<void> let_go_on(unsigned index, std::string name);
  Task<void> keep_streams();
  Task<void> open_streams(unsigned index, std::vector<PartitionId> ids);
  bool uses_brokers() const;
  std::string brokers_missing() const;
  // engine_shares.cc
  bool may_lead(const PartitionId& id) const;
  Task<std::shared_ptr<Fence>> replace_lost(unsigned index);
  Task<void> after_renewal();
  Task<void> keep_shares();
  Task<void> hand_over(unsigned index);
  Task<void> give_back(unsigned index);
  Task<void> let_go_of_logs(unsigned index);
  Task<void> close_logs_of(unsigned shard, unsigned index);
  std::int64_t age_now_ms() const;

  const std::unique_ptr<BackendSource> source_;
  const RecordValueFormat column_format_;
  ValueRebuilder* rebuilder_ = nullptr;
  const bool patient_;
  const bool shares_;
  const std::string process_;
  const BrokerOptions broker_options_;
  const WritePath path_;  // of topics that are made from now on
  const Duration streams_missing_after_;
  ShardPool& shards_;
  const Clock& clock_;
  Rng& rng_;
  DirectMetrics metrics_;
  StreamWatch stream_watch_;
  ForeignGatewayWatch foreign_gateway_;
  WriteBudget budget_;
  const std::string instance_;
  VersionedEntries entries_;
  Session session_;
  FenceTable fences_;
  SeaweedCluster cluster_;
  TopicTable topics_;
  ScopeStore meta_;
  std::vector<std::unique_ptr<OnShard>> on_shards_;
  // By fence: its logs are being closed. None is opened meanwhile, because it would know nothing of what is
  // under way in the one before.
  std::array<std::atomic<bool>, FenceTable::kFences> closing_{};
  std::string cluster_id_;
  std::atomic<bool> ready_{false};
  // Of start(); touched on shard 0.
  bool starting_ = false;
  bool given_up_ = false;
  Event start_changed_;
  bool share_round_ = false;  // one is under way
  Event share_round_ended_;
  bool streams_round_ = false;
  std::size_t topic_shares_ = 0;  // share_topic() is under way; on shard 0
  std::string not_ready_ = "not started";
  // Rules of the filer that would let our files expire, made since the start; empty: none.
  mutable std::mutex rules_mutex_;
  std::string rules_trouble_;
  // The wall clock's jumps must not age records: ages count from here on the monotonic clock too.
  std::int64_t start_wall_ms_ = 0;
  MonoTime start_time_;
};

}  // namespace tidegate::storage::seaweedmq
