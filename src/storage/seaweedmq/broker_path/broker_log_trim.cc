// Log start: DeleteRecords and retention, which goes chunk by chunk because the broker decides about files.
// And the partition's state.
#include <algorithm>

#include <fmt/format.h>

#include "broker_log.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::seaweedmq {

PartitionState BrokerLog::state_now() const {
  PartitionState state = state_;
  state.log_start = std::max(state.log_start, log_start_);
  state.epochs.clear();
  // The files tell of the epochs behind their beginning.
  for (const EpochStart& epoch : epochs_) {
    if (epoch.start < flushed_end_) state.epochs.push_back(epoch);
  }
  if (options_.flushed) state.log_end = flushed_end_;
  state.log_end = std::max(state.log_end, state.log_start);
  return state;
}

// One at a time, so that an earlier one never replaces a later one.
Task<Result<void>> BrokerLog::put_state(PartitionState next) {
  while (putting_state_) {
    co_await changed_.wait();
    next.log_start = std::max(next.log_start, state_.log_start);
  }
  putting_state_ = true;
  Entry entry;
  entry.name = paths::state_name(place_.id.index);
  entry.content = encode_state(next);
  entry.size_bytes = entry.content.size();
  auto put = co_await writer_.put(paths::states_dir(place_.id.topic), std::move(entry));
  if (put) state_ = std::move(next);
  putting_state_ = false;
  changed_.notify_all();
  co_return put;
}

Task<Result<Offset>> BrokerLog::trim_before(Offset offset) {
  const auto self = shared_from_this();
  if (auto owner = check_owner(); !owner) co_return fail(std::move(owner.error()));
  if (place_.shared) {
    co_return fail(ErrorCode::policy_violation,
                   "the log files of this topic are SeaweedMQ's: its records are not deleted here");
  }
  if (offset > committed_end_) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is above the high watermark {}", offset, committed_end_));
  }
  if (offset <= log_start_) co_return log_start_;
  PartitionState next = state_now();
  next.log_start = std::max(log_start_, offset);
  next.log_end = std::max(next.log_end, next.log_start);
  if (auto put = co_await put_state(std::move(next)); !put) co_return fail(std::move(put.error()));
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  log_start_ = std::max(log_start_, offset);
  home_.tails.drop_below(*tail_, log_start_);
  tell();
  co_await drop_below_start();
  co_return log_start_;
}

// The broker adds to a file only what it had in memory in that file's second.
bool BrokerLog::may_grow(const LogFileName& name) const {
  const bool last = !seen_chunks_.empty() && seen_chunks_.rbegin()->first == name;
  return last && (!sent_.empty() || home_.clock.wall_ms() / 1000 <= name.second + 1);
}

// Files that end at or below log start. What cannot be erased now is tried again by the next housekeeping.
Task<void> BrokerLog::drop_below_start() {
  while (scanning_) co_await changed_.wait();
  scanning_ = true;  // nothing is read that goes away
  while (!index_.empty() && index_.files().front().end <= log_start_) {
    const LogFile file = index_.files().front();
    if (may_grow(file.name) || (unfinished_ && unfinished_->name == file.name)) break;
    for (const LogChunk& chunk : file.chunks) {
      void_.erase(chunk.stored.file_id);
      reaches_into_.erase(chunk.stored.file_id);
    }
    auto erased = co_await writer_.erase(place_.directory, file.name.to_string());
    if (!erased) break;
    index_.erase(file.name);
  }
  scanning_ = false;
  changed_.notify_all();
}

Task<void> BrokerLog::retain(std::int64_t age_now_ms) {
  if (!config_.cleanup_delete || (config_.retention_ms < 0 && config_.retention_bytes < 0)) co_return;
  std::uint64_t remaining = size_bytes();
  Offset start = log_start_;
  const auto goes = [&](std::int64_t youngest_ms, std::uint64_t bytes) {
    const bool too_old = config_.retention_ms >= 0 && age_now_ms - youngest_ms > config_.retention_ms;
    const bool too_much = config_.retention_bytes >= 0 && remaining >= bytes &&
                          remaining - bytes >= static_cast<std::uint64_t>(config_.retention_bytes);
    if (too_old || too_much) remaining -= std::min(bytes, remaining);
    return too_old || too_much;
  };
  for (const LogChunk& chunk : index_.chunks_within(log_start_, flushed_end_)) {
    const std::int64_t youngest =
        chunk.facts.max_timestamp >= 0 ? chunk.facts.max_timestamp : chunk.stored.modified_ns / 1'000'000;
    if (!goes(youngest, chunk.facts.record_bytes)) break;
    start = chunk.facts.end;
  }
  // With ack=broker, what is not in a file yet may be old enough, too.
  for (const Sent& sent : sent_) {
    const auto& header = sent.batch.header;
    if (!sent.committed || start < header.base_offset) break;
    if (start >= header.next_offset()) continue;
    if (!goes(header.max_timestamp >= 0 ? header.max_timestamp : sent.since_ms, sent.batch.size())) break;
    start = header.next_offset();
  }
  if (start <= log_start_) co_return;
  auto trimmed = co_await trim_before(std::min(start, committed_end_));
  if (!trimmed)
    module_log().warn("event=retention_failed directory={} error=\"{}\"", place_.directory,
                      trimmed.error().message);
}

Task<void> BrokerLog::keep_house(std::int64_t age_now_ms) {
  const auto self = shared_from_this();
  const Job job(*this);
  if (!check_owner()) co_return;
  if (place_.shared) {
    follow_older();
    co_return;
  }
  if (!index_.empty() && index_.files().front().end <= log_start_) co_await drop_below_start();
  co_await retain(age_now_ms);
}

// The broker's files are its own as long as it may add to them; compaction has no place on this path.
std::vector<CleanableRange> BrokerLog::cleanable(Offset /*end*/) const { return {}; }

Task<Result<void>> BrokerLog::replace(CleanableRange /*range*/, BatchSource /*batches*/) {
  co_return fail(ErrorCode::invalid_request, "logs on the broker path are not compacted");
}

}  // namespace tidegate::storage::seaweedmq
