#include "log_job.h"

#include <cerrno>

#include "context.h"

namespace tidegate::storage::embedded {

namespace {

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

IoResult<FilePtr> open_for_write(EngineContext& context, const LogJob& job, const WriteStep& step) {
  if (!step.create) return context.files.open(step.file, OpenMode::existing);
  auto file = context.files.open(step.file, OpenMode::create_empty);
  if (file || file.error().code != ENOENT) return file;
  // The partition's first file: its directory is made now.
  if (auto made = context.vfs->make_dir(parent(job.dir)); !made) return std::unexpected(made.error());
  if (auto made = context.vfs->make_dir(job.dir); !made) return std::unexpected(made.error());
  return context.files.open(step.file, OpenMode::create_empty);
}

void take_back(EngineContext& context, LogJob& job, std::size_t tried, JobOutcome& outcome) {
  for (std::size_t i = 0; i < tried; ++i) {
    const WriteStep& step = job.steps[i];
    if (step.create) {
      context.files.forget(step.file);
      const auto gone = context.vfs->unlink(step.file.path);
      // What stays is emptied when the name is used again, and has no place in the log until then.
      if (!gone && gone.error().code != ENOENT) outcome.residue = true;
      continue;
    }
    const FilePtr file = context.files.peek(step.file);
    if (!file || !file->truncate(step.position)) outcome.residue = true;
  }
  outcome.written.clear();
}

}  // namespace

// The order counts: a partition with bytes that a crash may keep, lose or tear has a slot that says where to
// begin checking, whatever else is lost. Without it the first segment could be gone and a later one be taken
// for the log.
void mark_slots(EngineContext& context, std::span<LogJob* const> jobs) {
  bool any = false;
  for (LogJob* job : jobs) {
    job->slot_marked = true;
    if (!job->slot_before) continue;
    context.slots.allot(job->id);
    if (auto wrote = context.slots.write(job->id, *job->slot_before); !wrote) {
      job->mark_error = wrote.error();
    } else {
      any = true;
    }
  }
  if (!any) return;
  const auto synced = context.slots.sync();
  for (LogJob* job : jobs) {
    if (job->slot_before && !job->mark_error && !synced) job->mark_error = synced.error();
  }
}

JobOutcome write_job(EngineContext& context, LogJob& job) {
  JobOutcome outcome;
  const auto failed = [&](const IoError& error, std::size_t tried) {
    outcome.kind = JobOutcome::Kind::write_failed;
    outcome.error = error;
    take_back(context, job, tried, outcome);
    return std::move(outcome);
  };
  // An index that cannot be written is made anew when it is needed.
  for (const IndexWrite& write : job.index_writes) IndexFile::write(*context.vfs, write.path, write.flush);
  if (!job.slot_marked) {
    LogJob* const one = &job;
    mark_slots(context, {&one, 1});
  }
  if (job.mark_error) return failed(*job.mark_error, 0);
  for (std::size_t i = 0; i < job.steps.size(); ++i) {
    const WriteStep& step = job.steps[i];
    auto file = open_for_write(context, job, step);
    if (!file) return failed(file.error(), i + (step.create ? 1 : 0));
    if (step.create && context.options.segment_preallocate_bytes > 0) {
      // Only to keep the file in one piece: without it the writes still find their space.
      static_cast<void>((*file)->reserve(context.options.segment_preallocate_bytes));
    }
    if (auto wrote = (*file)->pwritev(step.views, step.position); !wrote) return failed(wrote.error(), i + 1);
    context.metrics.appended_bytes.add(step.bytes);
    outcome.made_files |= step.create;
    outcome.written.push_back(std::move(*file));
  }
  return outcome;
}

IoResult<void> sync_dirs(EngineContext& context, const std::string& partition_dir) {
  const std::string topic = parent(partition_dir);
  for (const std::string& dir : {partition_dir, topic, parent(topic)}) {
    if (auto synced = context.vfs->sync_dir(dir); !synced) return synced;
  }
  return {};
}

void sync_job(EngineContext& context, LogJob& job, JobOutcome& outcome) {
  const MonoTime begin = context.clock.now();
  IoResult<void> synced;
  const auto sync_all = [&](const std::vector<FilePtr>& files) {
    for (const FilePtr& file : files) {
      // All of them, also after a failure: each takes its error out of the kernel.
      if (auto one = file->datasync(); !one && synced) synced = one;
    }
  };
  sync_all(job.unsynced);
  sync_all(outcome.written);
  if (synced && (job.sync_dirs || outcome.made_files)) synced = sync_dirs(context, job.dir);
  context.metrics.fsync_latency.record(static_cast<std::uint64_t>((context.clock.now() - begin).count()));
  if (synced) return;
  outcome.kind = JobOutcome::Kind::sync_failed;
  outcome.error = synced.error();
}

void settle_job(EngineContext& context, LogJob& job, JobOutcome& outcome) {
  if (outcome.kind == JobOutcome::Kind::write_failed) return;
  const bool synced = outcome.kind == JobOutcome::Kind::done;
  if (synced) {
    outcome.made_files = false;
    outcome.written.clear();
  }
  // The slot may lag behind what is durable, so a failure costs recovery some time and nothing else. That
  // a sync failed is for a start without a reboot, which finds the page cache as it is now.
  static_cast<void>(context.slots.write(job.id, synced ? job.slot_after : job.slot_broken));
}

}  // namespace tidegate::storage::embedded
