// Finding and opening partitions.
#include "partition_table.h"

#include <utility>

#include "tidegate/base/module_log.h"
#include "tidegate/schema/typed_values.h"

namespace tidegate::broker {

PartitionTables::PartitionTables(const BrokerParts& parts, TopicCatalogue& catalogue) {
  for (unsigned i = 0; i < parts.shards.size(); ++i) {
    tables_.push_back(std::make_unique<PartitionTable>(parts, catalogue, i));
  }
}

PartitionTable::PartitionTable(const BrokerParts& parts, TopicCatalogue& catalogue, unsigned shard)
    : parts_(parts),
      catalogue_(catalogue),
      shard_(shard),
      max_appends_(static_cast<std::size_t>(parts.config.integer("partition.max.queued.appends"))),
      producer_limits_(producer_limits(parts.config)),
      open_partitions_(
          parts.metrics.gauge("tidegate_broker_open_partitions", "Partitions used since the start")),
      appends_in_flight_(parts.metrics.gauge("tidegate_broker_appends_in_flight",
                                             "Batches between their place in the order and their outcome")),
      produced_bytes_(parts.metrics.counter("tidegate_broker_produced_bytes_total",
                                            "Record bytes that Produce appended")) {}

void PartitionTable::start() {
  catalogue_.listen({.removed = [this](const CatalogueTopicPtr& topic) { topic_removed(topic); },
                     .changed = [this](const CatalogueTopicPtr& topic) { topic_changed(topic); }});
}

Result<PartitionPtr> PartitionTable::find(const PartitionId& id) {
  if (const auto at = partitions_.find(id); at != partitions_.end()) return at->second;
  CatalogueTopicPtr topic = catalogue_.find(id.topic);
  if (!topic || id.index < 0 || id.index >= topic->topic.partitions) {
    return fail(ErrorCode::unknown_topic_or_partition);
  }
  if (parts_.cluster.owner_of(id).node != parts_.cluster.self()) {
    return fail(ErrorCode::not_leader_or_follower);
  }
  auto partition = std::make_shared<Partition>(id, std::move(topic));
  partition->producers.set_limits(producer_limits_);
  partitions_.emplace(id, partition);
  open_partitions_.add(1);
  return partition;
}

PartitionPtr PartitionTable::peek(const PartitionId& id) const {
  const auto at = partitions_.find(id);
  return at == partitions_.end() ? nullptr : at->second;
}

Task<Result<void>> PartitionTable::open(PartitionPtr partition) {
  while (!partition->is_open()) {
    if (partition->removed) co_return fail(partition->gone_error());
    if (partition->opening) {
      const auto opening = partition->opening;
      co_await opening->wait();
      continue;  // whoever opened it may have failed: the next one tries itself
    }
    partition->opening = std::make_shared<Event>();
    auto opened = co_await do_open(partition);
    std::exchange(partition->opening, nullptr)->notify_all();
    if (!opened) co_return opened;
  }
  co_return Result<void>{};
}

Task<Result<PartitionPtr>> PartitionTable::find_open(PartitionId id) {
  auto found = find(id);
  if (!found || (*found)->is_open()) co_return found;
  auto opened = co_await open(*found);
  if (!opened) co_return fail(std::move(opened.error()));
  co_return found;
}

Task<Result<void>> PartitionTable::do_open(PartitionPtr partition) {
  const storage::LogConfig config = partition->settings().log;
  auto log = co_await parts_.engine.partition(partition->id, config);
  if (!log) co_return fail(std::move(log.error()));
  auto recovered = co_await partition->producers.recover(parts_, partition->id, *log);
  if (!recovered) {
    module_log().warn("event=producer_state_recovery_failed topic={} partition={} error=\"{}\"",
                      partition->topic->topic.name, partition->id.index, recovered.error().message);
    co_return recovered;
  }
  if (partition->removed) co_return fail(partition->gone_error());
  // The settings may have changed while the log was being opened, or since an attempt that opened it and
  // failed behind that: an open log keeps what it was opened with.
  parts_.engine.apply_config(partition->id, partition->settings().log);
  const std::weak_ptr<Partition> weak = partition;
  (*log)->set_listener([weak](const storage::LogOffsets& offsets) {
    const auto alive = weak.lock();
    if (!alive) return;
    alive->producers.follow(offsets);
    alive->notify();
  });
  partition->log = std::move(*log);
  co_return Result<void>{};
}

bool PartitionTable::enter(Partition& partition) {
  if (stopping_ || partition.appends >= max_appends_) return false;
  ++partition.appends;
  ++appends_;
  appends_in_flight_.add(1);
  return true;
}

void PartitionTable::leave(Partition& partition) {
  --partition.appends;
  appends_in_flight_.add(-1);
  if (--appends_ == 0) idle_.notify_all();
}

Task<std::size_t> PartitionTable::stop(MonoTime deadline) {
  stopping_ = true;
  while (appends_ > 0) {
    if (!co_await idle_.wait_until(Shard::current()->timers(), deadline)) break;
  }
  for (const auto& [id, partition] : partitions_) {
    if (partition->appends == 0) continue;
    module_log().warn("event=appends_abandoned topic={} partition={} appends={}",
                      partition->topic->topic.name, id.index, partition->appends);
  }
  co_return appends_;
}

std::vector<PartitionPtr> PartitionTable::partitions_of(const CatalogueTopicPtr& topic) const {
  std::vector<PartitionPtr> found;
  for (std::int32_t i = 0; i < topic->topic.partitions; ++i) {
    const PartitionId id{topic->topic.id, i};
    if (storage::owner_shard(id, parts_.shards.size()) != shard_) continue;
    if (const auto at = partitions_.find(id); at != partitions_.end()) found.push_back(at->second);
  }
  return found;
}

void PartitionTable::take_out(const PartitionPtr& partition) {
  partition->removed = true;
  partitions_.erase(partition->id);
  open_partitions_.add(-1);
  partition->notify();
}

void PartitionTable::lose(const PartitionId& id) {
  const PartitionPtr partition = peek(id);
  if (!partition) return;
  partition->moved = true;
  take_out(partition);
}

void PartitionTable::topic_removed(const CatalogueTopicPtr& topic) {
  for (const PartitionPtr& partition : partitions_of(topic)) take_out(partition);
  // Once is enough, whichever shard does it.
  if (shard_ != 0) return;
  to_forget_.push_back(topic->topic.id);
  if (to_forget_.size() == 1) Shard::current()->spawn(forget_states(), "forget removed topics' state");
}

Task<void> PartitionTable::forget_states() {
  // The first one stays in front while it is worked on: that says somebody is at it.
  for (; !to_forget_.empty() && !stopping_; to_forget_.pop_front()) co_await forget_state(to_forget_.front());
  to_forget_.clear();
}

// What the MetaStore has of a topic that is gone. A crash before the end leaves some behind: it is small,
// and nothing reads it again, because no later topic has that id.
Task<void> PartitionTable::forget_state(TopicId topic) {
  co_await erase_key(ProducerLog::scope_prefix(topic), ProducerLog::kSnapshotKey);
  co_await erase_key(checkpoint_scope_prefix(topic), kCheckpointKey);
  if (parts_.typed != nullptr) co_await parts_.typed->forget(topic);
}

Task<void> PartitionTable::erase_key(std::string scope_prefix, std::string key) {
  constexpr std::size_t kAtOnce = 256;
  storage::MetaStore& meta = parts_.engine.meta();
  for (std::string after;;) {
    auto scopes = co_await meta.scopes(scope_prefix, after, kAtOnce);
    if (!scopes || scopes->empty()) co_return;
    for (const std::string& scope : *scopes) {
      std::vector<storage::MetaOp> ops;
      ops.push_back({.kind = storage::MetaOp::Kind::erase, .key = key, .value = {}});
      auto erased = co_await meta.put_batch(scope, 0, std::move(ops), storage::MetaDurability::policy);
      // Nothing reads a damaged one again either.
      if (!erased && erased.error().code == ErrorCode::corrupt_message)
        erased = co_await meta.erase_damaged(scope);
      if (!erased) co_return;
    }
    after = scopes->back();
  }
}

void PartitionTable::topic_changed(const CatalogueTopicPtr& topic) {
  for (const PartitionPtr& partition : partitions_of(topic)) {
    const bool other = partition->settings().log != topic->settings.log;
    partition->topic = topic;
    if (other && partition->is_open()) parts_.engine.apply_config(partition->id, topic->settings.log);
  }
}

Task<void> PartitionTable::open_for_retention(std::size_t limit) {
  std::vector<PartitionId> closed;
  for (const PartitionId& id : parts_.engine.partitions_with_data()) {
    if (closed.size() == limit) break;
    if (storage::owner_shard(id, parts_.shards.size()) != shard_) continue;
    if (const auto at = partitions_.find(id); at != partitions_.end() && at->second->is_open()) continue;
    const CatalogueTopicPtr topic = catalogue_.find(id.topic);
    if (!topic) continue;
    const storage::LogConfig& log = topic->settings.log;
    if (log.cleanup_delete && (log.retention_ms >= 0 || log.retention_bytes >= 0)) closed.push_back(id);
  }
  for (const PartitionId& id : closed) {
    if (stopping_) co_return;
    auto opened = co_await find_open(id);
    if (opened || opened.error().code != ErrorCode::kafka_storage_error) continue;
    module_log().warn("event=retention_skipped topic_id={} partition={} error=\"{}\"", id.topic.to_string(),
                      id.index, opened.error().message);
  }
}

Task<void> PartitionTable::housekeep(bool all) {
  std::vector<PartitionPtr> open;
  for (const auto& [id, partition] : partitions_) {
    if (partition->is_open()) open.push_back(partition);
  }
  for (const PartitionPtr& partition : open) {
    partition->producers.expire(parts_.clock.now());
    if (!partition->producers.wants_snapshot(all)) continue;
    auto written = co_await partition->producers.write_snapshot(parts_, partition->id);
    if (!written && !partition->removed) {
      module_log().warn("event=producer_snapshot_failed topic={} partition={} error=\"{}\"",
                        partition->topic->topic.name, partition->id.index, written.error().message);
    }
  }
}

}  // namespace tidegate::broker
