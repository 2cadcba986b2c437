#include "compaction/compaction.h"

#include <algorithm>
#include <utility>

#include "schema_check.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/let_others_run.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

// Logs that hold data and that nobody has opened since the start, a shard and round.
constexpr std::size_t kOpenAtOnce = 100;
// A shard does other things after so many looks.
constexpr std::size_t kLooksAtOnce = 32;
// The map may be too small for all that is dirty: then it takes several passes. What is left after so many
// waits for the next round.
constexpr int kMaxPasses = 64;
constexpr std::chrono::minutes kPauseAfterFailure{5};

unsigned workers_of(const BrokerParts& parts) {
  return static_cast<unsigned>(parts.config.integer("log.cleaner.threads"));
}

// What Kafka's key counts; a limit above that of the machine means none.
double rate_of(const BrokerParts& parts) {
  return std::max(parts.config.number("log.cleaner.io.max.bytes.per.second"), 1.0);
}

}  // namespace

Compaction::Metrics::Metrics(MetricRegistry& registry, const std::shared_ptr<const Shown>& shown)
    : read_bytes(registry.counter("tidegate_broker_compaction_read_bytes_total",
                                  "Record bytes that compaction read")),
      written_bytes(registry.counter("tidegate_broker_compaction_written_bytes_total",
                                     "Record bytes that compaction wrote")),
      dropped_records(registry.counter("tidegate_broker_compaction_dropped_records_total",
                                       "Records that compaction left out")),
      cleanings(registry.counter("tidegate_broker_compaction_cleaned_partitions_total",
                                 "Cleanings of a partition that ended well")),
      failures(registry.counter("tidegate_broker_compaction_failures_total",
                                "Times that a partition could not be cleaned, or not be looked at for it")),
      running(registry.gauge("tidegate_broker_compaction_running_partitions",
                             "Partitions that are being cleaned")),
      paused(registry.gauge("tidegate_broker_compaction_paused_partitions",
                            "Partitions that are left alone for some minutes after a failure")),
      pass_time(registry.histogram("tidegate_broker_compaction_pass_seconds",
                                   "Time that one pass over a partition took")) {
  registry.gauge_callback("tidegate_broker_compaction_dirty_ratio_max",
                          "Share of dirty bytes in the dirtiest compacted log at the last look", {},
                          [shown] { return shown->highest_ratio.load(); });
  registry.gauge_callback(
      "tidegate_broker_compaction_dirty_bytes",
      "Bytes of all compacted logs' closed segments that were not compacted at the last look", {},
      [shown] { return static_cast<double>(shown->dirty_bytes.load()); });
  registry.gauge_callback("tidegate_broker_compaction_last_run_timestamp_seconds",
                          "When the last cleaning of a partition ended, in seconds since 1970; 0: never", {},
                          [shown] { return static_cast<double>(shown->last_run_ms.load()) / 1000.0; });
}

Compaction::Compaction(const BrokerParts& parts, TopicCatalogue& topics, PartitionTables& tables)
    : parts_(parts),
      topics_(topics),
      tables_(tables),
      backoff_(std::chrono::milliseconds(parts.config.integer("log.cleaner.backoff.ms"))),
      workers_(workers_of(parts)),
      throttle_(parts.clock, rate_of(parts)),
      secret_{.first = parts.rng.next(), .second = parts.rng.next()},
      failure_lines_(parts.clock, 0.1, 10),
      metrics_(parts.metrics, shown_) {}

void Compaction::start() {
  start_wall_ms_ = parts_.clock.wall_ms();
  start_time_ = parts_.clock.now();
  if (!parts_.config.boolean("log.cleaner.enable") || !parts_.engine.capabilities().compaction) return;
  for (unsigned i = 0; i < workers_; ++i) {
    ++running_;
    parts_.shards.at(0).spawn(work(), "log compaction");
  }
}

Task<bool> Compaction::stop(MonoTime deadline) {
  throttle_.stop();
  wake_.notify_all();
  Timers& timers = parts_.shards.at(0).timers();
  while (running_ > 0) {
    if (!co_await ended_.wait_until(timers, deadline)) co_return running_ == 0;
  }
  co_return true;
}

std::int64_t Compaction::now_ms() const {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - start_time_);
  return std::min(parts_.clock.wall_ms(), start_wall_ms_ + elapsed.count());
}

Task<void> Compaction::work() {
  while (!throttle_.stopped()) {
    const auto candidate = co_await pick();
    if (throttle_.stopped()) break;
    if (!candidate) {
      static_cast<void>(
          co_await wake_.wait_until(parts_.shards.at(0).timers(), parts_.clock.now() + backoff_));
      continue;
    }
    metrics_.running.add(1);
    auto work = [this, id = candidate->id] { return clean(id); };
    const unsigned owner = storage::owner_shard(candidate->id, parts_.shards.size());
    const auto cleaned = co_await submit_to(parts_.shards.at(owner), std::move(work));
    metrics_.running.add(-1);
    busy_.erase(candidate->id);
    if (!cleaned && !throttle_.stopped()) failed(candidate->id, cleaned.error());
  }
  --running_;
  ended_.notify_all();
}

void Compaction::failed(const PartitionId& id, const Error& error) {
  const CatalogueTopicPtr topic = topics_.find(id.topic);
  if (!topic) return;  // deleted meanwhile
  metrics_.failures.add();
  not_before_[id] = parts_.clock.now() + kPauseAfterFailure;
  metrics_.paused.set(static_cast<std::int64_t>(not_before_.size()));
  std::uint64_t suppressed = 0;
  if (!failure_lines_.allow(suppressed)) return;
  module_log().warn(
      "event=compaction_failed topic={} partition={} pause_seconds={} error=\"{}\" suppressed={}",
      topic->topic.name, id.index, std::chrono::seconds(kPauseAfterFailure).count(), error.message,
      suppressed);
}

void Compaction::forget_old_failures() {
  std::erase_if(not_before_, [now = parts_.clock.now()](const auto& entry) { return entry.second <= now; });
  metrics_.paused.set(static_cast<std::int64_t>(not_before_.size()));
}

Task<std::optional<Compaction::Candidate>> Compaction::pick() {
  forget_old_failures();
  std::set<PartitionId> skip = busy_;
  for (const auto& [id, when] : not_before_) skip.insert(id);
  std::optional<Candidate> best;
  double highest = 0;
  std::size_t dirty_bytes = 0;
  for (unsigned i = 0; i < parts_.shards.size() && !throttle_.stopped(); ++i) {
    auto look = [this, skip] { return survey(skip); };
    const Survey there = co_await submit_to(parts_.shards.at(i), std::move(look));
    highest = std::max(highest, there.highest_ratio);
    dirty_bytes += there.dirty_bytes;
    for (const auto& [id, error] : there.failures) failed(id, error);
    if (there.dirtiest && (!best || there.dirtiest->ratio > best->ratio)) best = there.dirtiest;
  }
  shown_->highest_ratio = highest;
  shown_->dirty_bytes = dirty_bytes;
  // Another worker may have taken it while this one looked on.
  if (best && !busy_.insert(best->id).second) best.reset();
  co_return best;
}

Task<Compaction::Survey> Compaction::survey(std::set<PartitionId> skip) {
  const unsigned shard = Shard::current()->index();
  Survey found;
  std::optional<std::unordered_set<PartitionId>> with_data;
  std::size_t looks = 0;
  std::size_t opened = 0;
  for (const CatalogueTopicPtr& topic : topics_.list()) {
    if (!topic->settings.log.cleanup_compact) continue;
    for (std::int32_t i = 0; i < topic->topic.partitions && !throttle_.stopped(); ++i) {
      const PartitionId id{topic->topic.id, i};
      if (storage::owner_shard(id, parts_.shards.size()) != shard || skip.contains(id)) continue;
      if (++looks % kLooksAtOnce == 0) co_await let_others_run();
      const auto partition = co_await find_log(id, with_data, opened);
      if (!partition) found.failures.emplace_back(id, partition.error());
      if (!partition || !*partition) continue;
      const auto dirty = co_await assess(*partition);
      if (!dirty) found.failures.emplace_back(id, dirty.error());
      if (!dirty || !*dirty) continue;
      const DirtyLog& log = **dirty;
      found.dirty_bytes += log.bytes;
      found.highest_ratio = std::max(found.highest_ratio, log.ratio);
      if (!log.due((*partition)->settings().compaction.min_dirty_ratio)) continue;
      if (!found.dirtiest || log.ratio > found.dirtiest->ratio)
        found.dirtiest = Candidate{.id = id, .ratio = log.ratio};
    }
  }
  co_return found;
}

Task<Result<PartitionPtr>> Compaction::find_log(PartitionId id,
                                                std::optional<std::unordered_set<PartitionId>>& with_data,
                                                std::size_t& opened) {
  PartitionTable& table = tables_.local();
  PartitionPtr partition = table.peek(id);
  if (partition && partition->is_open()) co_return partition;
  if (!with_data) {
    const auto ids = parts_.engine.partitions_with_data();
    with_data.emplace(ids.begin(), ids.end());
  }
  if (!with_data->contains(id) || opened >= kOpenAtOnce) co_return nullptr;
  ++opened;
  co_return co_await table.find_open(id);
}

Task<Result<std::optional<DirtyLog>>> Compaction::assess(PartitionPtr partition) {
  if (!partition->cleaned) {
    auto stored = co_await load_checkpoint(parts_.engine.meta(), partition->id);
    if (!stored) co_return fail(std::move(stored.error()));
    partition->cleaned = stored->value_or(CleanerCheckpoint());
  }
  const auto open_transaction = partition->producers.table().first_open_transaction();
  const Offset stable_end =
      std::min(partition->readable_end(), open_transaction.value_or(partition->readable_end()));
  co_return co_await assess_log(partition->log, partition->cleaned->apply(*partition->log), stable_end,
                                partition->settings().compaction, now_ms());
}

SieveRules Compaction::rules_for(const Partition& partition) const {
  SieveRules rules;
  rules.now_ms = now_ms();
  rules.delete_retention_ms = partition.settings().compaction.delete_retention_ms;
  rules.limits.max_inflated_bytes = static_cast<std::size_t>(partition.settings().max_decompressed_bytes);
  const auto& table = partition.producers.table();
  const Offset final_end = partition.log->offsets().high_watermark;
  for (const std::int64_t producer : table.producer_ids()) {
    const producers::ProducerState* state = table.find(producer);
    if (state == nullptr) continue;
    // What is above may still be rolled back, and then the one in front is the last again.
    for (const producers::BatchMetadata& batch : state->remembered()) {
      if (batch.last_offset < final_end) rules.producer_ends[producer] = batch.last_offset;
    }
  }
  return rules;
}

Task<Result<void>> Compaction::clean(PartitionId id) {
  const PartitionPtr partition = tables_.local().peek(id);
  if (!partition || !partition->is_open()) co_return Result<void>();
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    if (partition->removed || !partition->settings().log.cleanup_compact) co_return Result<void>();
    const Offset log_start = partition->log->offsets().log_start;
    auto done = co_await clean_once(partition);
    if (partition->removed) co_return Result<void>();
    if (!done) {
      // Retention or DeleteRecords took away what was to be read: the next look sees what is left.
      if (partition->log->offsets().log_start != log_start) co_return Result<void>();
      co_return fail(std::move(done.error()));
    }
    if (*done) break;
  }
  metrics_.cleanings.add();
  shown_->last_run_ms = parts_.clock.wall_ms();
  co_return Result<void>();
}

// True when nothing dirty is left.
Task<Result<bool>> Compaction::clean_once(PartitionPtr partition) {
  const MonoTime begin = parts_.clock.now();
  auto dirty = co_await assess(partition);
  if (!dirty) co_return fail(std::move(dirty.error()));
  if (!*dirty) co_return true;
  const DirtyStretch stretch = (*dirty)->stretch;
  const StoredValuesOf stored_values = [this, topic = partition->id.topic](protocol::RecordBatch batch) {
    return retyped_values(parts_, topic, std::move(batch));
  };
  const CleaningMeans means{
      .blocking = parts_.blocking,
      .throttle = throttle_,
      .map_bytes =
          static_cast<std::size_t>(parts_.config.integer("log.cleaner.dedupe.buffer.size")) / workers_,
      .map_load = parts_.config.number("log.cleaner.io.buffer.load.factor"),
      .secret = secret_,
      .read_bytes = static_cast<std::size_t>(parts_.config.integer("log.cleaner.io.buffer.size")),
      .stored_values = stored_values};
  const LeaderEpoch epoch = partition->log->leader_epoch();
  auto report = co_await clean_partition(partition->log, stretch, rules_for(*partition), means);
  if (!report) co_return fail(std::move(report.error()));
  const Duration took = parts_.clock.now() - begin;
  metrics_.pass_time.record(static_cast<std::uint64_t>(took.count()));
  metrics_.read_bytes.add(report->bytes_read);
  metrics_.written_bytes.add(report->bytes_written);
  metrics_.dropped_records.add(report->records.records_dropped);
  module_log().info(
      "event=compaction topic={} partition={} first_dirty={} cleaned_to={} dirty_ratio={:.2f} bytes_read={} "
      "bytes_written={} records_kept={} records_dropped={} milliseconds={}",
      partition->topic->topic.name, partition->id.index, stretch.first_dirty, report->cleaned_to,
      (*dirty)->ratio, report->bytes_read, report->bytes_written, report->records.records_kept,
      report->records.records_dropped, took.count() / 1'000'000);
  const CleanerCheckpoint checkpoint{.first_dirty = report->cleaned_to, .epoch = epoch};
  partition->cleaned = checkpoint;
  if (partition->removed) co_return true;
  auto stored = co_await store_checkpoint(parts_.engine.meta(), partition->id, checkpoint);
  if (!stored) co_return fail(std::move(stored.error()));
  co_return report->cleaned_to >= stretch.end;
}

}  // namespace tidegate::broker
