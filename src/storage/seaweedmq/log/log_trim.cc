// Log start: DeleteRecords and retention. Log start is written down before anything below it goes away. And
// what the owner leaves for others: checkpoint.offset for SeaweedMQ, the state that a take-over begins with.
#include <algorithm>

#include <fmt/format.h>

#include "direct_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

Task<Result<Offset>> DirectLog::trim_before(Offset offset) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (offset > committed_end_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is above the high watermark {}", offset, committed_end_));
  }
  if (offset <= log_start_) co_return log_start_;
  while (putting_state_) co_await changed_.wait();
  if (offset > log_start_) {
    putting_state_ = true;
    const PartitionState before = state_;
    state_ = state_now();
    state_.log_start = std::max(log_start_, offset);
    auto put = co_await put_state();
    putting_state_ = false;
    changed_.notify_all();
    if (!put) {
      state_ = before;
      co_return fail(std::move(put.error()));
    }
    if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
    log_start_ = std::max(log_start_, offset);
    home_.tails.drop_below(*tail_, log_start_);
    tell();
  }
  co_await drop_below_start();
  co_return log_start_;
}

// Files that end at or below log start. What cannot be erased now is tried again by the next housekeeping.
Task<void> DirectLog::drop_below_start() {
  co_await lock_files();
  for (const LogFile& file : index_.files()) {
    if (file.end > log_start_) break;
    if (std::ranges::find(doomed_, file.name) == doomed_.end()) doomed_.push_back(file.name);
  }
  const auto names = doomed_;
  for (const LogFileName& name : names) {
    index_.erase(name);
    if (active_ == name) active_.reset();
  }
  for (const LogFileName& name : names) {
    Entry entry;
    entry.name = name.to_string();
    auto erased = co_await fenced(FencedChange::Kind::erase, place_.directory, std::move(entry));
    if (!erased) break;
    std::erase(doomed_, name);
  }
  unlock_files();
}

bool DirectLog::rolls_by_time() const {
  // In milliseconds: segment.ms may be as large as 2^63 - 1.
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(home_.clock.now() - active_since_);
  return age.count() >= config_.segment_ms;
}

Task<void> DirectLog::retain(std::int64_t age_now_ms) {
  if (!config_.cleanup_delete || (config_.retention_ms < 0 && config_.retention_bytes < 0)) co_return;
  if (auto loaded = co_await load_older(); !loaded) co_return;
  std::uint64_t remaining = index_.record_bytes();
  Offset start = log_start_;
  for (const LogFile& file : index_.files()) {
    const bool too_old = config_.retention_ms >= 0 && age_now_ms - file.youngest_ms() > config_.retention_ms;
    const bool too_much =
        config_.retention_bytes >= 0 &&
        remaining - file.record_bytes() >= static_cast<std::uint64_t>(config_.retention_bytes);
    if (!too_old && !too_much) break;
    remaining -= file.record_bytes();
    start = file.end;
  }
  if (start <= log_start_) co_return;
  auto trimmed = co_await trim_before(start);
  if (!trimmed)
    module_log().warn("event=retention_failed directory={} error=\"{}\"", place_.directory,
                      trimmed.error().message);
}

Task<void> DirectLog::keep_house(std::int64_t age_now_ms) {
  const auto self = shared_from_this();
  const Job job(*this);
  if (!check_owner() || broken_) co_return;
  if (active_ && rolls_by_time()) active_.reset();
  if (!doomed_.empty()) co_await drop_below_start();
  // Compaction asks cleanable() for ranges, which cannot wait.
  if (config_.cleanup_compact) static_cast<void>(co_await load_older());
  co_await retain(age_now_ms);
  if (!check_owner() || broken_) co_return;
  co_await advance_listing();
  co_await write_checkpoint();
  co_await merge_small();
}

// A take-over lists what comes behind `listed_to`. Moved on when that has become much.
Task<void> DirectLog::advance_listing() {
  const auto& files = index_.files();
  if (putting_state_ || files.size() <= 2 * home_.options.listed_files || files.back().end <= log_start_)
    co_return;
  const std::size_t last = files.size() - home_.options.listed_files - 1;
  // In this run nothing was appended since, or little.
  if (files[last].end <= state_.listed_end && !older_) co_return;
  if (older_) {
    if (auto loaded = co_await load_older(); !loaded) co_return;
    co_return;  // the next time
  }
  putting_state_ = true;
  const PartitionState before = state_;
  state_ = state_now();
  state_.listed_to = files[last].name.to_string();
  state_.listed_end = files[last].end;
  state_.listed_bytes = files[last].begin + files[last].record_bytes() - files.front().begin;
  std::erase_if(state_.epochs, [](const EpochStart&) { return true; });
  for (const EpochStart& epoch : epochs_) {
    if (epoch.start < state_.listed_end) state_.epochs.push_back(epoch);
  }
  auto put = co_await put_state();
  if (!put) state_ = before;
  putting_state_ = false;
  changed_.notify_all();
}

Task<void> DirectLog::write_checkpoint() {
  if (committed_end_ == 0 || checkpoint_ == committed_end_ - 1) co_return;
  const Offset last = committed_end_ - 1;
  Entry entry;
  entry.name = paths::kCheckpoint;
  entry.content = checkpoint_of(last);
  entry.size_bytes = entry.content.size();
  co_await lock_files();
  auto written = co_await fenced(FencedChange::Kind::put, place_.directory, std::move(entry));
  unlock_files();
  if (written) checkpoint_ = last;
}

}  // namespace tidegate::storage::seaweedmq
