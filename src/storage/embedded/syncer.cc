#include "syncer.h"

#include "context.h"

namespace tidegate::storage::embedded {

namespace {
// A round is one thread's work; more than this waits for the next one.
constexpr std::size_t kMaxRound = 2048;
}  // namespace

void Syncer::submit(std::unique_ptr<LogJob> job, Done done) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({std::move(job), std::move(done)});
  dispatch();
}

std::size_t Syncer::pending() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() + singles_ + in_round_;
}

void Syncer::dispatch() {
  const std::size_t threshold = context_.options.syncfs_threshold;
  if (in_round_ > 0) return;  // its file system sync would only make the others wait
  if (waiting_.size() > threshold) {
    std::vector<Item> round;
    while (!waiting_.empty() && round.size() < kMaxRound) {
      round.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    in_round_ = round.size();
    context_.pool.post(Lane::log_sync,
                       [this, items = std::move(round)]() mutable { run_round(std::move(items)); });
    return;
  }
  while (!waiting_.empty() && singles_ < threshold) {
    ++singles_;
    context_.pool.post(Lane::log_sync,
                       [this, item = std::move(waiting_.front())]() mutable { run_single(std::move(item)); });
    waiting_.pop_front();
  }
}

void Syncer::run_single(Item item) {
  JobOutcome outcome = write_job(context_, *item.job);
  if (outcome.kind == JobOutcome::Kind::done) sync_job(context_, *item.job, outcome);
  settle_job(context_, *item.job, outcome);
  {
    const std::lock_guard lock(mutex_);
    --singles_;
    dispatch();
  }
  item.done(std::move(item.job), std::move(outcome));
}

void Syncer::run_round(std::vector<Item> items) {
  std::vector<LogJob*> jobs;
  jobs.reserve(items.size());
  for (Item& item : items) jobs.push_back(item.job.get());
  mark_slots(context_, jobs);
  std::vector<JobOutcome> outcomes;
  outcomes.reserve(items.size());
  for (Item& item : items) outcomes.push_back(write_job(context_, *item.job));
  const MonoTime begin = context_.clock.now();
  const auto synced = context_.vfs->sync_filesystem(context_.options.data_dir);
  context_.metrics.fsync_latency.record(static_cast<std::uint64_t>((context_.clock.now() - begin).count()));
  for (std::size_t i = 0; i < items.size(); ++i) {
    JobOutcome& outcome = outcomes[i];
    if (!synced && outcome.kind == JobOutcome::Kind::done) {
      outcome.kind = JobOutcome::Kind::sync_failed;
      outcome.error = synced.error();
    }
    settle_job(context_, *items[i].job, outcome);
  }
  {
    const std::lock_guard lock(mutex_);
    in_round_ = 0;
    dispatch();
  }
  for (std::size_t i = 0; i < items.size(); ++i)
    items[i].done(std::move(items[i].job), std::move(outcomes[i]));
}

}  // namespace tidegate::storage::embedded
