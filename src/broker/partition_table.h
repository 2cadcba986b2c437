// The partitions of one shard that have been used since the start. Opens logs, brings producer state
// back, follows changes of the topic catalogue. One on each shard, touched there alone.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "partition.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/topic_catalogue.h"

namespace tidegate::broker {

class PartitionTable {
 public:
  PartitionTable(const BrokerParts& parts, TopicCatalogue& catalogue, unsigned shard);

  // Registers with the catalogue. On this shard.
  void start();

  // unknown_topic_or_partition, or not_leader_or_follower when another node leads it. Never waits: the
  // log may not be open yet.
  Result<PartitionPtr> find(const PartitionId& id);
  // Another node leads it from now on: what is open of it goes. Whoever waits for it is told.
  void lose(const PartitionId& id);
  // Whether what an open log says of itself is still true: storage::Cluster::may_tell().
  bool may_tell(const PartitionId& id) const { return parts_.cluster.may_tell(id); }
  // As find(), but only what has been used since the start; nullptr otherwise.
  PartitionPtr peek(const PartitionId& id) const;
  // Opens the log once, whoever asks first; the others wait. Producer state is there afterwards.
  Task<Result<void>> open(PartitionPtr partition);
  // find() and open().
  Task<Result<PartitionPtr>> find_open(PartitionId id);

  // An append takes its place among those that stop() waits for and that the partition's limit counts.
  // False at the limit. leave() follows each success.
  bool enter(Partition& partition);
  void leave(Partition& partition);
  // Refuses further appends, returns when those under way have ended or at `deadline`: how many have not.
  Task<std::size_t> stop(MonoTime deadline);

  // Drops producers that wrote nothing for their lifetime, writes snapshots of producer state that has
  // moved on by much (all that moved, when `all`).
  Task<void> housekeep(bool all);
  // Opens logs that nobody has asked for since the start but that hold data which retention may have to
  // delete: the engine's housekeeping reaches open logs only. At most `limit`; the next round goes on.
  Task<void> open_for_retention(std::size_t limit);
  std::size_t size() const { return partitions_.size(); }
  Counter& produced_bytes() { return produced_bytes_; }

 private:
  Task<Result<void>> do_open(PartitionPtr partition);
  void take_out(const PartitionPtr& partition);
  void topic_removed(const CatalogueTopicPtr& topic);
  // Of the topics in to_forget_, one after the other, until there are none.
  Task<void> forget_states();
  Task<void> forget_state(TopicId topic);
  Task<void> erase_key(std::string scope_prefix, std::string key);
  void topic_changed(const CatalogueTopicPtr& topic);
  // Partitions of the topic that are in this table.
  std::vector<PartitionPtr> partitions_of(const CatalogueTopicPtr& topic) const;

  const BrokerParts& parts_;
  TopicCatalogue& catalogue_;
  unsigned shard_;
  std::size_t max_appends_;
  producers::ProducerLimits producer_limits_;
  std::size_t appends_ = 0;
  bool stopping_ = false;
  Event idle_;
  Gauge& open_partitions_;
  Gauge& appends_in_flight_;
  Counter& produced_bytes_;
  std::unordered_map<PartitionId, PartitionPtr> partitions_;
  std::deque<TopicId> to_forget_;  // shard 0
};

// One table a shard.
class PartitionTables {
 public:
  PartitionTables(const BrokerParts& parts, TopicCatalogue& catalogue);
  // Of the calling shard.
  PartitionTable& local() { return *tables_[Shard::current()->index()]; }
  PartitionTable& at(unsigned shard) { return *tables_[shard]; }

 private:
  std::vector<std::unique_ptr<PartitionTable>> tables_;
};

}  // namespace tidegate::broker
