#include "engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "format/filer_rules.h"
#include "format/names.h"
#include "log/others_log.h"
#include "tidegate/base/module_log.h"
#include "tidegate/base/uuid.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr const char* kClusterEntry = "cluster";
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(2);

TopicDefaults with_brokers(TopicDefaults defaults, BackendSource& source) {
  defaults.brokers = source.brokers() != nullptr;
  return defaults;
}
}  // namespace

SeaweedmqEngine::SeaweedmqEngine(EngineOptions options, std::unique_ptr<BackendSource> source,
                                 ShardPool& shards, const Clock& clock, Rng& rng, MetricRegistry& metrics)
    : source_(std::move(source)),
      patient_(options.wait_for_backend),
      shares_(options.shares),
      process_(options.process),
      broker_options_(options.broker),
      path_(options.topics.path),
      streams_missing_after_(options.streams_missing_after),
      shards_(shards),
      clock_(clock),
      rng_(rng),
      metrics_(metrics),
      stream_watch_(metrics, clock),
      foreign_gateway_(metrics),
      budget_(options.direct.metadata_writes_per_second),
      instance_(random_uuid(rng).to_string()),
      entries_(source_->backend().filer, instance_),
      session_(source_->backend(), entries_, shards, clock, instance_, options.lease,
               options.process_has_ended),
      fences_(source_->backend(), shards, session_),
      cluster_([this](unsigned shard) {
        const auto fence = fences_.at(shard);
        return fence->holds() ? fence->epoch() + 1 : 0;
      }),
      topics_(
          source_->backend().filer, entries_, clock, with_brokers(options.topics, *source_),
          [this] { return random_uuid(rng_); }, [this](TopicId id) { return close_topic(id); },
          [this](TopicRecord record) { return configure_topic(std::move(record)); }),
      meta_(source_->backend().filer, entries_, shards, std::move(options.positions)) {
  const Backend backend = source_->backend();
  for (unsigned i = 0; i < shards.size(); ++i) {
    auto home = std::make_unique<LogShard>(shards.at(i), backend, clock, rng.next(), options.direct, metrics_,
                                           budget_, options.tail_cache_bytes / shards.size(),
                                           options.chunk_cache_bytes / shards.size());
    on_shards_.push_back(std::make_unique<OnShard>(std::move(home)));
  }
}

SeaweedmqEngine::~SeaweedmqEngine() = default;

void SeaweedmqEngine::set_rebuilder(ValueRebuilder* rebuilder) {
  rebuilder_ = rebuilder;
  for (const auto& on : on_shards_) on->logs_of->chunks.use(rebuilder);
}

Health SeaweedmqEngine::health() const {
  if (!ready_.load()) return {.ready = false, .reason = not_ready_};
  std::string missing = source_->missing();
  if (missing.empty()) {
    const std::lock_guard lock(rules_mutex_);
    missing = rules_trouble_;
  }
  if (missing.empty()) missing = brokers_missing();
  return {.ready = missing.empty(), .reason = std::move(missing)};
}

Capabilities SeaweedmqEngine::capabilities() const {
  return {.durable = true,
          .compaction = true,
          .epoch_per_start = true,
          .shares_topics = true,
          .write_paths = topics_.write_paths()};
}

// ------------------------------------------------------------------------------------------- start

Task<Result<void>> SeaweedmqEngine::take_cluster_id() {
  const std::string directory(paths::kMeta);
  const std::string fresh = random_uuid(rng_).to_string();
  auto found = co_await entries_.get(directory, kClusterEntry);
  if (!found) co_return fail(std::move(found.error()));
  if (found->etag.empty()) {
    auto made = co_await entries_.put(directory, kClusterEntry, "", fresh);
    if (!made) co_return fail(std::move(made.error()));
    // Several gateways may start at once: what is there then counts for all.
    found = co_await entries_.get(directory, kClusterEntry);
    if (!found) co_return fail(std::move(found.error()));
  }
  if (!Uuid::parse(found->content)) {
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("{}/{} holds no cluster id", directory, kClusterEntry));
  }
  cluster_id_ = found->content;
  co_return Result<void>{};
}

Task<Result<void>> SeaweedmqEngine::check_filer_rules() {
  const Backend backend = source_->backend();
  const auto entry = co_await backend.filer.lookup(kFilerRulesDirectory, kFilerRulesEntry);
  if (!entry) co_return fail(entry.error());
  if (!*entry) co_return Result<void>{};
  std::string json = (*entry)->content;
  for (const Chunk& chunk : (*entry)->chunks) {
    const auto bytes = co_await backend.volumes.download(chunk.file_id, 0, chunk.size_bytes);
    if (!bytes) co_return fail(bytes.error());
    if (*bytes) json.append(reinterpret_cast<const char*>((*bytes)->data()), (*bytes)->size());
  }
  const auto rules = ttl_rules(json, paths::kNamespace);
  if (!rules) {
    // The filer cannot read it either, and goes on without.
    module_log().warn("event=filer_rules_unreadable entry={}/{} error=\"{}\"", kFilerRulesDirectory,
                      kFilerRulesEntry, rules.error().message);
    co_return Result<void>{};
  }
  if (rules->empty()) co_return Result<void>{};
  const TtlRule& first = rules->front();
  co_return fail(
      ErrorCode::invalid_config,
      fmt::format("SeaweedFS has a TTL of {} on '{}' (fs.configure), which would delete records and topics; "
                  "take it away: fs.configure -locationPrefix={} -delete -apply",
                  first.ttl, first.location_prefix, first.location_prefix));
}

// Files that are written while such a rule is there expire, whatever becomes of it.
Task<void> SeaweedmqEngine::watch_filer_rules() {
  const auto good = co_await check_filer_rules();
  if (!good && good.error().code != ErrorCode::invalid_config) co_return;  // the filer is away
  const std::string trouble = good ? std::string() : good.error().message;
  const std::lock_guard lock(rules_mutex_);
  if (!trouble.empty() && trouble != rules_trouble_)
    module_log().error("event=filer_rules_endanger_data error=\"{}\"", trouble);
  rules_trouble_ = trouble;
}

Task<Result<void>> SeaweedmqEngine::come_up() {
  if (auto good = co_await check_filer_rules(); !good) co_return good;
  if (auto taken = co_await take_cluster_id(); !taken) co_return taken;
  if (auto looked = co_await fences_.look(shares_); !looked) co_return looked;
  auto listed = co_await topics_.list();
  if (!listed) co_return fail(std::move(listed.error()));
  co_await foreign_gateway_.look(source_->locks());
  co_return co_await session_.open();
}

// What is there and cannot be used is for the operator; what is not there may come.
Task<Result<void>> SeaweedmqEngine::wait_and_come_up() {
  for (Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto up = co_await come_up();
    if (up || given_up_ || !patient_ || up.error().code != ErrorCode::kafka_storage_error) co_return up;
    const std::string missing = source_->missing();
    not_ready_ = missing.empty() ? up.error().message : missing;
    if (pause == kFirstPause)
      module_log().warn("event=engine_waits missing=\"{}\" error=\"{}\"", missing, up.error().message);
    co_await start_changed_.wait_until(Shard::current()->timers(), clock_.now() + pause);
    if (given_up_)
      co_return fail(ErrorCode::kafka_storage_error, "stopped before the storage was there: " + not_ready_);
  }
}

Task<void> SeaweedmqEngine::stop_waiting() {
  if (!starting_) co_return;
  given_up_ = true;
  start_changed_.notify_all();
  co_await source_->close();  // ends the calls that are under way
  while (starting_) co_await start_changed_.wait();
}

Task<Result<void>> SeaweedmqEngine::start() {
  start_time_ = clock_.now();
  start_wall_ms_ = clock_.wall_ms();
  starting_ = true;
  source_->on_ring_change([this] {
    module_log().warn("event=ring_of_filers_changed advice=\"leases are dropped and taken anew\"");
    metrics_.ring_changes.add();
    session_.start_anew();
  });
  not_ready_ = "looking for SeaweedFS";
  auto up = co_await source_->open();
  const bool opened = up.has_value();
  if (opened) up = co_await wait_and_come_up();
  if (!up && opened && !given_up_) co_await source_->close();
  if (up && given_up_) up = fail(ErrorCode::kafka_storage_error, "stopped while it started");
  starting_ = false;
  start_changed_.notify_all();
  if (!up) co_return up;
  cluster_.set_cluster_id(cluster_id_);
  cluster_.update(session_.members());
  session_.keep([this] { return after_renewal(); });
  meta_.set_open(true);
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto open = [this, i] { on_shards_[i]->running = true; };
    co_await submit_to(shards_.at(i), open);
  }
  ready_ = true;
  module_log().info("event=engine_started engine=seaweedmq cluster_id={} milliseconds={}", cluster_id_,
                    (clock_.now() - start_time_).count() / 1'000'000);
  co_return Result<void>{};
}

// -------------------------------------------------------------------------------------------- logs

Task<Result<std::shared_ptr<PartitionLog>>> SeaweedmqEngine::partition(PartitionId id, LogConfig config) {
  OnShard& on = *on_shards_[Shard::current()->index()];
  // Whoever opens it first does; the others wait for that.
  while (on.opening.contains(id)) co_await on.opened.wait();
  if (!on.running) co_return fail(ErrorCode::kafka_storage_error, "the engine is not running");
  if (const auto found = on.logs.find(id); found != on.logs.end()) {
    found->second->apply_config(config);
    co_return found->second;
  }
  if (!may_lead(id)) co_return fail(ErrorCode::not_leader_or_follower, "the partition has another leader");
  on.opening.insert(id);
  auto opened = co_await open_log(id, config);
  on.opening.erase(id);
  on.opened.notify_all();
  if (!opened) co_return fail(std::move(opened.error()));
  if (!on.running) co_return fail(ErrorCode::kafka_storage_error, "the engine is not running");
  if (!topics_.find(id)) co_return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
  on.logs[id] = *opened;
  co_return std::move(*opened);
}

Task<SeaweedmqEngine::Opening> SeaweedmqEngine::open_log(PartitionId id, LogConfig config) {
  const auto record = topics_.find(id);
  if (!record) co_return fail(ErrorCode::unknown_topic_or_partition, "there is no such partition");
  auto ownership = co_await fences_.acquire(id);
  if (!ownership) co_return fail(std::move(ownership.error()));
  // Whoever owned it before has stored by now whatever it did, and before that what it takes to read it.
  if (rebuilder_ != nullptr && topics_.may_have_columns(id.topic)) {
    if (auto prepared = co_await rebuilder_->prepare(id.topic); !prepared)
      co_return fail(std::move(prepared.error()));
  }
  if (record->path == WritePath::broker && (!record->by_others || record->shared))
    co_return co_await open_broker_log(*record, id, config, std::move(*ownership));
  LogPlace place{.id = id,
                 .directory = paths::partition_dir(record->topic.name, record->generation_ns,
                                                   ring_range(id.index, record->slots)),
                 .layout = record->layout};
  LogShard& home = *on_shards_[Shard::current()->index()]->logs_of;
  if (record->by_others) {
    OthersLog::Options options;
    if (source_->brokers() != nullptr) {
      options.wants_to_write = [this, topic = id.topic] {
        Shard::current()->spawn(share_topic(topic), "seaweedmq share");
      };
    }
    co_return co_await OthersLog::open(home, std::move(place.directory), std::move(*ownership),
                                       std::move(options));
  }
  auto opened = co_await DirectLog::open(home, std::move(place), config, std::move(*ownership));
  if (!opened) co_return fail(std::move(opened.error()));
  co_return std::move(*opened);
}

void SeaweedmqEngine::apply_config(PartitionId id, LogConfig config) {
  OnShard& on = *on_shards_[Shard::current()->index()];
  if (const auto found = on.logs.find(id); found != on.logs.end()) found->second->apply_config(config);
}

Task<void> SeaweedmqEngine::close_topic(TopicId id) {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto forget = [this, i, id] {
      OnShard& on = *on_shards_[i];
      std::erase_if(on.logs, [&](auto& entry) {
        if (entry.first.topic != id) return false;
        entry.second->remove();
        on.removed.push_back(entry.second);
        return true;
      });
    };
    co_await submit_to(shards_.at(i), forget);
  }
}

// -------------------------------------------------------------------------------------------- care

// Ages of records count with the clock that falls behind: neither a jump of the wall clock forwards nor one
// backwards makes anything older than it is.
std::int64_t SeaweedmqEngine::age_now_ms() const {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - start_time_);
  return std::min<std::int64_t>(clock_.wall_ms(), start_wall_ms_ + elapsed.count());
}

Task<void> SeaweedmqEngine::keep_shard(unsigned index, std::int64_t age) {
  OnShard& on = *on_shards_[index];
  std::vector<std::shared_ptr<EngineLog>> logs;
  logs.reserve(on.logs.size());
  for (const auto& [id, log] : on.logs) logs.push_back(log);
  for (const auto& log : logs) {
    if (!on.running) co_return;
    co_await log->keep_house(age);
  }
}

Task<void> SeaweedmqEngine::housekeeping() {
  if (!ready_.load()) co_return;
  co_await watch_filer_rules();
  co_await foreign_gateway_.look(source_->locks());
  const std::int64_t age = age_now_ms();
  bool busy = false;
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto keep = [this, i, age] { return keep_shard(i, age); };
    co_await submit_to(shards_.at(i), keep);
    auto look = [this, i] {
      auto& removed = on_shards_[i]->removed;
      std::erase_if(removed, [](const auto& log) { return log->is_idle() && !log->keeps_stream(); });
      return std::ranges::any_of(removed, [](const auto& log) { return !log->is_idle(); });
    };
    busy |= co_await submit_to(shards_.at(i), look);
  }
  // A write that is under way could make a directory anew that is being deleted.
  if (!busy && ready_.load()) co_await topics_.delete_remains();
}

Task<void> SeaweedmqEngine::close_shard(unsigned index) {
  OnShard& on = *on_shards_[index];
  on.running = false;
  while (!on.opening.empty()) co_await on.opened.wait();
  const Error why{ErrorCode::kafka_storage_error, "the engine is stopping"};
  // A copy: what closes waits, and the map is to be touched by nobody then.
  const auto logs = std::exchange(on.logs, {});
  for (const auto& [id, log] : logs) co_await log->close(why);
  for (const auto& log : std::exchange(on.removed, {})) co_await log->close(why);
}

Task<void> SeaweedmqEngine::stop() {
  ready_ = false;
  not_ready_ = "stopped";
  meta_.set_open(false);
  while (share_round_ || streams_round_ || topic_shares_ > 0) co_await share_round_ended_.wait();
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto close = [this, i] { return close_shard(i); };
    co_await submit_to(shards_.at(i), close);
  }
  co_await meta_.drain();
  co_await session_.close();
  co_await source_->close();
}

}  // namespace tidegate::storage::seaweedmq
