#include "direct_log.h"

#include <utility>

#include <fmt/format.h>

namespace tidegate::storage::seaweedmq {

DirectLog::DirectLog(LogShard& home, LogPlace place, LogConfig config, std::shared_ptr<Ownership> ownership)
    : home_(home), place_(std::move(place)), config_(config), ownership_(std::move(ownership)) {}

DirectLog::~DirectLog() { home_.tails.clear(*tail_); }

LogOffsets DirectLog::offsets() const {
  return {.log_start = log_start_, .high_watermark = committed_end_, .log_end = log_end_};
}

std::size_t DirectLog::size_bytes() const {
  return index_.record_bytes() + (older_ ? static_cast<std::size_t>(state_.listed_bytes) : 0);
}

Result<void> DirectLog::check_usable() const {
  if (removed_) return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
  if (closing_) return fail(*closed_by_);
  return {};
}

Result<void> DirectLog::check_owner() const {
  if (auto usable = check_usable(); !usable) return usable;
  if (!ownership_->holds())
    return fail(ErrorCode::not_leader_or_follower, "the partition has another leader");
  return {};
}

void DirectLog::tell() {
  if (listener_ && !removed_) listener_(offsets());
}

// The last thing that an event does: whoever wakes may call in again.
void DirectLog::resume_all(std::vector<Resume> resumes) {
  for (Resume& resume : resumes) {
    Resume now = std::move(resume);
    now();
  }
}

Task<void> DirectLog::lock_files() {
  while (files_locked_) co_await changed_.wait();
  files_locked_ = true;
}

void DirectLog::unlock_files() {
  files_locked_ = false;
  changed_.notify_all();
}

// A change is tried again only behind settle(): what was sent before either has been applied or never will
// be, so putting or erasing the same once more does no harm, and nothing old comes after something newer.
Task<Result<void>> DirectLog::fenced(FencedChange::Kind kind, std::string directory, Entry entry) {
  const MonoTime give_up = home_.clock.now() + home_.options.give_up_after;
  Duration backoff = home_.options.first_backoff;
  Error last{ErrorCode::kafka_storage_error, "the filer refuses a change"};
  for (bool first = true;; first = false) {
    bool refused = false;
    // Several at once: an answer under an older mark may come after one under a newer.
    while (!doubts_.empty()) {
      const std::string etag = *doubts_.begin();
      auto settled = co_await ownership_->settle(etag);
      if (!settled && settled.error().code == ErrorCode::not_leader_or_follower) co_return settled;
      if (!settled) {
        last = std::move(settled.error());
        break;
      }
      doubts_.erase(etag);
    }
    if (doubts_.empty()) {
      FencedChange change{.fence_path = ownership_->fence_path(),
                          .fence_etag = ownership_->etag(),
                          .kind = kind,
                          .directory = directory,
                          .entry = entry};
      const std::string etag = change.fence_etag;
      auto outcome = co_await home_.backend.filer.transact(std::move(change));
      if (outcome && *outcome == Outcome::done) co_return Result<void>{};
      if (!outcome) last = std::move(outcome.error());
      refused = outcome.has_value();
      doubts_.insert(etag);
      home_.metrics.retries.add();
    }
    if (removed_) co_return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
    // A refusal says that the fence has moved, which settle() looks into without delay.
    if (refused && first) continue;
    if (home_.clock.now() >= give_up) co_return fail(ErrorCode::kafka_storage_error, last.message);
    co_await home_.back_off(backoff);
  }
}

PartitionState DirectLog::state_now() const {
  PartitionState state = state_;
  state.log_start = std::max(state.log_start, log_start_);
  state.log_end = committed_end_;
  state.last_ts_ns = last_ts_ns_;
  return state;
}

// What state_ is now. One at a time, so that an earlier one never replaces a later one.
Task<Result<void>> DirectLog::put_state() {
  Entry entry;
  entry.name = paths::state_name(place_.id.index);
  entry.content = encode_state(state_);
  entry.size_bytes = entry.content.size();
  return fenced(FencedChange::Kind::put, paths::states_dir(place_.id.topic), std::move(entry));
}

void DirectLog::remove() {
  if (removed_) return;
  removed_ = true;
  fail_from(committed_end_, {ErrorCode::unknown_topic_or_partition, "the topic was deleted"});
  home_.tails.clear(*tail_);
  more_.notify_all();
  changed_.notify_all();
}

Task<void> DirectLog::close(Error why) {
  const auto self = shared_from_this();
  closed_by_ = std::move(why);
  hurry_ = true;
  more_.notify_all();
  while (!removed_ && !broken_ && committed_end_ < log_end_) co_await changed_.wait();
  if (!removed_ && !broken_ && ownership_->holds()) co_await write_checkpoint();
  closing_ = true;
  fail_from(committed_end_, *closed_by_);
  more_.notify_all();
  changed_.notify_all();
  while (jobs_ > 0) co_await changed_.wait();
}

}  // namespace tidegate::storage::seaweedmq
