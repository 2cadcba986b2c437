// Which topics there are. Shard 0 owns the catalogue and sends ordered deltas to a replica on every
// shard; look-ups read the calling shard's replica and never wait. Changes return when every shard has
// applied them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/result.h"
#include "tidegate/base/rng.h"
#include "tidegate/broker/topic_config.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/runtime/task.h"
#include "tidegate/storage/engine.h"

namespace tidegate::broker {

// Immutable; a change makes a new one.
struct CatalogueTopic {
  storage::Topic topic;
  TopicSettings settings;
};
using CatalogueTopicPtr = std::shared_ptr<const CatalogueTopic>;

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;          // -1: num.partitions
  std::map<std::string, std::string> configs;
};

// Told on every shard, on that shard, when a topic is gone or its settings changed.
struct CatalogueListener {
  std::function<void(const CatalogueTopicPtr&)> removed;
  std::function<void(const CatalogueTopicPtr&)> changed;  // configs or partition count
};

class TopicCatalogue {
 public:
  TopicCatalogue(storage::Engine& engine, ShardPool& shards, const ConfigValues& server, const Clock& clock,
                 Rng& rng);
  ~TopicCatalogue();

  // Loads what the engine has into every replica. On shard 0, before any client.
  Task<Result<void>> start();

  // From the calling shard's replica; nullptr when unknown.
  CatalogueTopicPtr find(std::string_view name) const;
  CatalogueTopicPtr find(const TopicId& id) const;
  // All, by name.
  std::vector<CatalogueTopicPtr> list() const;
  std::size_t partition_count() const;

  // Callable from any shard. Each result stands for the topic at the same place; topics that are
  // good are created together in one batch.
  Task<std::vector<Result<CatalogueTopicPtr>>> create(std::vector<NewTopic> topics, bool validate_only);
  Task<Result<void>> remove(TopicId id);
  Task<Result<CatalogueTopicPtr>> add_partitions(std::string name, std::int32_t total, bool validate_only);
  // Replaces the topic's own configs with what `change` makes of them, checked as a whole.
  Task<Result<CatalogueTopicPtr>> set_configs(std::string name, std::map<std::string, std::string> configs,
                                              bool validate_only);
  // Single-flight per name.
  Task<Result<CatalogueTopicPtr>> auto_create(std::string name);

  // Registers for the calling shard.
  void listen(CatalogueListener listener);

  // Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." or "..". invalid_topic_exception with the reason.
  static Result<void> check_name(std::string_view name);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::broker
