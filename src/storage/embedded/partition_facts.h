// What metadata says of single partitions: leader epochs and log starts, in memory for all that differ
// from the start values, and in the Kv. Any thread.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "epochs.h"
#include "kv.h"
#include "tidegate/base/ids.h"

namespace tidegate::storage::embedded {

class PartitionFacts {
 public:
  explicit PartitionFacts(Kv& kv) : kv_(kv) {}

  Result<void> load();
  EpochTable epochs(const PartitionId& id) const;
  LeaderEpoch leader_epoch(const PartitionId& id) const;
  Offset log_start(const PartitionId& id) const;
  // Durably; both block.
  Result<void> set_epochs(const PartitionId& id, EpochTable table);
  Result<void> set_log_start(const PartitionId& id, Offset offset);
  // In memory; the keys go with the topic's.
  void forget(const TopicId& topic, std::int32_t partitions);
  static void erase_keys(const TopicId& topic, std::int32_t partitions, std::vector<KvOp>& ops);

 private:
  struct Facts {
    EpochTable epochs = first_epoch();
    Offset log_start = 0;
  };
  Kv& kv_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<PartitionId, Facts> facts_;
};

}  // namespace tidegate::storage::embedded
