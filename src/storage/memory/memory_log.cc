#include "memory_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "tidegate/base/assert.h"

namespace tidegate::storage {

namespace {

// Memory is given back by whole segments' tables, so a segment is smaller here than on disk.
constexpr std::size_t kMaxSegmentBytes = 16U << 20;
constexpr std::size_t kMaxSegmentBatches = 16'384;
constexpr LeaderEpoch kOnlyEpoch = 0;
constexpr std::array<EpochStart, 1> kEpochs{EpochStart{.epoch = kOnlyEpoch, .start = 0}};

template <class T>
Task<T> ready(T value) {
  co_return value;
}

}  // namespace

MemoryLog::MemoryLog(LogConfig config, std::shared_ptr<MemoryQuota> quota, const Clock& clock)
    : config_(config), quota_(std::move(quota)), clock_(clock) {}

MemoryLog::~MemoryLog() { remove(); }

// ------------------------------------------------------------------------------------------ append

Task<Result<Appended>> MemoryLog::append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) {
  return ready(append_now(epoch, batches));
}

Result<Appended> MemoryLog::append_now(LeaderEpoch epoch, const std::vector<protocol::RecordBatch>& batches) {
  if (auto alive = check_alive(); !alive) return fail(std::move(alive.error()));
  if (epoch != kOnlyEpoch) {
    return fail(ErrorCode::not_leader_or_follower,
                fmt::format("leader epoch {} is not the current {}", epoch, kOnlyEpoch));
  }
  std::size_t charge = 0;
  for (const auto& batch : batches) {
    TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes());
    TIDEGATE_ASSERT(batch.header.last_offset_delta >= 0);
    charge += charge_of(batch);
  }
  if (!quota_->try_charge(charge)) {
    return fail(ErrorCode::kafka_storage_error,
                fmt::format("memory engine is full: {} bytes used of {}", quota_->used(), quota_->limit()));
  }
  const Appended appended{.base_offset = log_end_};
  const std::int64_t wall_ms = clock_.wall_ms();
  for (const auto& batch : batches) place(batch, wall_ms);
  if (!batches.empty()) tell();
  return Appended{.base_offset = appended.base_offset, .log_end = log_end_};
}

void MemoryLog::place(const protocol::RecordBatch& batch, std::int64_t wall_ms) {
  if (must_roll(batch)) {
    segments_.emplace_back(log_end_, clock_.now());
    active_sealed_ = false;
  }
  segments_.back().append(store_batch(batch, {.base_offset = log_end_, .leader_epoch = kOnlyEpoch}), wall_ms);
  log_end_ = segments_.back().end();
}

bool MemoryLog::must_roll(const protocol::RecordBatch& batch) const {
  if (segments_.empty() || active_sealed_) return true;
  const Segment& active = segments_.back();
  const std::size_t limit =
      std::min(kMaxSegmentBytes, static_cast<std::size_t>(std::max<std::int64_t>(config_.segment_bytes, 1)));
  return active.size_bytes() + batch.bytes.size() > limit || active.batches().size() >= kMaxSegmentBatches ||
         rolls_by_time(active);
}

bool MemoryLog::rolls_by_time(const Segment& active) const {
  // In milliseconds: segment.ms may be as large as 2^63 - 1.
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - active.opened());
  return age.count() >= config_.segment_ms;
}

Task<Result<void>> MemoryLog::wait_durable(Offset end) {
  auto reached = check_alive();
  if (reached && end > log_end_) {
    reached =
        fail(ErrorCode::kafka_storage_error, fmt::format("offset {} is above log end {}", end, log_end_));
  }
  return ready(std::move(reached));
}

Task<Result<void>> MemoryLog::flush() { return ready(check_alive()); }

// -------------------------------------------------------------------------------------------- read

Task<Result<ReadResult>> MemoryLog::read(Offset from, ReadLimits limits) {
  return ready(read_now(from, limits));
}

Result<ReadResult> MemoryLog::read_now(Offset from, const ReadLimits& limits) const {
  if (auto alive = check_alive(); !alive) return fail(std::move(alive.error()));
  if (from < log_start_ || from > log_end_) {
    return fail(ErrorCode::offset_out_of_range,
                fmt::format("offset {} is outside of [{}, {}]", from, log_start_, log_end_));
  }
  ReadResult result{.next_offset = from};
  for (std::size_t at = find_segment(from); at < segments_.size(); ++at) {
    const auto batches = segments_[at].batches();
    for (std::size_t i = segments_[at].find(from); i < batches.size(); ++i) {
      const StoredBatch& batch = batches[i];
      const bool first_rule = limits.at_least_one_batch && result.batches == 0;
      const bool fits =
          batch.size_bytes() <= limits.max_bytes - std::min(limits.max_bytes, result.size_bytes);
      if (batch.header.next_offset() > limits.end || (!fits && !first_rule)) return result;
      if (batch.patched_head.empty()) {
        result.chunks.push_back(batch.bytes);
      } else {
        const std::size_t head = batch.patched_head.size();
        result.chunks.push_back(batch.patched_head);
        result.chunks.push_back(batch.bytes.slice(head, batch.bytes.size() - head));
      }
      result.size_bytes += batch.size_bytes();
      ++result.batches;
      result.next_offset = batch.header.next_offset();
    }
  }
  return result;
}

std::size_t MemoryLog::readable_bytes(Offset from, Offset end) const {
  std::size_t bytes = 0;
  for (std::size_t at = find_segment(from); at < segments_.size() && segments_[at].base() < end; ++at) {
    const Segment& segment = segments_[at];
    const bool whole = from <= segment.base() && segment.end() <= end;
    bytes += whole ? segment.size_bytes() : segment.bytes_between(from, end);
  }
  return bytes;
}

LogOffsets MemoryLog::offsets() const {
  return {.log_start = log_start_, .high_watermark = log_end_, .log_end = log_end_};
}

LeaderEpoch MemoryLog::leader_epoch() const { return kOnlyEpoch; }

std::span<const EpochStart> MemoryLog::epochs() const { return kEpochs; }

std::size_t MemoryLog::find_segment(Offset offset) const {
  const auto found = std::ranges::partition_point(
      segments_, [&](const Segment& segment) { return segment.end() <= offset; });
  return static_cast<std::size_t>(found - segments_.begin());
}

// ------------------------------------------------------------------------------------------ search

Task<Result<TimestampedOffset>> MemoryLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  return ready(search_time(timestamp_ms, end));
}

Result<TimestampedOffset> MemoryLog::search_time(std::int64_t timestamp_ms, Offset end) const {
  if (auto alive = check_alive(); !alive) return fail(std::move(alive.error()));
  for (const Segment& segment : segments_) {
    if (segment.base() >= end) break;
    if (segment.max_timestamp() < timestamp_ms) continue;
    for (const StoredBatch& batch : segment.batches()) {
      if (batch.header.base_offset >= end) break;
      if (batch.header.max_timestamp < timestamp_ms) continue;
      auto found = first_record_at_or_after(batch.as_batch(), timestamp_ms, visible(end));
      if (!found) return fail(std::move(found.error()));
      if (*found) return **found;
    }
  }
  return TimestampedOffset{};
}

Task<Result<TimestampedOffset>> MemoryLog::max_timestamp(Offset end) { return ready(search_latest(end)); }

Result<TimestampedOffset> MemoryLog::search_latest(Offset end) const {
  if (auto alive = check_alive(); !alive) return fail(std::move(alive.error()));
  TimestampedOffset latest;
  for (const Segment& segment : segments_) {
    if (segment.base() >= end) break;
    if (segment.max_timestamp() <= latest.timestamp) continue;
    // Records are looked at only where the header does not settle it: in the last batch that beats
    // all before it, and in those that reach over log start or `end`.
    const StoredBatch* best = nullptr;
    std::int64_t best_timestamp = latest.timestamp;
    for (const StoredBatch& batch : segment.batches()) {
      if (batch.header.base_offset >= end) break;
      // What compaction emptied still has its timestamp, and no record that has it.
      if (batch.header.max_timestamp <= best_timestamp || batch.header.records_count == 0) continue;
      const bool cut = batch.header.base_offset < log_start_ || batch.header.next_offset() > end;
      if (!cut) {
        best = &batch;
        best_timestamp = batch.header.max_timestamp;
        continue;
      }
      auto found = latest_record(batch.as_batch(), visible(end));
      if (!found) return fail(std::move(found.error()));
      if (*found && (*found)->timestamp > best_timestamp) {
        best = nullptr;
        latest = **found;
        best_timestamp = latest.timestamp;
      }
    }
    if (best == nullptr) continue;
    auto found = latest_record(best->as_batch(), visible(end));
    if (!found) return fail(std::move(found.error()));
    if (*found && (*found)->timestamp > latest.timestamp) latest = **found;
  }
  return latest;
}

Task<Result<std::vector<protocol::BatchHeader>>> MemoryLog::scan_headers(Offset from, Offset end,
                                                                         std::size_t max_batches) {
  auto alive = check_alive();
  if (!alive) return ready(Result<std::vector<protocol::BatchHeader>>(fail(std::move(alive.error()))));
  return ready(Result<std::vector<protocol::BatchHeader>>(headers(from, end, max_batches)));
}

std::vector<protocol::BatchHeader> MemoryLog::headers(Offset from, Offset end,
                                                      std::size_t max_batches) const {
  std::vector<protocol::BatchHeader> found;
  for (std::size_t at = find_segment(from); at < segments_.size(); ++at) {
    const auto batches = segments_[at].batches();
    for (std::size_t i = segments_[at].find(from); i < batches.size(); ++i) {
      if (found.size() >= max_batches || batches[i].header.base_offset >= end) return found;
      found.push_back(batches[i].header);
    }
  }
  return found;
}

// --------------------------------------------------------------------------------- trim, retention

Task<Result<Offset>> MemoryLog::trim_before(Offset offset) {
  auto alive = check_alive();
  if (!alive) return ready(Result<Offset>(fail(std::move(alive.error()))));
  if (offset > log_end_) {
    return ready(
        Result<Offset>(fail(ErrorCode::offset_out_of_range,
                            fmt::format("offset {} is above the high watermark {}", offset, log_end_))));
  }
  start_at(offset);
  return ready(Result<Offset>(log_start_));
}

void MemoryLog::start_at(Offset offset) {
  if (offset <= log_start_) return;
  log_start_ = offset;
  while (!segments_.empty() && segments_.front().end() <= offset) drop_front();
  if (!segments_.empty()) quota_->give_back(segments_.front().drop_before(offset));
  tell();
}

void MemoryLog::drop_front() {
  quota_->give_back(segments_.front().charged_bytes());
  segments_.pop_front();
}

void MemoryLog::housekeeping(std::int64_t wall_ms) {
  if (removed_ || segments_.empty()) return;
  if (rolls_by_time(segments_.back())) active_sealed_ = true;
  if (!config_.cleanup_delete) return;
  std::size_t remaining = size_bytes();
  Offset start = log_start_;
  for (const Segment& segment : segments_) {
    const bool too_old = config_.retention_ms >= 0 && wall_ms - segment.youngest_ms() > config_.retention_ms;
    const bool too_much =
        config_.retention_bytes >= 0 &&
        remaining - segment.size_bytes() >= static_cast<std::size_t>(config_.retention_bytes);
    if (!too_old && !too_much) break;
    remaining -= segment.size_bytes();
    start = segment.end();
  }
  start_at(start);
}

std::size_t MemoryLog::size_bytes() const {
  std::size_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.size_bytes();
  return bytes;
}

void MemoryLog::remove() {
  removed_ = true;
  listener_ = nullptr;
  while (!segments_.empty()) drop_front();
  log_start_ = log_end_;
}

// -------------------------------------------------------------------------------------- compaction

bool MemoryLog::is_sealed(const Segment& segment) const {
  return &segment != &segments_.back() || active_sealed_;
}

std::vector<CleanableRange> MemoryLog::cleanable(Offset end) const {
  std::vector<CleanableRange> ranges;
  for (const Segment& segment : segments_) {
    if (!is_sealed(segment) || segment.end() > end) break;
    if (segment.empty()) continue;  // compacted to nothing
    ranges.push_back({.begin = std::max(segment.base(), log_start_),
                      .end = segment.end(),
                      .size_bytes = segment.size_bytes()});
  }
  return ranges;
}

Task<Result<void>> MemoryLog::replace(CleanableRange range, BatchSource batches) {
  std::vector<protocol::RecordBatch> all;
  for (;;) {
    auto some = co_await batches();
    if (!some) co_return fail(std::move(some.error()));
    if (some->empty()) break;
    std::move(some->begin(), some->end(), std::back_inserter(all));
  }
  co_return replace_now(range, all);
}

Result<void> MemoryLog::replace_now(const CleanableRange& range,
                                    const std::vector<protocol::RecordBatch>& batches) {
  if (auto alive = check_alive(); !alive) return alive;
  const auto segment = std::ranges::find_if(segments_, [&](const Segment& candidate) {
    return is_sealed(candidate) && !candidate.empty() && candidate.end() == range.end &&
           std::max(candidate.base(), log_start_) == range.begin;
  });
  if (segment == segments_.end()) {
    return fail(ErrorCode::invalid_request, fmt::format("[{}, {}) is not cleanable", range.begin, range.end));
  }
  // The first batch may begin below log start, as the one it stands for does.
  Offset next = segment->batches().front().header.base_offset;
  std::size_t charge = 0;
  for (const auto& batch : batches) {
    TIDEGATE_ASSERT(batch.bytes.size() == batch.header.size_bytes());
    if (batch.header.base_offset < next || batch.header.last_offset_delta < 0 ||
        batch.header.next_offset() > range.end) {
      return fail(ErrorCode::invalid_request, fmt::format("batch at {} does not fit into [{}, {})",
                                                          batch.header.base_offset, next, range.end));
    }
    next = batch.header.next_offset();
    charge += charge_of(batch);
  }
  // What goes makes the room: a full engine is the one that needs compaction most.
  const std::size_t before = segment->charged_bytes();
  if (charge > before && !quota_->try_charge(charge - before)) {
    return fail(ErrorCode::kafka_storage_error, "memory engine is full");
  }
  std::vector<StoredBatch> stored;
  stored.reserve(batches.size());
  for (const auto& batch : batches) stored.push_back(store_verbatim(batch));
  segment->replace(std::move(stored));
  if (charge < before) quota_->give_back(before - charge);
  return {};
}

// ------------------------------------------------------------------------------------------- other

void MemoryLog::set_listener(std::function<void(const LogOffsets&)> listener) {
  if (!removed_) listener_ = std::move(listener);
}

void MemoryLog::tell() {
  if (listener_) listener_(offsets());
}

Result<void> MemoryLog::check_alive() const {
  if (removed_) return fail(ErrorCode::unknown_topic_or_partition, "the topic was removed");
  return {};
}

}  // namespace tidegate::storage
