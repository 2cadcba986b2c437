// SeaweedMQ's log files: frames of {u32 big-endian length, protobuf LogEntry}. Written by hand, because this
// is the hot path: the record bytes of a frame are never copied, neither when it is written (they follow its
// head as a buffer of their own) nor when it is read (views into the chunk). Pure; any thread.
//
// LogEntry: ts_ns = 1 (varint), partition_key_hash = 2 (varint), data = 3, key = 4 (bytes), offset = 5
// (varint); 100 (bytes) is ours, and other readers pass over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tidegate/base/bytes.h"
#include "tidegate/base/ids.h"
#include "tidegate/base/result.h"

namespace tidegate::storage::seaweedmq {

inline constexpr std::size_t kFrameLengthBytes = 4;
// SeaweedMQ's own limit of one entry is 1 GiB.
inline constexpr std::size_t kMaxFrameBytes = 1U << 30;

struct LogEntry {
  std::int64_t ts_ns = 0;
  std::int32_t partition_key_hash = 0;
  Offset offset = 0;
  ByteView key;
  ByteView extra;  // field 100; empty: none
  ByteView data;
};

// Everything of a frame but its data, of which `data_bytes` have to follow (`entry.data` does not count).
// Data is the last field for that reason; protobuf readers take the fields in any order.
void put_frame_head(std::string& out, const LogEntry& entry, std::size_t data_bytes);
// What put_frame_head() would append.
std::size_t frame_head_bytes(const LogEntry& entry, std::size_t data_bytes);

// Without the length in front. corrupt_message when it is no LogEntry.
Result<LogEntry> parse_log_entry(ByteView bytes);

// Walks the frames of one chunk; the views live as long as its bytes.
class FrameReader {
 public:
  explicit FrameReader(ByteView chunk) : chunk_(chunk) {}

  // nullopt at the end; corrupt_message for a frame that reaches over the end or holds no LogEntry, and from
  // then on.
  std::optional<Result<LogEntry>> next();
  // Of the frame that next() gave last, in the chunk.
  std::size_t position() const { return position_; }

 private:
  ByteView chunk_;
  std::size_t position_ = 0;
  std::size_t next_ = 0;
  bool broken_ = false;
};

}  // namespace tidegate::storage::seaweedmq
