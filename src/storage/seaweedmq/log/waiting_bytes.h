// Bytes of appends that are not stored yet: those of one log, which are a part of those of all logs of its
// shard. Shard-local.
#pragma once

#include <cstddef>

#include "tidegate/base/assert.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

class WaitingBytes {
 public:
  // `of_all` is the shard's, and outlives this.
  explicit WaitingBytes(std::size_t& of_all) : of_all_(of_all) {}
  ~WaitingBytes() { of_all_ -= bytes_; }
  WaitingBytes(const WaitingBytes&) = delete;

  std::size_t bytes() const { return bytes_; }
  // throttling_quota_exceeded when `bytes` more would go beyond what one log may have (`limit`), or all of
  // them
  // (`limit_of_all`). A log of which nothing waits always has room for one append: others that are held up do
  // not hold up this one.
  Result<void> check_room(std::size_t bytes, std::size_t limit, std::size_t limit_of_all) const {
    if (bytes_ == 0) return {};
    if (bytes_ + bytes > limit)
      return fail(ErrorCode::throttling_quota_exceeded, "the partition's append queue is full");
    if (of_all_ + bytes > limit_of_all)
      return fail(ErrorCode::throttling_quota_exceeded, "the append queues of all partitions are full");
    return {};
  }
  void add(std::size_t bytes) {
    bytes_ += bytes;
    of_all_ += bytes;
  }
  void remove(std::size_t bytes) {
    TIDEGATE_ASSERT(bytes <= bytes_);
    bytes_ -= bytes;
    of_all_ -= bytes;
  }

 private:
  std::size_t& of_all_;
  std::size_t bytes_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
