// Questions about offsets, and moving the log start: ListOffsets, OffsetForLeaderEpoch, OffsetFetch,
// DeleteRecords.
// Called by api/offsets on the connection's shard; answered on the owner shards.
#pragma once

#include <cstdint>
#include <vector>

#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/runtime/task.h"

namespace tidegate::broker {

struct BrokerParts;
class PartitionFacts;  // partition_facts.h
class PartitionTables;

// What ListOffsets asks for below zero.
enum class OffsetSpec : std::int64_t {
  latest = -1,
  earliest = -2,
  max_timestamp = -3,
  earliest_local = -4,
  latest_tiered = -5,
  earliest_pending_upload = -6,
};

struct OffsetQuery {
  PartitionId partition;
  LeaderEpoch current_leader_epoch = kNoEpoch;
  std::int64_t timestamp = 0;  // milliseconds, or an OffsetSpec
};
struct OffsetAnswer {
  ErrorCode error = ErrorCode::none;
  Offset offset = -1;  // -1 without error: there is none
  std::int64_t timestamp = -1;
  LeaderEpoch leader_epoch = kNoEpoch;
};

struct EpochEndQuery {
  PartitionId partition;
  LeaderEpoch current_leader_epoch = kNoEpoch;
  LeaderEpoch leader_epoch = kNoEpoch;
};
struct EpochEndAnswer {
  ErrorCode error = ErrorCode::none;
  LeaderEpoch leader_epoch = kNoEpoch;
  Offset end_offset = -1;
};

struct EpochAtQuery {
  PartitionId partition;
  Offset offset = 0;
};

struct TrimQuery {
  PartitionId partition;
  Offset offset = 0;  // -1: the high watermark
};
struct TrimAnswer {
  ErrorCode error = ErrorCode::none;
  Offset log_start = -1;
};

// Answers stand at their questions' places.
class OffsetsPath {
 public:
  OffsetsPath(const BrokerParts& parts, PartitionTables& tables) : parts_(parts), tables_(tables) {}

  Task<std::vector<OffsetAnswer>> find(std::vector<OffsetQuery> queries);
  Task<std::vector<EpochEndAnswer>> epoch_ends(std::vector<EpochEndQuery> queries);
  // The leader epoch that covers each offset; -1 when the partition cannot be asked.
  Task<std::vector<LeaderEpoch>> epochs_at(std::vector<EpochAtQuery> queries);
  Task<std::vector<TrimAnswer>> trim(std::vector<TrimQuery> queries);
  // Other questions to the same partitions.
  PartitionFacts facts() const;

 private:
  const BrokerParts& parts_;
  PartitionTables& tables_;
};

}  // namespace tidegate::broker
