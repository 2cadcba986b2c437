// The topics. Each has a record of ours under its name, which is changed by compare-and-set and says where
// its files are, and a topic.conf from which SeaweedMQ's own tools know it. The table in memory is what this
// process has seen last: changed on shard 0, read on any shard under a lock.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/records.h"
#include "tidegate/base/clock.h"
#include "tidegate/runtime/event.h"
#include "tidegate/storage/engine.h"
#include "versioned_entry.h"

namespace tidegate::storage::seaweedmq {

// What topics can be made with.
inline constexpr std::string_view kWritePaths[] = {"direct", "broker"};

struct TopicDefaults {
  WritePath path = WritePath::direct;
  Layout layout = Layout::batch;
  // Brokers of SeaweedMQ are looked for.
  bool brokers = false;
  // Topics that say nothing of cleanup.policy are compacted.
  bool compacted = false;
};

class TopicTable final : public TopicStore {
 public:
  // `closed` runs on shard 0 once a topic has been removed.
  // `configure` tells the brokers the columns of a topic of theirs.
  // `new_id` makes an id for a topic that others have made, there too.
  TopicTable(Filer& filer, VersionedEntries& entries, const Clock& clock, TopicDefaults defaults,
             std::function<TopicId()> new_id, std::function<Task<void>(TopicId)> closed,
             std::function<Task<Result<void>>(TopicRecord)> configure);

  Task<Result<void>> create(std::vector<Topic> topics) override;
  // A record each: one that cannot be changed keeps no other from it.
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) override;
  // Takes in what other gateways and SeaweedMQ have made, changed and removed.
  Task<Result<std::vector<Topic>>> list() override;
  Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) override;
  Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) override;

  Task<Result<DeclaredColumns>> add_columns(TopicId id, DeclaredColumns more) override;
  // Any shard: those of ours in layout record.
  bool may_have_columns(const TopicId& id) const;

  // Any shard; nullopt when there is no such partition.
  std::optional<TopicRecord> find(const PartitionId& id) const;
  // Those that we write.
  std::vector<PartitionId> partitions() const;
  // A broker that could not read a topic.conf may have written another one over it: puts ours back.
  Task<Result<void>> mend_conf(TopicId id);
  // A topic that others have made is published to by gateways from now on.
  Task<Result<void>> share(TopicId id);
  // That are published to by gateways, if it is the broker path.
  std::vector<PartitionId> partitions_on(WritePath path) const;
  bool any_on(WritePath path) const;
  bool has_name(std::string_view name) const;
  std::span<const std::string_view> write_paths() const {
    return std::span(kWritePaths).first(defaults_.brokers ? std::size(kWritePaths) : 1);
  }
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
  void unlock();
  Task<Result<void>> create_locked(std::vector<Topic> topics);
  Task<Result<void>> create_one(Topic topic);
  // A time that no version directory of the topic has, above all of them; topic_already_exists when others
  // have made it.
  Task<Result<std::int64_t>> new_generation(std::string name, bool known);
  Task<Result<void>> put_conf(Known known);
  Task<Result<void>> remove_locked(TopicId id);
  Task<Result<void>> grow_locked(Growth growth);
  Task<Result<DeclaredColumns>> add_columns_locked(TopicId id, DeclaredColumns more);
  // Reads the record, changes it and writes it back, again when somebody else was faster.
  Task<Result<void>> change(TopicId id, Change change);
  struct Stored {
    std::vector<Known> known;
    std::map<std::string, std::string> unreadable;  // by topic: why
  };
  Task<Result<Stored>> read_all();
  // A topic whose record cannot be read is as it was seen last, if it was; it is nobody else's.
  void note_unreadable(const std::map<std::string, std::string>& unreadable);
  // others_topics.cc: topics that SeaweedMQ has made get a record, and lose it when they are gone.
  using ByName = std::map<std::string, Known>;
  // Names of `taken` are not looked at.
  Task<Result<void>> look_for_others(ByName* known, std::map<std::string, std::string> taken);
  Task<Result<void>> look_at(std::string name, ByName* known);
  Task<Result<void>> adopt(std::string name, TopicConf conf, ByName* known);
  Task<Result<void>> forget(std::string name, ByName* known);
  void warn_once(const std::string& name, const std::string& reason);
  // The times of its generations, old ones too.
  Task<Result<std::vector<std::int64_t>>> versions_of(std::string name);
  Task<void> delete_remains_of(Known known);
  std::optional<std::string> name_of(const TopicId& id) const;
  // As the broker knows it: with what it was made with where the defaults say something else by now.
  Topic shown(const TopicRecord& record) const;
  void remember(const Known& known);
  bool is_by_others(const TopicId& id) const;
  // Returns those that were there and are not any more.
  std::vector<TopicId> replace_all(std::map<TopicId, TopicRecord> by_id);

  Filer& filer_;
  VersionedEntries& entries_;
  const Clock& clock_;
  const TopicDefaults defaults_;
  const std::function<TopicId()> new_id_;
  const std::function<Task<void>(TopicId)> closed_;
  const std::function<Task<Result<void>>(TopicRecord)> configure_;
  bool busy_ = false;  // one change at a time; on shard 0
  Event idle_;
  std::map<std::string, std::string> warned_;  // names that cannot be served, and why
  std::map<std::string, std::string> unreadable_;
  mutable std::mutex mutex_;
  std::map<TopicId, TopicRecord> by_id_;
};

}  // namespace tidegate::storage::seaweedmq
