// Which topics there are. Shard 0 owns the catalogue and sends ordered deltas to a replica on every
// shard; look-ups read the calling shard's replica and never wait. Changes return when every shard has
// applied them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/config_table.h"
#include "tidegate/base/metrics.h"
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
  std::int32_t partitions = -1;  // -1: num.partitions
  TopicConfigs configs;
};

struct TopicGrowth {
  std::string name;
  std::int32_t partitions = 0;  // the new total
};

// Makes a topic's next own configs from its present ones, on shard 0: nothing changes in between. The
// result is checked as a whole by the catalogue.
using ConfigChange = std::function<Result<TopicConfigs>(TopicConfigs)>;

// Told on every shard, on that shard, when a topic is there, is gone or its settings changed.
struct CatalogueListener {
  std::function<void(const CatalogueTopicPtr&)> added;
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
  // Takes in what others have made, changed and removed in a store that they share. Any shard.
  Task<Result<void>> refresh();
  // Gauges to keep at the number of topics, and of partitions of all of them. Before start().
  void count_in(Gauge& topics, Gauge& partitions);

  // From the calling shard's replica; nullptr when unknown.
  CatalogueTopicPtr find(std::string_view name) const;
  CatalogueTopicPtr find(const TopicId& id) const;
  // All, by name.
  std::vector<CatalogueTopicPtr> list() const;
  std::size_t partition_count() const;

  // Changes are callable from any shard. They happen one after the other on shard 0, in the order in
  // which they get there.

  // Each result stands for the topic at the same place; topics that are good are created together in
  // one batch, also with those of other callers that wait. invalid_topic_exception (bad name, or one
  // that differs from a topic's in '.' and '_' alone), topic_already_exists, invalid_partitions,
  // invalid_config, policy_violation (over max.partitions or max.partitions.per.request), and what the
  // engine says. With validate_only nothing is made and the topic's id means nothing.
  Task<std::vector<Result<CatalogueTopicPtr>>> create(std::vector<NewTopic> topics, bool validate_only);
  // Each result stands for the id at the same place; those that are there go in one batch. unknown_topic_id,
  // and what the engine says.
  Task<std::vector<Result<void>>> remove(std::vector<TopicId> ids);
  // As create(), for what is to grow: unknown_topic_or_partition, invalid_partitions (no more than there
  // are), invalid_request (named before), policy_violation.
  Task<std::vector<Result<CatalogueTopicPtr>>> add_partitions(std::vector<TopicGrowth> growths,
                                                              bool validate_only);
  // unknown_topic_or_partition, what `change` says, invalid_config.
  Task<Result<CatalogueTopicPtr>> set_configs(std::string name, ConfigChange change, bool validate_only);
  // Finds or creates with the server's defaults: many callers at once make one topic.
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
