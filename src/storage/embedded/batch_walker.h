// Walks the batches of one segment file in order and says of each whether it can be what was appended:
// place, size, offset, leader epoch and, where asked for, the CRC. Recovery, index rebuilding, timestamp
// search and the search for a read's first batch go through it. Used on one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "epochs.h"
#include "tidegate/protocol/record_batch.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

// A stretch of a segment file and what is known of the offsets in it.
struct WalkRange {
  std::uint64_t position = 0;
  std::uint64_t end_position = 0;
  Offset expected = 0;    // of the first batch
  Offset end_offset = 0;  // no batch reaches above; kOpenEnd: not known
  bool gaps = false;      // compacted: offsets may be left out
};

inline constexpr Offset kOpenEnd = std::numeric_limits<Offset>::max();

struct WalkOptions {
  bool check_crc = false;
  bool cached_only = false;              // fail with would_block() rather than wait for the disk
  std::size_t window_bytes = 16U << 10;  // read at a time
};

// Whether `header` can stand where `expected` is due: offset, length, epoch. The CRC is another matter.
bool header_fits(const protocol::BatchHeader& header, const WalkRange& range,
                 const std::vector<EpochStart>& epochs);

class BatchWalker {
 public:
  enum class Step { batch, end, damaged, failed };

  BatchWalker(VfsFile& file, WalkRange range, EpochTable epochs, WalkOptions options);

  // Looks at the batch at position(). `end` at end_position or when end_offset is reached; `damaged`
  // when what is there is no good batch; `failed` on an I/O error.
  Step look();
  // Steps over the batch that look() found.
  void pass();
  // After `damaged`: looks byte by byte for the next good batch. False when there is none, or when too
  // much that looked like one was not: the work stays within a few times the size of the range.
  bool resync();

  const protocol::BatchHeader& header() const { return header_; }
  std::uint64_t position() const { return range_.position; }
  Offset expected() const { return range_.expected; }
  const IoError& error() const { return error_; }
  // All bytes of the batch that look() found; empty on an I/O error or a file that got shorter.
  ByteView batch_bytes();

 private:
  bool load(std::uint64_t at, std::size_t bytes);
  bool is_followed_up(WalkRange at, const protocol::BatchHeader& header);
  ByteView window(std::uint64_t at, std::size_t bytes) const;

  VfsFile& file_;
  WalkRange range_;
  EpochTable epochs_;
  WalkOptions options_;
  std::vector<std::uint8_t> window_;
  std::uint64_t window_at_ = 0;
  std::size_t window_size_ = 0;
  std::uint64_t resync_from_ = 0;  // behind the start of the last batch that was taken for good
  Offset resync_offset_ = 0;
  protocol::BatchHeader header_;
  IoError error_;
};

}  // namespace tidegate::storage::embedded
