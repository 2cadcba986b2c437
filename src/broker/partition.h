// What the broker knows of one partition, beside its log: the order of appends, producer state, who
// waits for data. Lives on the partition's owner shard and is touched there alone. Made by
// PartitionTable at first use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "append_order.h"
#include "compaction/dirty_log.h"
#include "fetch_wait.h"
#include "producer_log.h"
#include "tidegate/base/ids.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/runtime/event.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

class Partition {
 public:
  Partition(PartitionId partition, CatalogueTopicPtr of_topic) : id(partition), topic(std::move(of_topic)) {}

  bool is_open() const { return log != nullptr; }
  const TopicSettings& settings() const { return topic->settings; }
  LeaderEpoch leader_epoch() const { return log->leader_epoch(); }
  // Where reads of consumers end, exclusive.
  Offset readable_end() const { return log->offsets().high_watermark; }

  // What is said of a removed one.
  ErrorCode gone_error() const {
    return moved ? ErrorCode::not_leader_or_follower : ErrorCode::unknown_topic_or_partition;
  }
  // The log moved, or the partition is gone: tells everyone who waits for data.
  void notify() { watches.notify(); }

  const PartitionId id;
  CatalogueTopicPtr topic;  // replaced when its settings change
  std::shared_ptr<storage::PartitionLog> log;
  std::shared_ptr<Event> opening;  // while somebody opens the log
  bool removed = false;            // from the table: the topic is gone, or
  bool moved = false;              // another node leads it
  std::size_t appends = 0;         // between their slot and their outcome
  AppendOrder order;
  ProducerLog producers;
  FetchWatches watches;
  std::optional<CleanerCheckpoint> cleaned;  // of a compacted topic; read at compaction's first look
};
using PartitionPtr = std::shared_ptr<Partition>;

}  // namespace tidegate::broker
