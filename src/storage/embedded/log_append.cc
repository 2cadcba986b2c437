// Appending: offsets at the call, a queue per log, one write job at a time.
#include <algorithm>

#include "embedded_log.h"
#include "layout.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
// One trip to the disk; what is queued beyond goes with the next.
constexpr std::size_t kMaxJobBytes = 8U << 20;
// Index entries gather in memory up to this many before they are written.
constexpr std::size_t kIndexFlushEntries = 128;
}  // namespace

Task<Result<Appended>> EmbeddedLog::append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) {
  // Not part of the coroutine: the offsets are taken even before the task is awaited.
  return finish_append(begin_append(epoch, std::move(batches)));
}

Task<Result<Appended>> EmbeddedLog::finish_append(Result<PendingPtr> pending) {
  if (!pending) co_return fail(std::move(pending.error()));
  const PendingPtr mine = *pending;
  if (!mine->done) {
    auto park = [&mine](Resume resume) { mine->resume = std::move(resume); };
    co_await suspend(park);
  }
  if (mine->error) co_return fail(*mine->error);
  co_return mine->value;
}

Result<EmbeddedLog::PendingPtr> EmbeddedLog::begin_append(LeaderEpoch epoch,
                                                          std::vector<protocol::RecordBatch> batches) {
  if (auto usable = check_usable(); !usable) return fail(std::move(usable.error()));
  if (epoch != leader_epoch()) {
    return fail(ErrorCode::not_leader_or_follower,
                fmt::format("leader epoch is {}, not {}", leader_epoch(), epoch));
  }
  if (broken_) {
    start_repair();
    return fail(broken_by_);
  }
  std::size_t bytes = 0;
  for (const auto& batch : batches) bytes += batch.bytes.size();
  if (queued_bytes_ > 0 && queued_bytes_ + bytes > context_.options.append_queue_bytes) {
    return fail(ErrorCode::throttling_quota_exceeded, "the partition's append queue is full");
  }
  auto pending = std::make_shared<PendingAppend>();
  pending->value.base_offset = log_end_;
  QueuedAppend queued;
  queued.pending = pending;
  queued.bytes = bytes;
  queued.batches.reserve(batches.size());
  for (const auto& batch : batches) {
    TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes() && batch.header.last_offset_delta >= 0);
    PlacedBatch stored = place_batch(batch, log_end_, epoch);
    stored.begin = appended_;
    appended_ += stored.size();
    log_end_ = stored.header.next_offset();
    queued.batches.push_back(std::move(stored));
  }
  pending->value.log_end = log_end_;
  if (queued.batches.empty()) {
    pending->done = true;
    return pending;
  }
  queued_bytes_ += bytes;
  queue_.push_back(std::move(queued));
  pump();
  return pending;
}

bool EmbeddedLog::must_roll(const PlacedBatch& batch, const Segment* active,
                            std::uint64_t active_bytes) const {
  if (active == nullptr || roll_next_) return true;
  if (active_bytes == 0) return false;
  if (active_bytes + batch.size() > static_cast<std::uint64_t>(config_.segment_bytes)) return true;
  const auto age = std::chrono::milliseconds(config_.segment_ms);
  // A limit of centuries does not fit into nanoseconds.
  if (config_.segment_ms > std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count())
    return false;
  return context_.clock.now() - active->opened >= age;
}

// Moves appends from the queue into one job: which bytes go where in which file.
std::unique_ptr<LogJob> EmbeddedLog::plan_job() {
  auto job = std::make_unique<LogJob>();
  job->id = id_;
  job->dir = dir_;
  std::size_t bytes = 0;
  auto next = queue_.begin();
  for (; next != queue_.end() && (bytes == 0 || bytes + next->bytes <= kMaxJobBytes); ++next) {
    bytes += next->bytes;
    std::move(next->batches.begin(), next->batches.end(), std::back_inserter(job->batches));
    next->batches.clear();
    in_job_.push_back(std::move(*next));
  }
  queue_.erase(queue_.begin(), next);
  job_steps_.clear();
  const Segment* active = segments_.empty() ? nullptr : segments_.back().get();
  std::uint64_t active_bytes = active != nullptr ? active->size : 0;
  bool fresh = true;  // the current step is yet to be made
  for (const PlacedBatch& batch : job->batches) {
    const bool roll = job->steps.empty() || !job->steps.back().create
                          ? must_roll(batch, active, active_bytes)
                          : active_bytes > 0 && active_bytes + batch.size() >
                                                    static_cast<std::uint64_t>(config_.segment_bytes);
    if (roll) {
      WriteStep step;
      step.file = context_.files.name(layout::segment_path(dir_, batch.header.base_offset));
      step.create = true;
      job->steps.push_back(std::move(step));
      active_bytes = 0;
    } else if (fresh) {
      WriteStep step;
      step.file = active->file;
      step.position = active->size;
      job->steps.push_back(std::move(step));
    }
    fresh = false;
    WriteStep& step = job->steps.back();
    step.views.push_back(batch.front.bytes());
    if (!batch.rest.empty()) step.views.push_back(batch.rest.bytes());
    step.bytes += batch.size();
    active_bytes += batch.size();
    job_steps_.push_back(job->steps.size() - 1);
  }
  plan_index_writes(*job);
  if (!slot_dirty_) job->slot_before = Slot{.state = SlotState::dirty, .end = durable_};
  job->sync = context_.options.flush == FlushPolicy::ack;
  const WriteStep& last = job->steps.back();
  job->slot_broken = {.state = SlotState::dirty, .end = durable_, .broken = true};
  job->slot_after.state = SlotState::dirty;
  job->slot_after.end = {.offset = job->batches.back().header.next_offset(),
                         .segment = 0,
                         .position = last.position + last.bytes};
  // The base of the segment that the last step writes: its first batch's when it is new.
  const auto first_of_last = std::find(job_steps_.begin(), job_steps_.end(), job->steps.size() - 1);
  job->slot_after.end.segment =
      last.create
          ? job->batches[static_cast<std::size_t>(first_of_last - job_steps_.begin())].header.base_offset
          : active->base;
  return job;
}

void EmbeddedLog::plan_index_writes(LogJob& job) {
  for (const auto& segment : segments_) {
    if (!segment->index || segment->index_sealed) continue;
    const bool sealed = segment != segments_.back();
    if (!sealed && segment->index->unwritten() < kIndexFlushEntries) continue;
    std::optional<SparseIndex::Seal> seal;
    if (sealed) seal = SparseIndex::Seal{segment->end, segment->size};
    segment->index_sealed = sealed;
    job.index_writes.push_back({index_path(*segment), segment->index->take_flush(seal)});
  }
}

bool EmbeddedLog::may_write_inline(const LogJob& job) {
  if (job.sync || job.slot_before || !job.index_writes.empty() || job.steps.size() != 1) return false;
  const WriteStep& step = job.steps.front();
  return !step.create && step.bytes <= context_.options.inline_write_bytes &&
         context_.files.peek(step.file) != nullptr;
}

void EmbeddedLog::pump() {
  while (!busy_ && !broken_ && !queue_.empty()) {
    busy_ = true;
    auto job = plan_job();
    if (may_write_inline(*job)) {
      JobOutcome outcome = write_job(context_, *job);
      on_job_done(std::move(job), std::move(outcome));
    } else {
      send_job(std::move(job));
    }
  }
}

void EmbeddedLog::send_job(std::unique_ptr<LogJob> job) {
  ++home_.jobs;
  auto come_back = [self = shared_from_this()](std::unique_ptr<LogJob> done, JobOutcome outcome) mutable {
    Shard& shard = self->home_.shard;
    // The shard's work takes the reference along: a log ends on its shard.
    shard.post([self = std::move(self), job = std::move(done), result = std::move(outcome)]() mutable {
      --self->home_.jobs;
      self->on_job_done(std::move(job), std::move(result));
      self->pump();
    });
  };
  if (job->sync) {
    context_.syncer.submit(std::move(job), std::move(come_back));
    return;
  }
  context_.pool.post(Lane::log_write, [this, held = std::move(job), done = std::move(come_back)]() mutable {
    JobOutcome outcome = write_job(context_, *held);
    done(std::move(held), std::move(outcome));
  });
}

void EmbeddedLog::commit(LogJob& job) {
  const MonoTime now = context_.clock.now();
  for (std::size_t i = 0; i < job.batches.size(); ++i) {
    PlacedBatch& batch = job.batches[i];
    const WriteStep& step = job.steps[job_steps_[i]];
    if (step.create && (i == 0 || job_steps_[i] != job_steps_[i - 1])) {
      auto segment = std::make_unique<Segment>(make_segment(batch.header.base_offset));
      segment->file = step.file;
      segment->index = std::make_shared<SparseIndex>(segment->base);
      segment->index_is_certain = true;
      segments_.push_back(std::move(segment));
      roll_next_ = false;
    }
    Segment& segment = *segments_.back();
    if (segment.index) {
      segment.index->note(batch.header, segment.size, index_interval(config_));
    }
    segment.written = now;
    segment.size += batch.size();
    segment.end = batch.header.next_offset();
    size_bytes_ += batch.size();
    if (!tail_) tail_ = std::make_shared<Tail>();
    home_.cache.add(tail_, std::move(batch));
  }
  written_end_ = job.slot_after.end.offset;
}

void EmbeddedLog::note_dirty(const JobOutcome& outcome) {
  for (const FilePtr& file : outcome.written) {
    if (std::find(unsynced_.begin(), unsynced_.end(), file) == unsynced_.end()) unsynced_.push_back(file);
  }
  unsynced_names_ |= outcome.made_files;
  if (in_dirty_list_) return;
  in_dirty_list_ = true;
  dirty_since_ = context_.clock.now();
  home_.dirty.push_back(shared_from_this());
  context_.metrics.dirty_partitions.add(1);
}

void EmbeddedLog::on_job_done(std::unique_ptr<LogJob> job, JobOutcome outcome) {
  busy_ = false;
  if (job->slot_before && !job->mark_error) slot_dirty_ = true;
  if (outcome.kind == JobOutcome::Kind::done && !broken_ && !removed_) {
    on_job_good(std::move(job), std::move(outcome));
  } else {
    on_job_failed(*job, outcome);
  }
}

void EmbeddedLog::on_job_good(std::unique_ptr<LogJob> job, JobOutcome outcome) {
  auto appends = std::exchange(in_job_, {});
  std::vector<Resume> resumes;
  for (QueuedAppend& append : appends) {
    queued_bytes_ -= append.bytes;
    append.pending->done = true;
    if (append.pending->resume) resumes.push_back(std::move(append.pending->resume));
  }
  commit(*job);
  if (job->sync) {
    durable_ = job->slot_after.end;
  } else {
    note_dirty(outcome);
    if (sync_is_awaited() || context_.files.size() > context_.files.limit()) request_sync();
  }
  tell();
  resume_all(std::move(resumes));
  wake_waiters();
  wake_idle();
}

void EmbeddedLog::on_job_failed(const LogJob& job, const JobOutcome& outcome) {
  if (!removed_) {
    context_.metrics.append_failures.add();
    // A log that broke while the job was under way gave up the very files that it wrote.
    const bool taken_back = outcome.kind == JobOutcome::Kind::write_failed && !outcome.residue;
    if (!taken_back) {
      for (const WriteStep& step : job.steps) {
        if (step.create) orphans_.push_back(step.file);
      }
    }
    if (broken_) {
      fail_appends(broken_by_);
      start_repair();
    } else {
      const Error error = storage_error("append to " + dir_, outcome.error);
      if (taken_back) {
        std::uint64_t suppressed = 0;
        if (home_.refusal_lines.allow(suppressed)) {
          module_log().error("event=append_failed topic_id={} partition={} error=\"{}\" suppressed={}",
                             id_.topic.to_string(), id_.index, error.message, suppressed);
        }
        fail_appends(error);
      } else {
        break_log(error, outcome.kind == JobOutcome::Kind::sync_failed ? durable_ : written_place());
      }
    }
  }
  wake_idle();
}

}  // namespace tidegate::storage::embedded
