// Layout `batch`: one LogEntry holds one Kafka record batch as it is. Its offset is the batch's base offset,
// its key {8 bytes base offset, 4 bytes count of offsets}, big-endian, so that no reader takes it for a
// control entry (those have no key). Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "log_entry.h"
#include "tidegate/base/shared_buffer.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::storage::seaweedmq {

inline constexpr std::size_t kBatchKeyBytes = 12;

std::string batch_key(const protocol::BatchHeader& header);

// The batch inside of `entry`, which came from `chunk`: a slice of it. corrupt_message when it is none, or
// when key, offset and header do not fit together. The CRC is the caller's to check.
Result<protocol::RecordBatch> batch_of_entry(const LogEntry& entry, const SharedBuffer& chunk);

// A batch's way into a chunk, in pieces that lie one behind the other: the frame's head with the batch's
// first bytes, and the rest uncopied.
class ChunkBuilder {
 public:
  // `front` and `rest` together are the batch, as it is to be stored.
  void add(const protocol::BatchHeader& header, const SharedBuffer& front, const SharedBuffer& rest,
           std::int64_t ts_ns);
  std::size_t size_bytes() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }
  // The builder is empty afterwards.
  std::vector<SharedBuffer> take();

 private:
  struct Piece {
    std::size_t head_end = 0;  // of what lies in heads_
    SharedBuffer rest;
  };
  std::string heads_;
  std::vector<Piece> pieces_;
  std::size_t size_bytes_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
