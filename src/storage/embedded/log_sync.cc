// Durability: who waits for it, syncs without writes (interval, os, flush()), and what happens when a
// sync fails.
#include <algorithm>
#include <cerrno>

#include "embedded_log.h"
#include "layout.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
constexpr Duration kRepairPause = std::chrono::seconds(1);
constexpr std::size_t kProbeBytes = 4096;
}  // namespace

DurableEnd EmbeddedLog::written_place() const {
  if (segments_.empty()) return {.offset = written_end_, .segment = written_end_, .position = 0};
  return {.offset = written_end_, .segment = segments_.back()->base, .position = segments_.back()->size};
}

Task<Result<void>> EmbeddedLog::wait_durable(Offset end) {
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  if (end > log_end_) co_return fail(ErrorCode::kafka_storage_error, "the append was lost to a failed write");
  // Without a sync too: a repeat of a batch in flight must not be confirmed before the batch is written.
  const Stage stage = context_.options.flush == FlushPolicy::ack ? Stage::durable : Stage::written;
  if (end <= reached(stage)) co_return Result<void>();
  co_return co_await wait_until(end, stage);
}

Task<Result<void>> EmbeddedLog::flush() {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  if (broken_) co_return fail(broken_by_);
  if (written_end_ > durable_.offset) request_sync();
  co_return co_await wait_until(log_end_, Stage::durable);
}

Task<Result<void>> EmbeddedLog::wait_until(Offset end, Stage stage) {
  const auto self = shared_from_this();
  if (end <= reached(stage)) co_return Result<void>();
  DurableWaiter waiter;
  waiter.end = end;
  waiter.stage = stage;
  auto park = [this, &waiter](Resume resume) {
    waiter.resume = std::move(resume);
    waiters_.push_back(&waiter);
  };
  co_await suspend(park);
  if (waiter.error) co_return fail(std::move(*waiter.error));
  co_return Result<void>();
}

bool EmbeddedLog::sync_is_awaited() const {
  return std::any_of(waiters_.begin(), waiters_.end(),
                     [](const DurableWaiter* waiter) { return waiter->stage == Stage::durable; });
}

void EmbeddedLog::wake_waiters() {
  std::vector<Resume> resumes;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end > reached(waiter->stage)) return false;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  resume_all(std::move(resumes));
}

void EmbeddedLog::fail_waiters(Offset above, const Error& error) {
  std::vector<Resume> resumes;
  std::erase_if(waiters_, [&](DurableWaiter* waiter) {
    if (waiter->end <= above) return false;
    waiter->error = error;
    resumes.push_back(std::move(waiter->resume));
    return true;
  });
  resume_all(std::move(resumes));
}

void EmbeddedLog::wake_idle() {
  if (busy_ || syncing_ || repairing_ || !queue_.empty()) return;
  resume_all(std::exchange(idle_waiters_, {}));
}

void EmbeddedLog::request_sync() {
  if (broken_ || removed_) return;
  if (context_.options.flush == FlushPolicy::ack) return;  // every write job syncs
  if (syncing_) {
    sync_again_ = true;
    return;
  }
  if (unsynced_.empty()) return;
  syncing_ = true;
  auto job = std::make_unique<LogJob>();
  job->id = id_;
  job->dir = dir_;
  job->unsynced = std::exchange(unsynced_, {});
  job->sync_dirs = std::exchange(unsynced_names_, false);
  job->sync = true;
  job->slot_after = {.state = SlotState::dirty, .end = written_place()};
  job->slot_broken = {.state = SlotState::dirty, .end = durable_, .broken = true};
  ++home_.jobs;
  auto come_back = [self = shared_from_this()](std::unique_ptr<LogJob> done, JobOutcome outcome) mutable {
    Shard& shard = self->home_.shard;
    shard.post([self = std::move(self), held = std::move(done), result = std::move(outcome)]() mutable {
      --self->home_.jobs;
      self->on_sync_done(std::move(held), std::move(result));
    });
  };
  context_.syncer.submit(std::move(job), std::move(come_back));
}

void EmbeddedLog::on_sync_done(std::unique_ptr<LogJob> job, JobOutcome outcome) {
  syncing_ = false;
  if (!removed_) {
    if (outcome.kind == JobOutcome::Kind::done) {
      // A log that broke meanwhile did so in a write, and keeps what was written before.
      durable_ = job->slot_after.end;
      if (std::exchange(sync_again_, false) || sync_is_awaited()) request_sync();
      wake_waiters();
      start_repair();
    } else {
      break_log(storage_error("sync of " + dir_, outcome.error), durable_);
    }
  }
  wake_idle();
}

void EmbeddedLog::fail_appends(const Error& error) {
  std::vector<Resume> resumes;
  const auto fail_one = [&](QueuedAppend& append) {
    append.pending->error = error;
    append.pending->done = true;
    if (append.pending->resume) resumes.push_back(std::move(append.pending->resume));
  };
  for (QueuedAppend& append : in_job_) fail_one(append);
  for (QueuedAppend& append : queue_) fail_one(append);
  in_job_.clear();
  queue_.clear();
  queued_bytes_ = 0;
  const bool back = log_end_ != written_end_;
  log_end_ = written_end_;
  if (back) tell();
  resume_all(std::move(resumes));
  fail_waiters(written_end_, error);
}

void EmbeddedLog::break_log(const Error& error, DurableEnd to) {
  broken_ = true;
  broken_by_ = error;
  cut_to_ = to;
  module_log().error("event=log_broken topic_id={} partition={} back_to={} error=\"{}\"",
                     id_.topic.to_string(), id_.index, to.offset, error.message);
  cut_memory();
  // A job in flight still owns its appends; they fail when it comes back.
  if (!busy_) fail_appends(error);
  fail_waiters(to.offset, error);
  start_repair();
}

// Takes everything above the cut out of memory; nobody reads it any more.
void EmbeddedLog::cut_memory() {
  while (!segments_.empty() && segments_.back()->base >= cut_to_.offset &&
         segments_.back()->base != cut_to_.segment) {
    size_bytes_ -= segments_.back()->size;
    orphans_.push_back(segments_.back()->file);
    context_.files.forget(segments_.back()->file);
    segments_.pop_back();
  }
  if (!segments_.empty() && segments_.back()->base == cut_to_.segment) {
    Segment& last = *segments_.back();
    size_bytes_ -= last.size - cut_to_.position;
    last.size = cut_to_.position;
    last.end = cut_to_.offset;
    if (last.index) last.index->truncate(last.size);
    if (last.size == 0) {  // its name is needed for the file that follows
      orphans_.push_back(last.file);
      context_.files.forget(last.file);
      segments_.pop_back();
    }
  }
  if (tail_) home_.cache.drop_from(*tail_, cut_to_.offset);
  for (Cursor& cursor : cursors_) {
    if (cursor.offset > cut_to_.offset) cursor = Cursor();
  }
  const bool seen = high_watermark() > cut_to_.offset;
  written_end_ = cut_to_.offset;
  if (durable_.offset > written_end_) durable_ = cut_to_;
  // After a failed write what was written before is still to be synced.
  if (written_end_ <= durable_.offset) {
    unsynced_.clear();
    unsynced_names_ = false;
  }
  sync_again_ = false;
  if (seen) raise_epoch_at_repair_ = true;
  tell();
}

void EmbeddedLog::start_repair() {
  if (!broken_ || repairing_ || busy_ || syncing_ || removed_ || closing_) return;
  if (context_.clock.now() < retry_repair_) return;
  repairing_ = true;
  ++home_.jobs;
  home_.shard.spawn(repair(), "log repair");
}

namespace {

// Takes back on disk what was taken back in memory, and finds out whether a synced write works.
IoResult<void> repair_files(EngineContext& context, const std::string& dir,
                            const std::vector<FileRef>& orphans, const std::optional<FileRef>& cut,
                            std::uint64_t size) {
  for (const FileRef& orphan : orphans) {
    context.files.forget(orphan);
    const auto gone = context.vfs->unlink(orphan.path);
    if (!gone && gone.error().code != ENOENT) return gone;
  }
  if (cut) {
    // By another descriptor and never written again: what the page cache says of it is not believed.
    context.files.forget(*cut);
    auto file = context.vfs->open(cut->path, OpenMode::existing);
    if (!file) return std::unexpected(file.error());
    if (auto done = (*file)->truncate(size); !done) return done;
  }
  const std::string probe = dir + "/probe";
  {
    auto file = context.vfs->open(probe, OpenMode::create_empty);
    if (!file && file.error().code == ENOENT) return {};  // no directory yet: nothing was written
    if (!file) return std::unexpected(file.error());
    const std::string bytes(kProbeBytes, 'p');
    const ByteView view = as_bytes(bytes);
    if (auto wrote = (*file)->pwritev({&view, 1}, 0); !wrote) return wrote;
    if (auto synced = (*file)->datasync(); !synced) return synced;
  }
  if (auto gone = context.vfs->unlink(probe); !gone) return gone;
  return sync_dirs(context, dir);
}

}  // namespace

Task<void> EmbeddedLog::repair() {
  const auto self = shared_from_this();
  std::optional<FileRef> cut;
  if (!segments_.empty() && segments_.back()->base == cut_to_.segment) cut = segments_.back()->file;
  const auto raised = raise_epoch_at_repair_ ? next_epoch(epochs_, cut_to_.offset) : epochs_;
  const Slot sound{.state = SlotState::dirty, .end = durable_};
  auto work = [this, orphans = orphans_, cut, raised, sound,
               raise = raise_epoch_at_repair_]() -> Result<void> {
    if (raise) {
      if (auto stored = context_.facts.set_epochs(id_, raised); !stored) return stored;
    }
    auto repaired = repair_files(context_, dir_, orphans, cut, cut_to_.position);
    // Only then: until the files are back at their durable end, a start must not believe them.
    if (repaired) repaired = context_.slots.write(id_, sound);
    if (!repaired) return fail(storage_error("repair of " + dir_, repaired.error()));
    return {};
  };
  auto done = co_await context_.pool.run(Lane::log_sync, std::move(work));
  repairing_ = false;
  --home_.jobs;
  retry_repair_ = context_.clock.now() + kRepairPause;
  if (done) {
    epochs_ = raised;
    raise_epoch_at_repair_ = false;
    orphans_.clear();
    broken_ = false;
    retry_repair_ = MonoTime();
    roll_next_ = true;
    module_log().info("event=log_repaired topic_id={} partition={} log_end={}", id_.topic.to_string(),
                      id_.index, log_end_);
    request_sync();  // of what a failed write left unsynced
  } else {
    broken_by_ = done.error();
  }
  wake_idle();
}

}  // namespace tidegate::storage::embedded
