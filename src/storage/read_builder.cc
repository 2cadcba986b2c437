#include "tidegate/storage/read_builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "small_batch.h"

namespace tidegate::storage {

bool ReadBuilder::add(const protocol::BatchHeader& header, const SharedBuffer& front,
                      const SharedBuffer& rest) {
  const std::size_t size = front.size() + rest.size();
  const bool first_rule = limits_.at_least_one_batch && result_.batches == 0;
  const bool fits = size <= limits_.max_bytes - std::min(limits_.max_bytes, result_.size_bytes);
  if (header.next_offset() > limits_.end || (!fits && !first_rule)) return false;
  result_.size_bytes += size;
  ++result_.batches;
  result_.next_offset = header.next_offset();
  if (size <= kSmallBatch && rest.empty()) {
    run_.push_back(front);
    run_bytes_ += size;
    return true;
  }
  join_run();
  result_.chunks.push_back(front);
  if (!rest.empty()) result_.chunks.push_back(rest);
  return true;
}

void ReadBuilder::join_run() {
  if (run_.size() == 1) {
    result_.chunks.push_back(std::move(run_.front()));
  } else if (!run_.empty()) {
    MutableBuffer joined(run_bytes_);
    std::size_t at = 0;
    for (const SharedBuffer& piece : run_) {
      std::memcpy(joined.data() + at, piece.data(), piece.size());
      at += piece.size();
    }
    result_.chunks.push_back(std::move(joined).freeze());
  }
  run_.clear();
  run_bytes_ = 0;
}

ReadResult ReadBuilder::take() {
  join_run();
  return std::move(result_);
}

}  // namespace tidegate::storage
