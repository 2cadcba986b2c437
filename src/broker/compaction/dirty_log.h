// How dirty a compacted log is, and how far it may be cleaned: Kafka's rules over the PartitionLog
// contract. And the checkpoint that says where its dirty part begins. On the partition's owner shard.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compaction/partition_cleaner.h"
#include "tidegate/broker/topic_config.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

// Where the dirty part begins. It holds as long as the log was not cut below it since: then other records
// stand there that nobody has cleaned.
struct CleanerCheckpoint {
  Offset first_dirty = 0;
  LeaderEpoch epoch = 0;  // the log's when it was written

  std::string encode() const;
  static std::optional<CleanerCheckpoint> decode(std::string_view text);
  // The first dirty offset of `log`; its log start when the checkpoint does not hold.
  Offset apply(const storage::PartitionLog& log) const;
};

// "compaction/<topic id>/", then the partition: the scopes of the MetaStore that hold checkpoints.
std::string checkpoint_scope_prefix(const TopicId& topic);
inline constexpr const char* kCheckpointKey = "first-dirty";
Task<Result<std::optional<CleanerCheckpoint>>> load_checkpoint(storage::MetaStore& meta,
                                                               PartitionId partition);
Task<Result<void>> store_checkpoint(storage::MetaStore& meta, PartitionId partition,
                                    CleanerCheckpoint checkpoint);

struct DirtyLog {
  DirtyStretch stretch;
  std::size_t bytes = 0;  // of the stretch
  double ratio = 0;       // dirty bytes of all that may be cleaned
  bool overdue = false;   // by max.compaction.lag.ms
  bool due(double min_ratio) const { return overdue || ratio > min_ratio; }
};

// nullopt when nothing is dirty. `stable_end` is the last stable offset.
Task<Result<std::optional<DirtyLog>>> assess_log(std::shared_ptr<storage::PartitionLog> log,
                                                 Offset first_dirty, Offset stable_end,
                                                 CompactionSettings settings, std::int64_t now_ms);

}  // namespace tidegate::broker
