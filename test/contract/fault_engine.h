// An engine around an engine that misbehaves on purpose: for the contract suite, and for broker tests
// that want failing storage. Every fault is one that the contract allows, so whoever calls must cope:
//   hang         a call does not complete until the faults are healed
//   delay        a call completes some turns of the shard later (appends keep their order)
//   error        append, read, meta and topic calls answer kafka_storage_error; nothing is written
//   full queue   append answers throttling_quota_exceeded at once; nothing is taken
//   short read   a read stops after its first batch
//   held tail    appends stay in this engine until wait_durable() or flush() moves them to the inner
//                one, and the high watermark with them; until then the tail can be lost
// Driven by a seed. Controls may be turned from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::test {

// Chances in a thousand.
struct FaultRates {
  std::uint32_t delay = 0;
  std::uint32_t append_error = 0;
  std::uint32_t full_queue = 0;
  std::uint32_t read_error = 0;
  std::uint32_t short_read = 0;
  std::uint32_t lost_tail = 0;  // of each sync in held-tail mode
  std::uint32_t meta_error = 0;
  std::uint32_t topic_error = 0;
};

class FaultControls {
 public:
  explicit FaultControls(std::uint64_t seed) : seed_(seed) {}

  void set(FaultRates rates);
  void heal() {
    hangs_ = false;
    set({});
  }
  // From now on whatever can be delayed does not come back until heal(): a disk that hangs.
  void hang() { hangs_ = true; }
  bool hangs() const { return hangs_; }
  // Before logs are opened; stays.
  void hold_tails() { hold_tails_ = true; }
  bool holds_tails() const { return hold_tails_; }

  bool strikes(std::uint32_t FaultRates::* fault);
  // 0 when no delay strikes.
  unsigned delay_turns();

 private:
  std::uint64_t random();

  const std::uint64_t seed_;
  std::atomic<std::uint64_t> drawn_{0};
  std::atomic<bool> hold_tails_{false};
  std::atomic<bool> hangs_{false};
  std::atomic<FaultRates*> rates_{nullptr};
  std::mutex mutex_;
  std::vector<std::unique_ptr<FaultRates>> owned_;  // former ones too: a reader may still hold one
};

class FaultLog;

class FaultEngine final : public storage::Engine {
 public:
  FaultEngine(std::unique_ptr<storage::Engine> inner, ShardPool& shards, std::uint64_t seed);
  ~FaultEngine() override;

  FaultControls& faults() { return controls_; }
  // For what asks the engine and not its logs. Before the broker starts.
  void pretend(storage::Capabilities capabilities) { pretended_ = capabilities; }
  // Drops every held tail, as a crash would. On a shard.
  Task<void> lose_tails();

  std::string_view name() const override { return inner_->name(); }
  Task<Result<void>> start() override;
  Task<void> stop() override;
  storage::Health health() const override { return inner_->health(); }
  storage::Capabilities capabilities() const override {
    return pretended_ ? *pretended_ : inner_->capabilities();
  }
  std::string cluster_id() const override { return inner_->cluster_id(); }
  storage::TopicStore& topics() override;
  storage::MetaStore& meta() override;
  Task<Result<std::shared_ptr<storage::PartitionLog>>> partition(PartitionId id,
                                                                 storage::LogConfig config) override;
  LeaderEpoch leader_epoch(const PartitionId& id) const override { return inner_->leader_epoch(id); }
  std::vector<PartitionId> partitions_with_data() const override { return inner_->partitions_with_data(); }
  void apply_config(PartitionId id, storage::LogConfig config) override { inner_->apply_config(id, config); }
  Task<void> housekeeping() override { return inner_->housekeeping(); }

 private:
  using Logs = std::map<PartitionId, std::shared_ptr<FaultLog>>;
  class Topics;
  class Meta;

  FaultControls controls_;
  std::optional<storage::Capabilities> pretended_;
  ShardPool& shards_;
  std::unique_ptr<storage::Engine> inner_;
  std::unique_ptr<Topics> topics_;
  std::unique_ptr<Meta> meta_;
  std::vector<Logs> logs_;  // one a shard, touched on that shard alone
};

}  // namespace tidegate::test
