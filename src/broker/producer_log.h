// Idempotence of one partition: producers/ decides, this follows the log (what is durable, what was
// rolled back) and carries the state across restarts: a snapshot in the MetaStore, and behind it the
// headers of the batches in the log. Owner shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

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
  producers::ProducerStateTable table_;
  bool lost_ = false;
  bool saving_ = false;
  Offset saved_end_ = 0;           // that the snapshot in the store stands for
  std::size_t unsaved_bytes_ = 0;
};

}  // namespace tidegate::broker
