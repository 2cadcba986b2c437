// What the engine does beside serving: flushing by interval, housekeeping, stopping.

#include "engine.h"
#include "layout.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
// With flush=os a log is synced now and then all the same, which bounds what recovery has to check.
constexpr Duration kOsSyncAge = std::chrono::seconds(60);
constexpr Duration kDrainStep = std::chrono::milliseconds(1);
}  // namespace

void EmbeddedEngine::arm_flush(OnShard& on) {
  if (context_.options.flush != FlushPolicy::interval) return;
  Timers& timers = on.logs_of.shard.timers();
  const auto interval = std::chrono::milliseconds(context_.options.flush_interval_ms);
  on.flush_timer = timers.arm(context_.clock.now() + interval, [this, &on] {
    on.flush_timer = kNoTimer;
    flush_dirty(on);
    arm_flush(on);
  });
}

void EmbeddedEngine::flush_dirty(OnShard& on) {
  auto dirty = std::exchange(on.logs_of.dirty, {});
  context_.metrics.dirty_partitions.add(-static_cast<std::int64_t>(dirty.size()));
  for (const auto& log : dirty) {
    log->left_dirty_list();
    log->request_sync();
  }
  if (meta_.take_unsynced()) {
    context_.pool.post(Lane::metadata, [this] {
      if (auto synced = context_.kv->sync(); !synced)
        module_log().error("event=metadata_sync error=\"{}\"", synced.error().message);
    });
  }
}

// Ages of records count with the clock that falls behind: neither a jump of the wall clock forwards nor
// one backwards makes anything older than it is.
std::int64_t EmbeddedEngine::age_now_ms() const {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(context_.clock.now() - start_time_);
  return std::min<std::int64_t>(context_.clock.wall_ms(), start_wall_ms_ + elapsed.count());
}

Task<void> EmbeddedEngine::keep_shard(unsigned index, std::int64_t age) {
  OnShard& on = *on_shards_[index];
  if (!on.running) co_return;
  std::vector<std::shared_ptr<EmbeddedLog>> logs;
  logs.reserve(on.logs.size());
  for (const auto& [id, log] : on.logs) logs.push_back(log);
  if (context_.options.flush == FlushPolicy::os) {
    for (const auto& log : on.logs_of.dirty) {
      if (context_.clock.now() - log->dirty_since() >= kOsSyncAge) {
        flush_dirty(on);
        break;
      }
    }
  }
  for (const auto& log : logs) {
    if (!on.running) co_return;
    log->delete_dropped(false);
    co_await log->retain(age);
  }
}

Task<void> EmbeddedEngine::housekeeping() {
  if (!ready_.load()) co_return;
  const std::int64_t age = age_now_ms();
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto keep = [this, i, age] { return keep_shard(i, age); };
    co_await submit_to(shards_.at(i), std::move(keep));
  }
  co_await delete_remains();
  auto sync = [this] { static_cast<void>(context_.slots.sync()); };
  co_await context_.pool.run(Lane::log_sync, std::move(sync));
}

Task<void> EmbeddedEngine::delete_remains() {
  const auto all = topics_.remains();
  for (const TopicRemains& remains : all) {
    bool busy = false;
    for (unsigned i = 0; i < shards_.size(); ++i) {
      auto look = [this, i] {
        auto& removed = on_shards_[i]->removed;
        bool under_way = false;
        for (const auto& log : removed) under_way |= !log->is_idle();
        if (!under_way) removed.clear();
        return under_way;
      };
      busy |= co_await submit_to(shards_.at(i), std::move(look));
    }
    if (busy) co_return;  // next time
    auto work = [this, remains] {
      const auto gone = remove_tree(*context_.vfs, layout::topic_dir(context_.options.data_dir, remains.id));
      if (!gone) {
        module_log().warn("event=topic_files_remain topic_id={} error=\"{}\"", remains.id.to_string(),
                          gone.error().text());
        return;
      }
      for (std::int32_t i = 0; i < remains.partitions; ++i) context_.slots.release({remains.id, i});
      // Nobody releases them once the remains are forgotten.
      if (auto synced = context_.slots.sync(); !synced) {
        module_log().warn("event=slots_sync error=\"{}\"", synced.error().text());
        return;
      }
      if (auto forgotten = topics_.forget_remains(remains.id); !forgotten) {
        module_log().warn("event=topic_remains error=\"{}\"", forgotten.error().message);
      }
    };
    co_await context_.pool.run(Lane::disk_read, std::move(work));
  }
}

Task<void> EmbeddedEngine::close_shard(unsigned index) {
  OnShard& on = *on_shards_[index];
  Shard& shard = on.logs_of.shard;
  on.running = false;
  if (on.flush_timer != kNoTimer) shard.timers().cancel(std::exchange(on.flush_timer, kNoTimer));
  flush_dirty(on);  // all at once: many together need one sync
  std::vector<std::shared_ptr<EmbeddedLog>> logs;
  for (const auto& [id, log] : on.logs) logs.push_back(log);
  for (const auto& log : logs) {
    co_await log->close();
    log->delete_dropped(true);
  }
  while (on.logs_of.jobs > 0 || !on.opening.empty())
    co_await shard.timers().sleep_until(context_.clock.now() + kDrainStep);
  on.logs.clear();
  on.removed.clear();
  on.logs_of.dirty.clear();
}

Task<void> EmbeddedEngine::stop() {
  if (!ready_.exchange(false)) co_return;
  not_ready_ = "stopped";
  meta_.set_open(false);
  for (unsigned i = 0; i < shards_.size(); ++i) {
    auto close = [this, i] { return close_shard(i); };
    co_await submit_to(shards_.at(i), std::move(close));
  }
  while (!meta_.idle()) co_await Shard::current()->timers().sleep_until(context_.clock.now() + kDrainStep);
  auto work = [this] {
    if (auto synced = context_.slots.sync(); !synced) {
      module_log().warn("event=slots_sync error=\"{}\"", synced.error().text());
    }
    if (auto synced = context_.kv->sync(); !synced)
      module_log().warn("event=metadata_sync error=\"{}\"", synced.error().message);
    context_.kv->close();
    context_.files.clear();
    lock_.reset();
  };
  co_await context_.pool.run(Lane::metadata, std::move(work));
  kv_open_ = false;
}

}  // namespace tidegate::storage::embedded
