// Topics of the embedded engine: in memory for every shard, in the Kv for the next start. Changes are
// made on shard 0 and are durable before they show.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "context.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::embedded {

// A topic that was removed and whose files are still there.
struct TopicRemains {
  TopicId id;
  std::int32_t partitions = 0;
};

class TopicTable final : public TopicStore {
 public:
  // `on_removed` closes the topics' logs on their shards.
  TopicTable(EngineContext& context, std::function<Task<void>(std::vector<TopicId>)> on_removed)
      : context_(context), on_removed_(std::move(on_removed)) {}

  // Blocking; once, at the start.
  Result<void> load();
  // Partitions of the topic; 0 when there is no such topic. Any shard.
  std::int32_t partitions(const TopicId& id) const;

  Task<Result<void>> create(std::vector<Topic> topics) override;
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids) override;
  Task<Result<std::vector<Topic>>> list() override;
  Task<std::vector<Result<void>>> add_partitions(std::vector<Growth> growths) override;
  Task<Result<void>> set_config(TopicId id, std::map<std::string, std::string> configs) override;

  // Removed topics in order of removal; forget_remains() when their files are gone. Blocking.
  std::vector<TopicRemains> remains() const;
  Result<void> forget_remains(const TopicId& id);

 private:
  // Out of sight; the id's topic, if there is one.
  std::optional<Topic> take(const TopicId& id);
  Task<void> finish_removal(std::shared_ptr<const std::vector<Topic>> gone);
  // In one write.
  Task<Result<void>> replace_topics(std::vector<Topic> changed);

  EngineContext& context_;
  const std::function<Task<void>(std::vector<TopicId>)> on_removed_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<TopicId, Topic> topics_;
  std::map<std::string, TopicId, std::less<>> by_name_;
  std::vector<TopicRemains> remains_;
  // Shard 0: names and ids of a create that is on its way to the disk; topics that are being changed.
  std::set<std::string, std::less<>> creating_;
};

std::string encode_topic(const Topic& topic);
std::optional<Topic> decode_topic(const TopicId& id, std::string_view value);

}  // namespace tidegate::storage::embedded
