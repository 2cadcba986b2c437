#include "fault_log.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/suspend.h"
#include "tidegate/storage/batch_patch.h"

namespace tidegate::test {

using storage::Appended;
using storage::LogOffsets;
using storage::ReadLimits;
using storage::ReadResult;

namespace {

std::unexpected<Error> injected(const char* what) {
  return fail(ErrorCode::kafka_storage_error, std::string("injected: ") + what);
}

}  // namespace

Task<void> delay(FaultControls& faults) {
  for (unsigned turns = faults.delay_turns(); turns > 0 || faults.hangs(); turns -= turns > 0 ? 1 : 0) {
    auto one_turn = [](Resume resume) { Shard::current()->post(std::move(resume)); };
    co_await suspend(one_turn);
  }
}

FaultLog::FaultLog(std::shared_ptr<storage::PartitionLog> inner, FaultControls& faults)
    : inner_(std::move(inner)), faults_(faults), last_told_end_(inner_->offsets().log_end) {
  inner_->set_listener([this](const LogOffsets&) { tell(); });
}

FaultLog::~FaultLog() { inner_->set_listener(nullptr); }

// ------------------------------------------------------------------------------------------ append

Task<Result<Appended>> FaultLog::append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) {
  if (faults_.strikes(&FaultRates::full_queue)) return refuse_full();
  // What is started behind a failing append fails with it.
  if (refusals_under_way_ > 0 || faults_.strikes(&FaultRates::append_error)) {
    ++refusals_under_way_;
    return refuse();
  }
  if (faults_.holds_tails() && epoch == inner_->leader_epoch()) return confirm_held(hold(batches));
  return confirm(inner_->append(epoch, std::move(batches)));
}

Task<Result<Appended>> FaultLog::refuse() {
  co_await delay(faults_);
  --refusals_under_way_;
  co_return injected("append");
}

Task<Result<Appended>> FaultLog::refuse_full() {
  co_return fail(ErrorCode::throttling_quota_exceeded, "injected: full queue");
}

Task<Result<Appended>> FaultLog::confirm(Task<Result<Appended>> appending) {
  const std::size_t cuts = cuts_.size();
  auto appended = co_await std::move(appending);
  co_await delay(faults_);
  if (appended && lost_since(cuts, appended->log_end)) co_return injected("append rolled back");
  co_return appended;
}

Task<Result<Appended>> FaultLog::confirm_held(Appended appended) {
  const std::size_t cuts = cuts_.size();
  co_await delay(faults_);
  if (lost_since(cuts, appended.log_end)) co_return injected("append rolled back");
  co_return appended;
}

Appended FaultLog::hold(const std::vector<protocol::RecordBatch>& batches) {
  Appended appended{.base_offset = held_end()};
  for (const auto& batch : batches) {
    protocol::RecordBatch kept = batch;
    kept.header.base_offset = held_end();
    kept.header.partition_leader_epoch = inner_->leader_epoch();
    kept.bytes = storage::patched_copy(batch.bytes, {.base_offset = kept.header.base_offset,
                                                     .leader_epoch = kept.header.partition_leader_epoch});
    held_.push_back(std::move(kept));
  }
  appended.log_end = held_end();
  return appended;
}

// ------------------------------------------------------------------------------------- durability

Task<Result<void>> FaultLog::wait_durable(Offset end) {
  // Counted before the delay: what is lost during it was this caller's.
  const std::size_t cuts = cuts_.size();
  co_await delay(faults_);
  co_return co_await sync(end, cuts);
}

Task<Result<void>> FaultLog::flush() {
  auto moved = co_await sync(held_end(), cuts_.size());
  if (!moved) co_return moved;
  co_return co_await inner_->flush();
}

Task<Result<void>> FaultLog::sync(Offset end, std::size_t cuts_before) {
  while (!held_.empty() && end > held_.front().header.base_offset && !lost_since(cuts_before, end)) {
    if (syncing_) {
      co_await synced_.wait();
    } else if (faults_.strikes(&FaultRates::lost_tail)) {
      lose_tail();
    } else {
      auto moved = co_await move_tail_inwards();
      if (!moved) co_return moved;
    }
  }
  if (lost_since(cuts_before, end)) co_return injected("tail lost");
  co_return co_await inner_->wait_durable(end);
}

bool FaultLog::lost_since(std::size_t cuts_before, Offset end) const {
  return std::any_of(cuts_.begin() + static_cast<std::ptrdiff_t>(cuts_before), cuts_.end(),
                     [end](Offset cut) { return cut < end; });
}

Task<Result<void>> FaultLog::move_tail_inwards() {
  syncing_ = true;
  std::vector<protocol::RecordBatch> tail(held_.begin(), held_.end());
  auto moved = co_await inner_->append(inner_->leader_epoch(), tail);
  syncing_ = false;
  synced_.notify_all();
  if (!moved) {
    lose_tail();
    co_return fail(std::move(moved.error()));
  }
  TIDEGATE_ASSERT(moved->base_offset == tail.front().header.base_offset);
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(tail.size()));
  tell();
  co_return Result<void>{};
}

void FaultLog::lose_tail() {
  // What is already on its way to the inner log is as good as written.
  if (held_.empty() || syncing_) return;
  held_.clear();
  cuts_.push_back(inner_->offsets().log_end);
  synced_.notify_all();
  tell();
}

// -------------------------------------------------------------------------------------------- read

Task<Result<ReadResult>> FaultLog::read(Offset from, ReadLimits limits) {
  co_await delay(faults_);
  if (faults_.strikes(&FaultRates::read_error)) co_return injected("read");
  const bool is_short = faults_.strikes(&FaultRates::short_read);
  if (!held_.empty() && from >= held_.front().header.base_offset) co_return read_held(from, limits);
  if (!is_short) co_return co_await inner_->read(from, limits);
  ReadLimits one_batch = limits;
  one_batch.max_bytes = 1;
  one_batch.at_least_one_batch = true;
  auto first = co_await inner_->read(from, one_batch);
  // Only where the caller's own limits allow that batch.
  if (!first || limits.at_least_one_batch || first->size_bytes <= limits.max_bytes) co_return first;
  co_return co_await inner_->read(from, limits);
}

Result<ReadResult> FaultLog::read_held(Offset from, const ReadLimits& limits) const {
  ReadResult result{.next_offset = from};
  if (from > held_end()) return fail(ErrorCode::offset_out_of_range, "above the log end");
  for (const auto& batch : held_) {
    if (batch.header.next_offset() <= from) continue;
    const bool fits = result.size_bytes + batch.bytes.size() <= limits.max_bytes ||
                      (limits.at_least_one_batch && result.batches == 0);
    if (!fits || batch.header.next_offset() > limits.end) break;
    result.chunks.push_back(batch.bytes);
    result.size_bytes += batch.bytes.size();
    ++result.batches;
    result.next_offset = batch.header.next_offset();
  }
  return result;
}

std::size_t FaultLog::readable_bytes(Offset from, Offset end) const {
  std::size_t bytes = inner_->readable_bytes(from, end);
  for (const auto& batch : held_) {
    if (batch.header.next_offset() > from && batch.header.next_offset() <= end) bytes += batch.bytes.size();
  }
  return bytes;
}

Task<Result<std::vector<protocol::BatchHeader>>> FaultLog::scan_headers(Offset from, Offset end,
                                                                        std::size_t max_batches) {
  co_await delay(faults_);
  if (faults_.strikes(&FaultRates::read_error)) co_return injected("scan_headers");
  auto headers = co_await inner_->scan_headers(from, end, max_batches);
  if (!headers) co_return headers;
  for (const auto& batch : held_) {
    if (headers->size() >= max_batches || batch.header.base_offset >= end) break;
    if (batch.header.next_offset() > from) headers->push_back(batch.header);
  }
  co_return headers;
}

// By time only what the high watermark covers is asked for: that is never held.
Task<Result<storage::TimestampedOffset>> FaultLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  co_await delay(faults_);
  if (faults_.strikes(&FaultRates::read_error)) co_return injected("offset_for_time");
  co_return co_await inner_->offset_for_time(timestamp_ms, end);
}

Task<Result<storage::TimestampedOffset>> FaultLog::max_timestamp(Offset end) {
  co_await delay(faults_);
  if (faults_.strikes(&FaultRates::read_error)) co_return injected("max_timestamp");
  co_return co_await inner_->max_timestamp(end);
}

// ------------------------------------------------------------------------------------------- other

LogOffsets FaultLog::offsets() const {
  LogOffsets offsets = inner_->offsets();
  offsets.log_end = held_end();
  return offsets;
}

Offset FaultLog::held_end() const {
  return held_.empty() ? inner_->offsets().log_end : held_.back().header.next_offset();
}

std::size_t FaultLog::size_bytes() const {
  std::size_t bytes = inner_->size_bytes();
  for (const auto& batch : held_) bytes += batch.bytes.size();
  return bytes;
}

void FaultLog::set_listener(std::function<void(const LogOffsets&)> listener) {
  listener_ = std::move(listener);
}

void FaultLog::tell() {
  const LogOffsets now = offsets();
  if (!faults_.holds_tails() && now.log_end < last_told_end_) cuts_.push_back(now.log_end);
  last_told_end_ = now.log_end;
  if (listener_) listener_(now);
}

}  // namespace tidegate::test
