// The table of topics. Changed on shard 0 only; read on any shard (is this partition still there?),
// so a lock guards it, held for one map operation. What a change means for open logs is the engine's
// matter: it is told of a removal and takes the logs down on their shards.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tidegate/storage/engine.h"

namespace tidegate::storage {

class MemoryTopics final : public TopicStore {
 public:
  // `removed` runs on shard 0 after the topics have left the table.
  MemoryTopics(std::int32_t max_partitions, std::function<Task<void>(std::vector<TopicId>)> removed)
      : max_partitions_(max_partitions), removed_(std::move(removed)) {}

  Task<Result<void>> create(std::vector<Topic> topics) override;
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) override;
  Task<Result<std::vector<Topic>>> list() override;
  Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) override;
  Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) override;

  bool contains(const PartitionId& id) const;
  void clear();

 private:
  Result<void> insert(std::vector<Topic> topics);
  Result<void> erase(const TopicId& id);
  Result<void> grow(const TopicId& id, std::int32_t partitions);
  Result<void> configure(const TopicId& id, std::map<std::string, std::string> configs);
  std::vector<Topic> all() const;

  const std::int32_t max_partitions_;
  const std::function<Task<void>(std::vector<TopicId>)> removed_;
  mutable std::mutex mutex_;
  std::map<std::string, TopicId> by_name_;
  std::map<TopicId, Topic> by_id_;
  std::int64_t partitions_ = 0;
};

}  // namespace tidegate::storage
