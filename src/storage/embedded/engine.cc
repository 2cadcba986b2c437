#include "engine.h"

#include <sys/resource.h>

#include "data_dir.h"
#include "keys.h"
#include "layout.h"
#include "tidegate/base/module_log.h"
#include "tidegate/base/uuid.h"
#include "tidegate/protocol/record_batch.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage {

std::unique_ptr<Engine> make_embedded_engine(EmbeddedOptions options, ShardPool& shards, BlockingPool& pool,
                                             const Clock& clock, Rng& rng, MetricRegistry& metrics) {
  while (options.data_dir.size() > 1 && options.data_dir.ends_with('/')) options.data_dir.pop_back();
  // Sockets need descriptors too.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur != RLIM_INFINITY) {
    options.open_file_limit = std::min<std::size_t>(options.open_file_limit, descriptors.rlim_cur / 2);
  }
  auto kv = embedded::make_rocks_kv(options.data_dir + "/meta",
                                    {.unsynced_writes = options.flush != FlushPolicy::ack});
  return std::make_unique<embedded::EmbeddedEngine>(std::move(options), shards, pool, clock, rng, metrics,
                                                    embedded::make_posix_vfs(), std::move(kv));
}

}  // namespace tidegate::storage

namespace tidegate::storage::embedded {

EmbeddedEngine::EmbeddedEngine(EmbeddedOptions options, ShardPool& shards, BlockingPool& pool,
                               const Clock& clock, Rng& rng, MetricRegistry& metrics,
                               std::unique_ptr<Vfs> vfs, std::unique_ptr<Kv> kv)
    : context_(std::move(options), std::move(vfs), std::move(kv), pool, clock, metrics),
      shards_(shards),
      rng_(rng),
      topics_(context_, [this](std::vector<TopicId> ids) { return close_topics(std::move(ids)); }),
      meta_(context_) {
  const std::size_t cache = context_.options.tail_cache_bytes / shards.size();
  for (unsigned i = 0; i < shards.size(); ++i) {
    on_shards_.push_back(std::make_unique<OnShard>(shards.at(i), context_, cache));
  }
}

EmbeddedEngine::~EmbeddedEngine() = default;

Health EmbeddedEngine::health() const {
  if (ready_.load()) return {.ready = true};
  return {.ready = false, .reason = not_ready_};
}

Capabilities EmbeddedEngine::capabilities() const { return {.durable = true, .compaction = true}; }

// ------------------------------------------------------------------------------------------- start

Result<void> EmbeddedEngine::open_metadata() {
  auto lock = take_data_dir(*context_.vfs, context_.options.data_dir);
  if (!lock) return fail(std::move(lock.error()));
  lock_ = std::move(*lock);
  if (auto opened = context_.kv->open(); !opened) {
    return fail(opened.error().code,
                "data directory " + context_.options.data_dir + ": " + opened.error().message);
  }
  kv_open_ = true;
  if (auto taken = take_cluster_id(); !taken) return taken;
  if (auto loaded = topics_.load(); !loaded) return loaded;
  if (auto loaded = context_.facts.load(); !loaded) return loaded;
  RunMark run;
  run.shows_unsynced = context_.options.flush != FlushPolicy::ack;
  if (const auto boot = context_.vfs->boot_id()) {
    run.boot = std::max(protocol::crc32c(as_bytes(*boot)), 1U);
  } else {
    module_log().warn("event=boot_id_unknown error=\"{}\"", boot.error().text());
  }
  if (auto opened = context_.slots.open(*context_.vfs, context_.options.data_dir, run); !opened) {
    return fail(storage_error("data directory " + context_.options.data_dir + ": slots", opened.error()));
  }
  return {};
}

Result<void> EmbeddedEngine::take_cluster_id() {
  auto stored = context_.kv->get(keys::kClusterId);
  if (!stored) return fail(std::move(stored.error()));
  if (*stored) {
    cluster_id_ = **stored;
    return {};
  }
  cluster_id_ = random_uuid(rng_).to_string();
  const KvOp op{std::string(keys::kClusterId), cluster_id_};
  return context_.kv->write({&op, 1}, true);
}

namespace {

// Recovery of several partitions side by side; ends on the shard that began it.
struct RecoveryRound {
  std::vector<PartitionId> ids;
  std::atomic<std::size_t> next{0};
  std::atomic<unsigned> workers{0};
};

void recover_some(EngineContext& context, RecoveryRound& round) {
  for (std::size_t i = round.next.fetch_add(1); i < round.ids.size(); i = round.next.fetch_add(1)) {
    const PartitionId& id = round.ids[i];
    auto recovered = recover_log(context, id);
    if (recovered) continue;
    // The others serve; this one says the same when it is opened.
    module_log().error("event=recovery_failed topic_id={} partition={} error=\"{}\"", id.topic.to_string(),
                       id.index, recovered.error().message);
  }
}

}  // namespace

Task<void> EmbeddedEngine::recover_dirty() {
  constexpr unsigned kWorkers = 4;
  auto round = std::make_shared<RecoveryRound>();
  for (const PartitionId& id : context_.slots.partitions(SlotState::dirty)) {
    if (id.index < topics_.partitions(id.topic)) round->ids.push_back(id);
  }
  if (round->ids.empty()) co_return;
  module_log().info("event=recovery partitions={}", round->ids.size());
  Shard* shard = Shard::current();
  auto resume = std::make_shared<Resume>();
  auto park = [this, round, shard, resume](Resume wake) {
    *resume = std::move(wake);
    round->workers = kWorkers;
    for (unsigned i = 0; i < kWorkers; ++i) {
      context_.pool.post(Lane::disk_read, [this, round, shard, resume] {
        recover_some(context_, *round);
        if (round->workers.fetch_sub(1) != 1) return;
        shard->post([resume] {
          Resume now = std::move(*resume);
          now();
        });
      });
    }
  };
  co_await suspend(park);
  // What a slot says of the power cut behind it has been dealt with, and must not come back with the next.
  auto sync = [this] {
    if (auto synced = context_.slots.sync(); !synced)
      module_log().warn("event=slots_sync error=\"{}\"", synced.error().text());
  };
  co_await context_.pool.run(Lane::log_sync, std::move(sync));
}

Task<Result<void>> EmbeddedEngine::start() {
  const MonoTime begin = context_.clock.now();
  start_wall_ms_ = context_.clock.wall_ms();
  start_time_ = begin;
  auto work = [this] { return open_metadata(); };
  if (auto opened = co_await context_.pool.run(Lane::metadata, std::move(work)); !opened) {
    not_ready_ = opened.error().message;
    if (std::exchange(kv_open_, false)) context_.kv->close();
    lock_.reset();
    co_return opened;
  }
  co_await recover_dirty();
  meta_.set_open(true);
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto open = [this, i] {
      on_shards_[i]->running = true;
      arm_flush(*on_shards_[i]);
    };
    co_await submit_to(shards_.at(i), std::move(open));
  }
  ready_ = true;
  module_log().info("event=engine_started engine=embedded data_dir={} milliseconds={}",
                    context_.options.data_dir, (context_.clock.now() - begin).count() / 1'000'000);
  co_return Result<void>();
}

// -------------------------------------------------------------------------------------------- logs

Result<EmbeddedEngine::Opened> EmbeddedEngine::open_files(const PartitionId& id, const LogConfig& config) {
  auto recovered = recover_log(context_, id);
  if (!recovered) return fail(std::move(recovered.error()));
  Opened opened;
  opened.log = std::move(*recovered);
  if (opened.log.segments.empty() || opened.log.must_roll) return opened;
  const FoundSegment& active = opened.log.segments.back();
  const std::string dir = layout::partition_dir(context_.options.data_dir, id);
  IndexSource source;
  source.log_path = layout::segment_path(dir, active.base);
  source.index_path = layout::index_path(dir, active.base);
  source.base = active.base;
  source.end_offset = active.end;
  source.size = active.size;
  source.interval_bytes = index_interval(config);
  source.epochs = opened.log.epochs;
  auto file = context_.vfs->open(source.log_path, OpenMode::existing);
  if (!file) return fail(storage_error("log " + dir, file.error()));
  auto index = IndexFile::load(*context_.vfs, **file, source);
  if (!index) return fail(storage_error("index of " + dir, index.error()));
  opened.active_index = std::move(*index);
  return opened;
}

Task<Result<std::shared_ptr<PartitionLog>>> EmbeddedEngine::partition(PartitionId id, LogConfig config) {
  using Opening = Result<std::shared_ptr<PartitionLog>>;
  OnShard& on = *on_shards_[Shard::current()->index()];
  // Whoever opens it first does; the others wait for that.
  while (on.opening.contains(id)) co_await on.opened.wait();
  if (!on.running) co_return Opening(fail(ErrorCode::kafka_storage_error, "the engine is not running"));
  if (const auto found = on.logs.find(id); found != on.logs.end()) co_return Opening(found->second);
  const auto gone = [&] { return id.index < 0 || id.index >= topics_.partitions(id.topic); };
  if (gone()) co_return Opening(fail(ErrorCode::unknown_topic_or_partition, "there is no such partition"));
  // A partition that was never written costs one look for its directory. A missing slot proves nothing:
  // it may have been lost with the power.
  on.opening.insert(id);
  auto work = [this, id, config] { return open_files(id, config); };
  Result<Opened> opened = co_await context_.pool.run(Lane::disk_read, std::move(work));
  on.opening.erase(id);
  on.opened.notify_all();
  if (!opened) co_return Opening(fail(std::move(opened.error())));
  if (!on.running) co_return Opening(fail(ErrorCode::kafka_storage_error, "the engine is not running"));
  if (gone()) co_return Opening(fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted"));
  auto log = std::make_shared<EmbeddedLog>(on.logs_of, id, config, std::move(opened->log),
                                           std::move(opened->active_index));
  on.logs[id] = log;
  co_return Opening(std::move(log));
}

void EmbeddedEngine::apply_config(PartitionId id, LogConfig config) {
  OnShard& on = *on_shards_[Shard::current()->index()];
  if (const auto found = on.logs.find(id); found != on.logs.end()) found->second->apply_config(config);
}

bool EmbeddedEngine::forget_topics_on_shard(unsigned index, const std::unordered_set<TopicId>& ids) {
  OnShard& on = *on_shards_[index];
  std::erase_if(on.logs, [&](auto& entry) {
    if (!ids.contains(entry.first.topic)) return false;
    entry.second->remove();
    on.removed.push_back(entry.second);
    return true;
  });
  return true;
}

Task<void> EmbeddedEngine::close_topics(std::vector<TopicId> ids) {
  const auto gone = std::make_shared<const std::unordered_set<TopicId>>(ids.begin(), ids.end());
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto forget = [this, i, gone] { return forget_topics_on_shard(i, *gone); };
    co_await submit_to(shards_.at(i), std::move(forget));
  }
}

}  // namespace tidegate::storage::embedded
