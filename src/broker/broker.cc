// Wires the broker's parts together, starts them and winds them down. Housekeeping runs on shard 0 as
// one spawned task at a time, armed again by a timer.
#include "tidegate/broker/broker.h"

#include <algorithm>
#include <utility>

#include "compaction/compaction.h"
#include "partition_table.h"
#include "tidegate/base/module_log.h"
#include "tidegate/broker/client_quotas.h"
#include "tidegate/broker/fetch_path.h"
#include "tidegate/broker/group_coordinator.h"
#include "tidegate/broker/offsets_path.h"
#include "tidegate/broker/produce_path.h"
#include "tidegate/broker/producer_ids.h"
#include "tidegate/broker/topic_catalogue.h"
#include "tidegate/broker/topic_lookout.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {

struct Broker::State {
  explicit State(const BrokerParts& p)
      : parts(p),
        topics(p.engine, p.shards, p.config, p.clock, p.rng),
        lookout(p, topics),
        tables(p, topics),
        produce(p, tables),
        fetch(p, topics, tables),
        offsets(p, tables),
        producer_ids(p),
        groups(p, topics),
        quotas(p),
        compaction(p, topics, tables) {
    topics.count_in(p.metrics.gauge("tidegate_broker_topics", "Topics there are"),
                    p.metrics.gauge("tidegate_broker_partitions", "Partitions of all topics"));
  }

  Task<void> housekeep();
  Task<void> open_for_retention();
  Task<void> housekeep_tables(bool all);
  void arm();

  const BrokerParts& parts;
  TopicCatalogue topics;
  TopicLookout lookout;
  PartitionTables tables;
  ProducePath produce;
  FetchPath fetch;
  OffsetsPath offsets;
  ProducerIds producer_ids;
  GroupCoordinator groups;
  ClientQuotas quotas;
  Compaction compaction;
  // Shard 0.
  TimerId timer = kNoTimer;
  bool stopping = false;
  std::shared_ptr<Event> housekeeping;  // while it runs
};

Broker::Broker(BrokerParts parts) : parts_(parts), state_(std::make_unique<State>(parts_)) {}
Broker::~Broker() = default;

TopicCatalogue& Broker::topics() { return state_->topics; }
TopicLookout& Broker::lookout() { return state_->lookout; }
ProducePath& Broker::produce() { return state_->produce; }
FetchPath& Broker::fetch() { return state_->fetch; }
OffsetsPath& Broker::offsets() { return state_->offsets; }
ProducerIds& Broker::producer_ids() { return state_->producer_ids; }
GroupCoordinator& Broker::groups() { return state_->groups; }
ClientQuotas& Broker::quotas() { return state_->quotas; }

Task<Result<void>> Broker::start() {
  auto loaded = co_await state_->topics.start();
  if (!loaded) co_return loaded;
  parts_.cluster.on_lost([state = state_.get()](const PartitionId& id) { state->tables.local().lose(id); });
  for (unsigned i = 0; i < parts_.shards.size(); ++i) {
    auto start = [this, i] { state_->tables.at(i).start(); };
    co_await submit_to(parts_.shards.at(i), std::move(start));
  }
  state_->quotas.start();
  co_await state_->groups.start();
  state_->arm();
  state_->lookout.start();
  state_->compaction.start();
  co_return Result<void>{};
}

namespace {

// One last task of the broker, which its caller waits for up to a deadline.
struct LastTask {
  bool ended = false;
  Event event;

  static Task<void> run(std::shared_ptr<LastTask> self, Task<void> task) {
    co_await std::move(task);
    self->ended = true;
    self->event.notify_all();
  }
};

}  // namespace

Task<bool> Broker::stop(MonoTime deadline) {
  state_->stopping = true;
  parts_.cluster.on_lost(nullptr);
  parts_.shards.at(0).timers().cancel(std::exchange(state_->timer, kNoTimer));
  if (!co_await state_->groups.stop(deadline)) {
    module_log().warn(
        "event=storage_hangs_at_stop task=groups reason=\"none of their writes was acknowledged\"");
    co_return false;
  }
  co_await state_->fetch.stop();
  if (!co_await state_->compaction.stop(deadline)) {
    module_log().warn("event=storage_hangs_at_stop task=compaction");
    co_return false;
  }
  std::size_t abandoned = 0;
  for (unsigned i = 0; i < parts_.shards.size(); ++i) {
    auto stop_table = [this, i, deadline] { return state_->tables.at(i).stop(deadline); };
    abandoned += co_await submit_to(parts_.shards.at(i), std::move(stop_table));
  }
  if (abandoned > 0) {
    module_log().warn("event=storage_hangs_at_stop appends={} reason=\"none of them was acknowledged\"",
                      abandoned);
    co_return false;
  }
  Timers& timers = parts_.shards.at(0).timers();
  while (const std::shared_ptr<Event> running = state_->housekeeping) {
    if (co_await running->wait_until(timers, deadline)) continue;
    module_log().warn("event=storage_hangs_at_stop task=housekeeping");
    co_return false;
  }
  if (!co_await state_->lookout.stop(deadline)) {
    module_log().warn("event=storage_hangs_at_stop task=\"topic lookout\"");
    co_return false;
  }
  if (!co_await state_->quotas.stop(deadline)) {
    module_log().warn("event=storage_hangs_at_stop task=\"client quotas\"");
    co_return false;
  }
  const auto snapshots = std::make_shared<LastTask>();
  Shard::current()->start(LastTask::run(snapshots, state_->housekeep_tables(true)), "producer snapshots");
  while (!snapshots->ended) {
    if (co_await snapshots->event.wait_until(timers, deadline)) continue;
    module_log().warn("event=storage_hangs_at_stop task=\"producer snapshots\"");
    co_return false;
  }
  co_return true;
}

void Broker::State::arm() {
  if (stopping) return;
  const auto interval = std::chrono::milliseconds(parts.config.integer("log.retention.check.interval.ms"));
  timer = parts.shards.at(0).timers().arm(parts.clock.now() + interval, [this] {
    timer = kNoTimer;
    parts.shards.at(0).spawn(housekeep(), "broker housekeeping");
  });
}

Task<void> Broker::State::housekeep() {
  if (stopping) co_return;
  housekeeping = std::make_shared<Event>();
  co_await open_for_retention();
  co_await parts.engine.housekeeping();
  co_await housekeep_tables(false);
  arm();
  std::exchange(housekeeping, nullptr)->notify_all();
}

Task<void> Broker::State::open_for_retention() {
  constexpr std::size_t kAtOnce = 1000;  // a shard and round
  for (unsigned i = 0; i < parts.shards.size(); ++i) {
    PartitionTable& table = tables.at(i);
    auto work = [&table] { return table.open_for_retention(kAtOnce); };
    co_await submit_to(parts.shards.at(i), std::move(work));
  }
}

Task<void> Broker::State::housekeep_tables(bool all) {
  for (unsigned i = 0; i < parts.shards.size(); ++i) {
    PartitionTable& table = tables.at(i);
    auto work = [&table, all] { return table.housekeep(all); };
    co_await submit_to(parts.shards.at(i), std::move(work));
  }
}

}  // namespace tidegate::broker
