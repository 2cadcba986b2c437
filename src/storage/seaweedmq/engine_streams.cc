// The broker path as the engine sees it: its logs are open whether anybody uses them or not, because a broker
// freezes for good soon after the last stream of a topic has closed. A removed topic keeps one, until a topic
// of its name is made.
#include <algorithm>

#include <fmt/format.h>

#include "engine.h"
#include "format/names.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

namespace {
// Of removed topics, on one shard. Each costs its broker a partition's memory.
constexpr std::size_t kKeptStreams = 100;
}  // namespace

bool SeaweedmqEngine::uses_brokers() const {
  return path_ == WritePath::broker || topics_.any_on(WritePath::broker);
}

std::string SeaweedmqEngine::brokers_missing() const {
  BrokerClient* const brokers = source_->brokers();
  if (brokers == nullptr || !uses_brokers()) return {};
  if (std::string missing = brokers->missing(); !missing.empty()) return missing;
  return stream_watch_.trouble(streams_missing_after_);
}

Task<SeaweedmqEngine::Opening> SeaweedmqEngine::open_broker_log(TopicRecord record, PartitionId id,
                                                                LogConfig config,
                                                                std::shared_ptr<Ownership> ownership) {
  BrokerClient* const brokers = source_->brokers();
  if (brokers == nullptr) {
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("topic {} is written by a broker of SeaweedMQ, and none is looked for",
                               record.topic.name));
  }
  // A broker takes the same part of the ring for the same partition, whatever the generation.
  if (id.index == 0) co_await let_go_of_removed(record.topic.name);
  const RingRange range = ring_range(id.index, record.slots);
  BrokerLogPlace place{.id = id,
                       .directory = paths::partition_dir(record.topic.name, record.generation_ns, range),
                       .at = {.topic = record.topic.name,
                              .generation_ns = record.generation_ns,
                              .range = range,
                              .slots = record.slots},
                       .layout = record.layout,
                       .shared = record.by_others};
  // Which columns a topic of others has is theirs to say.
  if (!place.shared) brokers->remember(record.topic.name, record.columns.columns);
  auto mend = [this](TopicId topic) { return mend_topic(topic); };
  BrokerPath path{
      .brokers = *brokers, .watch = stream_watch_, .mend_topic = mend, .options = broker_options_};
  // Where others' messages are between ours is known once they are flushed.
  if (place.shared) path.options.flushed = true;
  LogShard& home = *on_shards_[Shard::current()->index()]->logs_of;
  auto opened = co_await BrokerLog::open(home, path, std::move(place), config, std::move(ownership));
  if (!opened) co_return fail(std::move(opened.error()));
  co_return std::move(*opened);
}

namespace {
Task<Result<void>> nothing_to_share() {
  co_return fail(ErrorCode::kafka_storage_error, "the engine is stopping");
}
}  // namespace

Task<void> SeaweedmqEngine::share_topic(TopicId topic) {
  auto share = [this, topic]() -> Task<Result<void>> {
    ++topic_shares_;
    return ready_.load() ? topics_.share(topic) : nothing_to_share();
  };
  auto shared = co_await submit_to(shards_.at(0), share);
  if (!shared) {
    module_log().warn("event=topic_of_others_not_opened_for_writing topic_id={} error=\"{}\"",
                      topic.to_string(), shared.error().message);
  }
  for (unsigned i = 0; shared && i < shards_.size(); ++i) {
    auto open = [this, i, topic] { return open_anew(i, topic); };
    co_await submit_to(shards_.at(i), open);
  }
  auto done = [this] {
    --topic_shares_;
    share_round_ended_.notify_all();
  };
  co_await submit_to(shards_.at(0), done);
}

Task<void> SeaweedmqEngine::open_anew(unsigned index, TopicId topic) {
  OnShard& on = *on_shards_[index];
  const auto is_opening = [topic](const PartitionId& id) { return id.topic == topic; };
  while (std::ranges::any_of(on.opening, is_opening)) co_await on.opened.wait();
  std::vector<std::shared_ptr<EngineLog>> logs;
  std::vector<PartitionId> ids;
  std::erase_if(on.logs, [&](auto& entry) {
    if (entry.first.topic != topic || !entry.second->is_for_reading_alone()) return false;
    ids.push_back(entry.first);
    logs.push_back(entry.second);
    return true;
  });
  for (const PartitionId& id : ids) cluster_.tell_lost(id);
  for (const auto& log : logs) {
    co_await log->close({ErrorCode::not_leader_or_follower, "the partition is being opened for writing"});
  }
}

Task<Result<void>> SeaweedmqEngine::mend_topic(TopicId topic) {
  auto mend = [this, topic] { return topics_.mend_conf(topic); };
  co_return co_await submit_to(shards_.at(0), mend);
}

Task<Result<void>> SeaweedmqEngine::configure_topic(TopicRecord record) {
  BrokerClient* const brokers = source_->brokers();
  if (brokers == nullptr)
    co_return fail(ErrorCode::kafka_storage_error, "no broker of SeaweedMQ is looked for");
  BrokerPlace place{.topic = record.topic.name, .generation_ns = record.generation_ns, .slots = record.slots};
  co_return co_await brokers->declare(std::move(place), record.columns.columns);
}

Task<void> SeaweedmqEngine::let_go_of_removed(std::string name) {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto let_go = [this, i, name] { return let_go_on(i, name); };
    co_await submit_to(shards_.at(i), let_go);
  }
}

Task<void> SeaweedmqEngine::let_go_on(unsigned index, std::string name) {
  std::vector<std::shared_ptr<EngineLog>> kept;
  for (const auto& log : on_shards_[index]->removed) {
    if (log->keeps_stream() && log->topic() == name) kept.push_back(log);
  }
  for (const auto& log : kept) co_await log->let_go();
}

Task<void> SeaweedmqEngine::keep_streams() {
  std::vector<std::vector<PartitionId>> wanted(shards_.size());
  if (ready_.load() && source_->brokers() != nullptr) {
    for (const PartitionId& id : topics_.partitions_on(WritePath::broker)) {
      if (may_lead(id)) wanted[owner_shard(id, shards_.size())].push_back(id);
    }
  }
  for (unsigned i = 0; i < shards_.size(); ++i) {
    if (!ready_.load()) break;
    auto open = [this, i, ids = wanted[i]] { return open_streams(i, ids); };
    co_await submit_to(shards_.at(i), open);
  }
  streams_round_ = false;
  share_round_ended_.notify_all();
}

// What cannot be opened now is tried again by the next round.
Task<void> SeaweedmqEngine::open_streams(unsigned index, std::vector<PartitionId> ids) {
  OnShard& on = *on_shards_[index];
  std::vector<std::shared_ptr<EngineLog>> kept;
  for (const auto& log : on.removed) {
    if (log->keeps_stream()) kept.push_back(log);
  }
  std::size_t too_many = kept.size() > kKeptStreams ? kept.size() - kKeptStreams : 0;
  for (const auto& log : kept) {
    // Made anew, perhaps at another gateway, whose broker takes it for this one.
    if (!topics_.has_name(log->topic()) && too_many == 0) continue;
    if (too_many > 0) --too_many;
    co_await log->let_go();
  }
  for (const PartitionId& id : ids) {
    if (!on.running || !ready_.load()) co_return;
    if (on.logs.contains(id) || on.opening.contains(id)) continue;
    // Nothing is deleted by age or size before the broker has said how the topic is configured.
    static_cast<void>(co_await partition(id, {.retention_ms = -1, .retention_bytes = -1}));
  }
}

}  // namespace tidegate::storage::seaweedmq
