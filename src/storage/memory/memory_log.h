// One partition in memory. Lives on its owner shard and never waits: what a call does is done when it
// returns, and the task it gives is ready. So appends are in the log in call order, the high watermark
// is the log end, and everything is as durable as it will ever be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "memory_quota.h"
#include "segment.h"
#include "tidegate/base/clock.h"
#include "tidegate/storage/batch_search.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage {

class MemoryLog final : public PartitionLog {
 public:
  MemoryLog(LogConfig config, std::shared_ptr<MemoryQuota> quota, const Clock& clock);
  ~MemoryLog() override;

  Task<Result<Appended>> append(LeaderEpoch epoch, std::vector<protocol::RecordBatch> batches) override;
  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<ReadResult>> read(Offset from, ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override;
  std::span<const EpochStart> epochs() const override;
  Task<Result<TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) override;
  Task<Result<TimestampedOffset>> max_timestamp(Offset end) override;
  Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                std::size_t max_batches) override;
  Task<Result<Offset>> trim_before(Offset offset) override;
  std::size_t size_bytes() const override;
  std::vector<CleanableRange> cleanable(Offset end) const override;
  Task<Result<void>> replace(CleanableRange range, BatchSource batches) override;
  Task<Result<void>> flush() override;
  void set_listener(std::function<void(const LogOffsets&)> listener) override;

  void apply_config(const LogConfig& config) { config_ = config; }
  // Retention and roll by time. `wall_ms` is the age to judge by: the engine's clock without jumps.
  void housekeeping(std::int64_t wall_ms);
  // The topic is gone: lets go of everything and refuses from now on.
  void remove();

 private:
  // What the calls above do, without the task around it.
  Result<Appended> append_now(LeaderEpoch epoch, const std::vector<protocol::RecordBatch>& batches);
  Result<ReadResult> read_now(Offset from, const ReadLimits& limits) const;
  Result<TimestampedOffset> search_time(std::int64_t timestamp_ms, Offset end) const;
  Result<TimestampedOffset> search_latest(Offset end) const;
  std::vector<protocol::BatchHeader> headers(Offset from, Offset end, std::size_t max_batches) const;
  Result<void> replace_now(const CleanableRange& range, const std::vector<protocol::RecordBatch>& batches);

  Result<void> check_alive() const;
  bool is_sealed(const Segment& segment) const;
  void place(const protocol::RecordBatch& batch, std::int64_t wall_ms);
  bool must_roll(const protocol::RecordBatch& batch) const;
  bool rolls_by_time(const Segment& active) const;
  // Raises log start and drops what lies below.
  void start_at(Offset offset);
  void drop_front();
  std::size_t find_segment(Offset offset) const;
  OffsetRange visible(Offset end) const { return {.begin = log_start_, .end = end}; }
  void tell();

  LogConfig config_;
  const std::shared_ptr<MemoryQuota> quota_;
  const Clock& clock_;
  // Ascending, back to back; all but the last are sealed.
  std::deque<Segment> segments_;
  bool active_sealed_ = false;  // rolled by time: the next append opens a segment
  Offset log_start_ = 0;
  Offset log_end_ = 0;
  bool removed_ = false;
  std::function<void(const LogOffsets&)> listener_;
};

}  // namespace tidegate::storage
