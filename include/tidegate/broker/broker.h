// The parts that handlers call, wired together. One per process, made by app/ before the shards run.
#pragma once

#include <memory>

#include "tidegate/base/clock.h"
#include "tidegate/base/config_table.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/result.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/storage/engine.h"

namespace tidegate::schema {
class BatchValidator;  // tidegate/schema/batch_validator.h
class TypedValues;     // tidegate/schema/typed_values.h
}  // namespace tidegate::schema

namespace tidegate::broker {

class TopicCatalogue;    // topic_catalogue.h
class TopicLookout;      // topic_lookout.h
class ProducePath;       // produce_path.h
class FetchPath;         // fetch_path.h
class OffsetsPath;       // offsets_path.h
class ProducerIds;       // producer_ids.h
class GroupCoordinator;  // group_coordinator.h
class ClientQuotas;      // client_quotas.h

struct BrokerParts {
  storage::Engine& engine;
  storage::Cluster& cluster;
  ShardPool& shards;
  BlockingPool& blocking;
  const Clock& clock;
  Rng& rng;  // used on shard 0 only
  MetricRegistry& metrics;
  const ConfigValues& config;
  schema::BatchValidator* schemas = nullptr;  // nullptr: schemas cannot be looked up
  schema::TypedValues* typed = nullptr;       // nullptr: the engine keeps no columns
};

class Broker {
 public:
  explicit Broker(BrokerParts parts);
  ~Broker();

  // Loads the catalogue; starts retention and the loading of groups and quotas. On shard 0, after
  // engine.start().
  Task<Result<void>> start();
  // Wakes what waits (fetches, joins), lets appends and commits finish, writes producer snapshots. On
  // shard 0, before engine.stop(). Storage that hangs is waited for until `deadline`: then what it keeps is
  // abandoned, with a line in the log for each partition, and the result is false.
  Task<bool> stop(MonoTime deadline = MonoTime::max());

  const BrokerParts& parts() const { return parts_; }
  TopicCatalogue& topics();
  TopicLookout& lookout();
  ProducePath& produce();
  FetchPath& fetch();
  OffsetsPath& offsets();
  ProducerIds& producer_ids();
  GroupCoordinator& groups();
  ClientQuotas& quotas();

 private:
  BrokerParts parts_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::broker
