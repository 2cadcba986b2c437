// The partition log of FaultEngine. Lives on the partition's owner shard.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "fault_engine.h"
#include "tidegate/runtime/event.h"

namespace tidegate::test {

// The caller goes on some turns of its shard later, when a delay strikes.
Task<void> delay(FaultControls& faults);

class FaultLog final : public storage::PartitionLog {
 public:
  FaultLog(std::shared_ptr<storage::PartitionLog> inner, FaultControls& faults);
  ~FaultLog() override;

  const std::shared_ptr<storage::PartitionLog>& inner() const { return inner_; }
  void lose_tail();

  Task<Result<storage::Appended>> append(LeaderEpoch epoch,
                                         std::vector<protocol::RecordBatch> batches) override;
  Task<Result<void>> wait_durable(Offset end) override;
  Task<Result<storage::ReadResult>> read(Offset from, storage::ReadLimits limits) override;
  std::size_t readable_bytes(Offset from, Offset end) const override;
  storage::LogOffsets offsets() const override;
  LeaderEpoch leader_epoch() const override { return inner_->leader_epoch(); }
  std::span<const storage::EpochStart> epochs() const override { return inner_->epochs(); }
  Task<Result<storage::TimestampedOffset>> offset_for_time(std::int64_t timestamp_ms, Offset end) override;
  Task<Result<storage::TimestampedOffset>> max_timestamp(Offset end) override;
  Task<Result<std::vector<protocol::BatchHeader>>> scan_headers(Offset from, Offset end,
                                                                std::size_t max_batches) override;
  Task<Result<Offset>> trim_before(Offset offset) override { return inner_->trim_before(offset); }
  std::size_t size_bytes() const override;
  std::vector<storage::CleanableRange> cleanable(Offset end) const override { return inner_->cleanable(end); }
  Task<Result<void>> replace(storage::CleanableRange range, storage::BatchSource batches) override {
    return inner_->replace(range, std::move(batches));
  }
  Task<Result<void>> flush() override;
  void set_listener(std::function<void(const storage::LogOffsets&)> listener) override;

 private:
  Task<Result<storage::Appended>> confirm(Task<Result<storage::Appended>> appending);
  Task<Result<storage::Appended>> confirm_held(storage::Appended appended);
  Task<Result<storage::Appended>> refuse();
  static Task<Result<storage::Appended>> refuse_full();
  Task<Result<void>> sync(Offset end, std::size_t cuts_before);
  Task<Result<void>> move_tail_inwards();
  storage::Appended hold(const std::vector<protocol::RecordBatch>& batches);
  Result<storage::ReadResult> read_held(Offset from, const storage::ReadLimits& limits) const;
  Offset held_end() const;
  // Whether the log was cut below `end` since there were `cuts_before` cuts.
  bool lost_since(std::size_t cuts_before, Offset end) const;
  void tell();

  std::shared_ptr<storage::PartitionLog> inner_;
  FaultControls& faults_;
  std::deque<protocol::RecordBatch> held_;  // behind the inner log's end, offsets assigned
  bool syncing_ = false;
  Event synced_;
  std::vector<Offset> cuts_;  // where each rollback left the log end
  unsigned refusals_under_way_ = 0;
  Offset last_told_end_ = 0;
  std::function<void(const storage::LogOffsets&)> listener_;
};

}  // namespace tidegate::test
