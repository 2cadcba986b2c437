// What a partition log is, in the plainest code: records in a vector. The random walk compares every
// engine with it. It knows nothing of segments, bytes or files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/batches.h"
#include "tidegate/storage/engine.h"

namespace tidegate::test {

class ReferenceLog {
 public:
  Offset append(const std::vector<protocol::RecordBatch>& batches, LeaderEpoch epoch) {
    const Offset base = end_;
    for (auto batch : batches) {
      batch.header.base_offset = end_;
      batches_.push_back(
          {.base = end_, .end = batch.header.next_offset(), .epoch = epoch, .records = records_of(batch)});
      end_ = batch.header.next_offset();
    }
    return base;
  }

  void trim_before(Offset offset) {
    start_ = std::max(start_, offset);
    std::erase_if(batches_, [&](const Batch& batch) { return batch.end <= start_; });
  }

  void replace(const storage::CleanableRange& range, const std::vector<Offset>& kept_bases) {
    std::erase_if(batches_, [&](const Batch& batch) {
      return batch.end > range.begin && batch.end <= range.end && !std::ranges::count(kept_bases, batch.base);
    });
  }

  bool in_range(Offset from) const { return from >= start_ && from <= end_; }

  // Every record of the batches that a reader from `from` to `end` may see.
  std::vector<ReadRecord> read(Offset from, Offset end) const {
    std::vector<ReadRecord> all;
    for (const auto& batch : batches_) {
      if (batch.end <= from || batch.end > end) continue;
      all.insert(all.end(), batch.records.begin(), batch.records.end());
    }
    return all;
  }

  storage::TimestampedOffset offset_for_time(std::int64_t timestamp_ms, Offset end) const {
    for (const auto& record : visible(end)) {
      if (record.timestamp >= timestamp_ms) return found(record);
    }
    return {};
  }

  storage::TimestampedOffset max_timestamp(Offset end) const {
    storage::TimestampedOffset latest;
    for (const auto& record : visible(end)) {
      if (record.timestamp > latest.timestamp) latest = found(record);
    }
    return latest;
  }

  std::vector<Offset> bases(Offset from, Offset end) const {
    std::vector<Offset> all;
    for (const auto& batch : batches_) {
      if (batch.end > from && batch.base < end) all.push_back(batch.base);
    }
    return all;
  }

  Offset start() const { return start_; }
  Offset end() const { return end_; }

 private:
  struct Batch {
    Offset base = 0;
    Offset end = 0;
    LeaderEpoch epoch = 0;
    std::vector<ReadRecord> records;
  };

  std::vector<ReadRecord> visible(Offset end) const {
    std::vector<ReadRecord> all;
    for (const auto& batch : batches_) {
      for (const auto& record : batch.records) {
        if (record.offset >= start_ && record.offset < end) all.push_back(record);
      }
    }
    return all;
  }
  storage::TimestampedOffset found(const ReadRecord& record) const {
    const auto holds = [&](const Batch& batch) {
      return record.offset >= batch.base && record.offset < batch.end;
    };
    const auto in = std::ranges::find_if(batches_, holds);
    return {.offset = record.offset, .timestamp = record.timestamp, .leader_epoch = in->epoch};
  }

  std::vector<Batch> batches_;
  Offset start_ = 0;
  Offset end_ = 0;
};

}  // namespace tidegate::test
