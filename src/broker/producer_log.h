// Idempotence of one partition: producers/ decides, this follows the log (what is durable, what was
// rolled back) and carries the state across restarts: a snapshot in the MetaStore, and behind it the
// headers of the batches in the log. Owner shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "tidegate/base/config_table.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/producers/producer_state_table.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

struct BrokerParts;

// The limits of one partition, from the server's settings.
producers::ProducerLimits producer_limits(const ConfigValues& config);

class ProducerLog {
 public:
  // Where snapshots are kept: one scope a partition, all of a topic under one prefix.
  static constexpr const char* kSnapshotKey = "snapshot";
  static std::string scope_prefix(const TopicId& topic) { return "producers/" + topic.to_string() + "/"; }

  ProducerLog() : table_(producers::ProducerLimits{}) {}

  // What producers of this partition may take; before recover().
  void set_limits(producers::ProducerLimits limits);
  // The next batch in the partition's order, at the offset that the log will assign now.
  producers::Verdict next(protocol::BatchHeader header, const storage::LogOffsets& offsets, MonoTime now);
  // A batch that the producer will send again was turned away before next() saw it: at a limit, or the log
  // could not be opened. When it is the first of a producer that is not known, nothing may come before it,
  // and what is behind it in the pipe is refused for the same reason (see put_off()).
  void turned_away(const protocol::BatchHeader& header, ErrorCode reason, MonoTime now);
  // A batch that next() had let pass did not get into the log, for a reason that passes. What its producer
  // has in the pipe behind it is refused for the same reason, and not as out of order: that would be the end
  // of its epoch for some clients, who then repeat everything whose fate they do not know under another one.
  void put_off(const protocol::BatchHeader& header, ErrorCode reason);
  // The log moved: what is below the high watermark is final, what is above the log end never was.
  void follow(const storage::LogOffsets& offsets);
  // The log lost what was final already: recover() before the next batch.
  bool is_lost() const { return lost_; }

  // The partition came from another node just now: until `end` whoever sends what does not come next is
  // told to ask again instead of that it is out of order.
  void settle_until(MonoTime end) { settled_from_ = end; }
  Task<Result<void>> recover(const BrokerParts& parts, PartitionId partition,
                             std::shared_ptr<storage::PartitionLog> log);
  // Bytes that went into the log; decides when a snapshot is due.
  void count(std::size_t bytes) { unsaved_bytes_ += bytes; }
  // So much log lies behind the last snapshot that reading it back would take long; with `any`, anything.
  bool wants_snapshot(bool any) const;
  Task<Result<void>> write_snapshot(const BrokerParts& parts, PartitionId partition);
  void expire(MonoTime now);

  const producers::ProducerStateTable& table() const { return table_; }

 private:
  // The first batch of a producer that this partition did not know, until it is durable. Such a producer
  // may begin anywhere, since its state may have expired; but once its first batch was turned away or
  // rolled back, what it had sent behind that must not slip in before it is sent again.
  struct FirstBatch {
    std::int16_t epoch = 0;
    std::int32_t sequence = 0;
    Offset offset = -1;  // -1: not in the log
    MonoTime seen;
    ErrorCode reason = ErrorCode::kafka_storage_error;  // why it is not, once it was refused
  };
  struct PutOff {
    std::int16_t epoch = 0;
    std::int32_t sequence = 0;
    ErrorCode reason = ErrorCode::none;
  };
  producers::Verdict prepare(const protocol::BatchHeader& header, MonoTime now);
  // False when so many are remembered that there is no room for another.
  bool remember(const protocol::BatchHeader& header, Offset offset, MonoTime now);
  bool is_settling(MonoTime now) const { return settled_from_ && now < *settled_from_; }
  producers::Verdict next_of_unknown(const protocol::BatchHeader& header, MonoTime now);

  producers::ProducerLimits limits_;
  producers::ProducerStateTable table_;
  std::unordered_map<std::int64_t, FirstBatch> first_batches_;
  // Of known producers, the first that is to come again. As many as there may be producers.
  std::unordered_map<std::int64_t, PutOff> put_off_;
  // Until then some unknown producer may have lost its first batch without being remembered: unknown ones
  // have to begin at 0.
  std::optional<MonoTime> unsure_until_;
  // Until then another node may have refused a moment ago what comes first.
  std::optional<MonoTime> settled_from_;
  bool lost_ = false;
  bool saving_ = false;
  Offset saved_end_ = 0;  // that the snapshot in the store stands for
  std::size_t unsaved_bytes_ = 0;
};

}  // namespace tidegate::broker
