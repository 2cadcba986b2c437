#include "segment.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tidegate/base/assert.h"

namespace tidegate::storage {

namespace {

// Below this a shared slice and a header of its own cost more than one copy.
constexpr std::size_t kAlwaysCopyBytes = 1024;
constexpr std::size_t kPinnedFactor = 4;
// The entry in the segment's tables and the headers of up to two buffers.
constexpr std::size_t kEntryBytes = sizeof(StoredBatch) + sizeof(std::size_t) + 48;

bool worth_copying(const SharedBuffer& bytes) {
  return bytes.size() <= kAlwaysCopyBytes || bytes.size() < bytes.pinned_bytes() / kPinnedFactor;
}

std::size_t shared_charge(const SharedBuffer& bytes) { return std::max(bytes.pinned_bytes(), bytes.size()); }

}  // namespace

std::size_t charge_of(const protocol::RecordBatch& batch) {
  if (worth_copying(batch.bytes)) return batch.bytes.size() + kEntryBytes;
  return shared_charge(batch.bytes) + protocol::kBatchHeaderBytes + kEntryBytes;
}

StoredBatch store_batch(const protocol::RecordBatch& batch, BatchPosition position) {
  StoredBatch stored{.header = batch.header, .charged_bytes = charge_of(batch)};
  stored.header.base_offset = position.base_offset;
  stored.header.partition_leader_epoch = position.leader_epoch;
  if (worth_copying(batch.bytes)) {
    stored.bytes = patched_copy(batch.bytes, position);
  } else {
    stored.bytes = batch.bytes;
    stored.patched_head = patched_header(batch.bytes, position);
  }
  return stored;
}

StoredBatch store_verbatim(const protocol::RecordBatch& batch) {
  const bool copy = worth_copying(batch.bytes);
  return {.header = batch.header,
          .bytes = copy ? SharedBuffer::copy_of(batch.bytes) : batch.bytes,
          .charged_bytes = charge_of(batch)};
}

void Segment::add(StoredBatch batch) {
  starts_.push_back(total_bytes_);
  total_bytes_ += batch.size_bytes();
  max_timestamp_ = std::max(max_timestamp_, batch.header.max_timestamp);
  batches_.push_back(std::move(batch));
}

void Segment::append(StoredBatch batch, std::int64_t wall_ms) {
  TIDEGATE_ASSERT(batch.header.base_offset == end_);
  end_ = batch.header.next_offset();
  last_append_ms_ = wall_ms;
  add(std::move(batch));
}

std::size_t Segment::drop_before(Offset offset) {
  std::size_t freed = 0;
  for (; first_ < batches_.size() && batches_[first_].header.next_offset() <= offset; ++first_) {
    StoredBatch& batch = batches_[first_];
    freed += batch.charged_bytes;
    dropped_bytes_ += batch.size_bytes();
    batch.bytes = {};
    batch.patched_head = {};
  }
  return freed;
}

void Segment::replace(std::vector<StoredBatch> batches) {
  batches_.clear();
  starts_.clear();
  first_ = 0;
  total_bytes_ = dropped_bytes_ = 0;
  max_timestamp_ = protocol::kNoTimestamp;
  for (auto& batch : batches) add(std::move(batch));
}

std::size_t Segment::charged_bytes() const {
  const auto kept = batches();
  return std::accumulate(kept.begin(), kept.end(), std::size_t{0},
                         [](std::size_t sum, const StoredBatch& batch) { return sum + batch.charged_bytes; });
}

std::size_t Segment::find(Offset offset) const {
  const auto kept = batches();
  const auto found = std::ranges::partition_point(
      kept, [&](const StoredBatch& batch) { return batch.header.next_offset() <= offset; });
  return static_cast<std::size_t>(found - kept.begin());
}

std::size_t Segment::bytes_between(Offset from, Offset end) const {
  const auto kept = batches();
  const std::size_t begin_at = find(from);
  const auto behind =
      std::partition_point(kept.begin() + static_cast<std::ptrdiff_t>(begin_at), kept.end(),
                           [&](const StoredBatch& batch) { return batch.header.next_offset() <= end; });
  const std::size_t end_at = static_cast<std::size_t>(behind - kept.begin());
  const auto start = [&](std::size_t at) {
    return first_ + at < starts_.size() ? starts_[first_ + at] : total_bytes_;
  };
  return start(end_at) - start(begin_at);
}

}  // namespace tidegate::storage
