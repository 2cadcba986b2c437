// Where inflated bytes go when nobody can be trusted to say how many there will be: it doubles from a
// small start and ends one byte above the limit, so that "exactly the limit" and "more" can be told
// apart. At the peak of a doubling it holds less than twice the limit.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::protocol {

class GrowingOutput {
 public:
  // `input_bytes` guides the first size only.
  GrowingOutput(std::size_t input_bytes, std::size_t max_bytes)
      : ceiling_(max_bytes == std::numeric_limits<std::size_t>::max() ? max_bytes : max_bytes + 1),
        buffer_(std::min(ceiling_, std::max(kFirstBytes, saturated_times_four(input_bytes)))) {}

  std::size_t size() const { return used_; }
  bool over_limit() const { return used_ == ceiling_; }

  // Room for more bytes; empty only at the ceiling.
  MutableByteView room() {
    if (used_ == buffer_.size() && used_ < ceiling_) grow(used_ + 1);
    return buffer_.bytes().subspan(used_);
  }
  // Exactly `bytes` of room, or empty when that passes the limit.
  MutableByteView room_for(std::size_t bytes) {
    if (bytes >= ceiling_ - used_) return {};
    if (bytes > buffer_.size() - used_) grow(used_ + bytes);
    return buffer_.bytes().subspan(used_, bytes);
  }
  void commit(std::size_t bytes) {
    TIDEGATE_ASSERT(bytes <= buffer_.size() - used_);
    used_ += bytes;
  }
  SharedBuffer finish() && { return std::move(buffer_).freeze(used_); }

 private:
  static constexpr std::size_t kFirstBytes = 16U << 10;

  static std::size_t saturated_times_four(std::size_t bytes) {
    return bytes > (std::numeric_limits<std::size_t>::max() >> 2) ? bytes : bytes * 4;
  }
  void grow(std::size_t at_least) {
    const std::size_t doubled = buffer_.size() > ceiling_ / 2 ? ceiling_ : buffer_.size() * 2;
    MutableBuffer larger(std::min(ceiling_, std::max(doubled, at_least)));
    if (used_ > 0) std::memcpy(larger.data(), buffer_.data(), used_);
    buffer_ = std::move(larger);
  }

  std::size_t ceiling_;
  MutableBuffer buffer_;
  std::size_t used_ = 0;
};

}  // namespace tidegate::protocol
