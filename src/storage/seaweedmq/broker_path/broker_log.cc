#include "broker_log.h"

#include <fmt/format.h>

#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

namespace {
constexpr std::int64_t kForgottenMs = 60'000;
}

BrokerLog::BrokerLog(LogShard& home, BrokerPath path, BrokerLogPlace place, LogConfig config,
                     std::shared_ptr<Ownership> ownership)
    : home_(home),
      brokers_(path.brokers),
      watch_(path.watch),
      mend_topic_(std::move(path.mend_topic)),
      options_(path.options),
      place_(std::move(place)),
      config_(config),
      ownership_(std::move(ownership)),
      writer_(home, ownership_),
      asked_(home.clock.now()) {}

BrokerLog::~BrokerLog() {
  home_.tails.clear(*tail_);
  watch_.unflushed_bytes().add(-static_cast<std::int64_t>(waiting_.bytes()));
  watch_.gone(this);
}

Task<Result<std::shared_ptr<BrokerLog>>> BrokerLog::open(LogShard& home, BrokerPath path,
                                                         BrokerLogPlace place, LogConfig config,
                                                         std::shared_ptr<Ownership> ownership) {
  auto log =
      std::make_shared<BrokerLog>(home, std::move(path), std::move(place), config, std::move(ownership));
  // First of all: a broker freezes some time after a topic's last stream has closed, and files take time.
  log->start_session();
  auto recovered = co_await log->recover();
  if (!recovered) {
    co_await log->end(recovered.error());
    co_return fail(std::move(recovered.error()));
  }
  log->recovered_ = true;
  log->changed_.notify_all();
  log->settle_others();
  log->start_watch();
  co_return log;
}

// With ack=flushed nothing that is not in the files was ever acknowledged or shown. With ack=broker the owner
// of before may have left acknowledged batches in the broker's memory, which it flushes soon, if it lives.
Task<Result<void>> BrokerLog::recover() {
  auto stored = co_await home_.backend.filer.lookup(paths::states_dir(place_.id.topic),
                                                    paths::state_name(place_.id.index));
  if (!stored) co_return fail(std::move(stored.error()));
  if (*stored) {
    auto state = parse_state((*stored)->content);
    if (!state) co_return fail(std::move(state.error()));
    state_ = std::move(*state);
  }
  log_start_ = state_.log_start;
  epochs_ = state_.epochs;
  if (place_.shared) {
    if (auto opened = co_await open_older(); !opened) co_return opened;
  }
  if (auto scanned = co_await scan(); !scanned) co_return fail(std::move(scanned.error()));
  flushed_end_ = std::max(flushed_end_, log_start_);
  if (!options_.flushed && flushed_end_ < state_.log_end) {
    while (!tried_ && !is_over()) co_await changed_.wait();
    if (stream_) co_await look_up_sent();
  }
  if (rank_.epoch > ownership_->epoch()) {
    co_return fail(ErrorCode::kafka_storage_error,
                   fmt::format("{}: its files are of epoch {}, its fence {} is of {}", place_.directory,
                               rank_.epoch, ownership_->fence_path(), ownership_->epoch()));
  }
  if (flushed_end_ < state_.log_end) {
    module_log().warn("event=log_tail_missing directory={} from_offset={} to_offset={}", place_.directory,
                      flushed_end_, state_.log_end);
    home_.metrics.lost_ranges.add();
    // Told once: the gap is part of the log from now on.
    flushed_end_ = state_.log_end;
  }
  log_end_ = flushed_end_;
  committed_end_ = log_end_;
  const Offset begin = index_.empty() ? log_end_ : index_.begin();
  if (begin > log_start_ && !place_.shared) log_start_ = begin;
  if (place_.shared) {
    own_committed_end_ = flushed_end_;
    log_end_ = flushed_end_ + others_.pending();
    // What an owner of before has sent so long ago is in the files, or nowhere.
    const bool forgotten =
        own_seen_ns_ > 0 && home_.clock.wall_ms() - own_seen_ns_ / 1'000'000 > kForgottenMs;
    if (first_shared_ || forgotten) committed_end_ = log_end_;
  }
  const LeaderEpoch epoch = ownership_->epoch();
  if (epochs_.empty() || epochs_.back().epoch < epoch) {
    // What began here and never had a batch does not count.
    std::erase_if(epochs_, [&](const EpochStart& entry) { return entry.start >= log_end_; });
    epochs_.push_back({.epoch = epoch, .start = log_end_});
  }
  co_return Result<void>{};
}

LogOffsets BrokerLog::offsets() const {
  asked_ = home_.clock.now();
  return {.log_start = log_start_, .high_watermark = committed_end_, .log_end = log_end_};
}

std::size_t BrokerLog::size_bytes() const {
  std::size_t bytes = static_cast<std::size_t>(index_.bytes_between(log_start_, flushed_end_));
  for (const Sent& sent : sent_) {
    if (sent.committed) bytes += sent.batch.size();
  }
  bytes += static_cast<std::size_t>(others_.bytes_between(counted_from(), committed_end_, flushed_end_));
  return older_ ? bytes + older_->size_bytes() : bytes;
}

Result<void> BrokerLog::check_usable() const {
  if (removed_) return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
  if (closing_) return fail(*closed_by_);
  return {};
}

Result<void> BrokerLog::check_owner() const {
  if (auto usable = check_usable(); !usable) return usable;
  if (!ownership_->holds())
    return fail(ErrorCode::not_leader_or_follower, "the partition has another leader");
  return {};
}

void BrokerLog::tell() {
  if (listener_ && !removed_) listener_(offsets());
}

// The last thing that an event does: whoever wakes may call in again.
void BrokerLog::resume_all(std::vector<Resume> resumes) {
  for (Resume& resume : resumes) {
    Resume now = std::move(resume);
    now();
  }
}

bool BrokerLog::is_idle() const {
  return jobs_ == (keeping_ ? 1U : 0U) && (!keeping_ || home_.clock.now() >= quiet_from_);
}

// One stream of a removed topic stays, so that its broker does not freeze.
void BrokerLog::remove() {
  if (removed_) return;
  removed_ = true;
  keeping_ = place_.id.index == 0 && streaming_ && !closed_;
  quiet_from_ = home_.clock.now() + options_.flush_within;
  writer_.give_up();
  fail_from(log_start_, {ErrorCode::unknown_topic_or_partition, "the topic was deleted"});
  home_.tails.clear(*tail_);
  if (older_) older_->remove();
  if (stream_ && !keeping_) stream_->cancel();
  changed_.notify_all();
}

Task<void> BrokerLog::let_go() {
  const auto self = shared_from_this();
  if (!keeping_) co_return;
  keeping_ = false;
  if (stream_) stream_->finish();
  const MonoTime until = home_.clock.now() + options_.answer_within;
  while (sessions_run_ && home_.clock.now() < until)
    co_await changed_.wait_until(home_.shard.timers(), until);
  if (stream_) stream_->cancel();
}

// What is under way gets its time to be flushed. The stream is closed last: the broker flushes at once then
// what it still has of this partition.
Task<void> BrokerLog::close(Error why) {
  const auto self = shared_from_this();
  closed_by_ = std::move(why);
  closing_ = true;
  const MonoTime until = home_.clock.now() + options_.flush_within;
  while (!is_over() && streaming_ && !sent_.empty() && home_.clock.now() < until) {
    co_await changed_.wait_until(home_.shard.timers(), until);
  }
  if (!is_over() && !options_.flushed && ownership_->holds()) {
    if (!sent_.empty())
      module_log().warn("event=log_closed_unflushed directory={} batches={}", place_.directory, sent_.size());
    PartitionState last = state_now();
    last.log_end = std::max(flushed_end_, committed_end_);
    if (last.log_end != state_.log_end) static_cast<void>(co_await put_state(std::move(last)));
  }
  co_await end(*closed_by_);
}

Task<void> BrokerLog::end(Error why) {
  const auto self = shared_from_this();
  closed_by_ = std::move(why);
  closing_ = true;
  closed_ = true;
  keeping_ = false;
  writer_.give_up();
  fail_from(committed_end_, *closed_by_);
  if (stream_) stream_->finish();
  changed_.notify_all();
  if (older_) co_await older_->close(*closed_by_);
  const MonoTime patience = home_.clock.now() + options_.answer_within;
  while (jobs_ > 0) {
    const bool told = co_await changed_.wait_until(home_.shard.timers(), patience);
    if (!told && stream_) stream_->cancel();
    if (!told) co_await changed_.wait();
  }
}

}  // namespace tidegate::storage::seaweedmq
