// Idempotence of one partition: producers/ decides, this follows the log (what is durable, what was
// rolled back) and carries the state across restarts: a snapshot in the MetaStore, and behind it the
// headers of the batches in the log. Owner shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/producers/producer_state_table.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

struct BrokerParts;

class ProducerLog {
 public:
  // Where snapshots are kept: one scope a partition, all of a topic under one prefix.
  static constexpr const char* kSnapshotKey = "snapshot";
  static std::string scope_prefix(const TopicId& topic) { return "producers/" + topic.to_string() + "/"; }

  ProducerLog() : table_(producers::ProducerLimits{}) {}

  // The next batch in the partition's order, at the offset that the log will assign now.
  producers::Verdict next(protocol::BatchHeader header, const storage::LogOffsets& offsets, MonoTime now);
  // The log moved: what is below the high watermark is final, what is above the log end never was.
  void follow(const storage::LogOffsets& offsets);
  // The log lost what was final already: recover() before the next batch.
  bool is_lost() const { return lost_; }

  Task<Result<void>> recover(const BrokerParts& parts, PartitionId partition,
                             std::shared_ptr<storage::PartitionLog> log);
  // Bytes that went into the log; decides when a snapshot is due.
  void count(std::size_t bytes) { unsaved_bytes_ += bytes; }
  // So much log lies behind the last snapshot that reading it back would take long; with `any`, anything.
  bool wants_snapshot(bool any) const;
  Task<Result<void>> write_snapshot(const BrokerParts& parts, PartitionId partition);
  void expire(MonoTime now) { table_.expire(now); }

  const producers::ProducerStateTable& table() const { return table_; }

 private:
  // The first batch of a producer that this partition did not know, until it is durable. Such a producer
  // may begin anywhere, since its state may have expired; but once its first batch was rolled back, what
  // it had sent behind that must not slip in before it is sent again.
  struct FirstBatch {
    std::int16_t epoch = 0;
    std::int32_t sequence = 0;
    Offset offset = 0;
  };

  producers::ProducerStateTable table_;
  std::map<std::int64_t, FirstBatch> first_batches_;
  bool lost_ = false;
  bool saving_ = false;
  Offset saved_end_ = 0;           // that the snapshot in the store stands for
  std::size_t unsaved_bytes_ = 0;
};

}  // namespace tidegate::broker
