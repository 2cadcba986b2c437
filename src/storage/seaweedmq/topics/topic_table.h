// The topics. Each has a record of ours under its name, which is changed by compare-and-set and says where
// its files are, and a topic.conf from which SeaweedMQ's own tools know it. The table in memory is what this
// process has seen last: changed on shard 0, read on any shard under a lock.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "format/records.h"
#include "tidegate/base/clock.h"
#include "tidegate/runtime/event.h"
#include "tidegate/storage/engine.h"
#include "versioned_entry.h"

namespace tidegate::storage::seaweedmq {

struct TopicDefaults {
  WritePath path = WritePath::direct;
  Layout layout = Layout::batch;
};

class TopicTable final : public TopicStore {
 public:
  // `closed` runs on shard 0 once a topic has been removed.
  TopicTable(Filer& filer, VersionedEntries& entries, const Clock& clock, TopicDefaults defaults,
             std::function<Task<void>(TopicId)> closed);

  Task<Result<void>> create(std::vector<Topic> topics) override;
  // A record each: one that cannot be changed keeps no other from it.
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) override;
  Task<Result<std::vector<Topic>>> list() override;
  Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) override;
  Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) override;

  // Any shard; nullopt when there is no such partition.
  std::optional<TopicRecord> find(const PartitionId& id) const;
  std::vector<PartitionId> partitions() const;
  // Deletes the files of removed topics.
  Task<void> delete_remains();

 private:
  struct Known {
    TopicRecord record;
    std::string etag;
  };
  using Change = std::function<Result<void>(TopicRecord&)>;
  class Busy;

  Task<void> lock();
  Task<Result<void>> create_locked(std::vector<Topic> topics);
  Task<Result<void>> create_one(Topic topic);
  // A time that no version directory of the topic has, above all of them; topic_already_exists when others
  // have made it.
  Task<Result<std::int64_t>> new_generation(std::string name, bool known);
  Task<Result<void>> put_conf(Known known);
  Task<Result<void>> remove_locked(TopicId id);
  Task<Result<void>> grow_locked(Growth growth);
  // Reads the record, changes it and writes it back, again when somebody else was faster.
  Task<Result<void>> change(TopicId id, Change change);
  Task<Result<std::vector<Known>>> read_all();
  Task<void> delete_remains_of(Known known);
  std::optional<std::string> name_of(const TopicId& id) const;
  void remember(const Known& known);

  Filer& filer_;
  VersionedEntries& entries_;
  const Clock& clock_;
  const TopicDefaults defaults_;
  const std::function<Task<void>(TopicId)> closed_;
  bool busy_ = false;  // one change at a time; on shard 0
  Event idle_;
  mutable std::mutex mutex_;
  std::map<TopicId, TopicRecord> by_id_;
};

}  // namespace tidegate::storage::seaweedmq
