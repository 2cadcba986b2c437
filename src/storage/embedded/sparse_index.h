// The offset and time index of one segment: about two entries every index.interval.bytes. In memory it is
// kept below a bound by leaving out every second entry; on disk it is a file of self-checksummed entries
// beside the segment, which can be made anew from the segment at any time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "batch_walker.h"
#include "tidegate/base/ids.h"
#include "tidegate/storage/topic.h"
#include "vfs.h"

namespace tidegate::storage::embedded {

struct IndexEntry {
  Offset offset = 0;  // of the batch that begins at `position`
  std::uint64_t position = 0;
  std::int64_t max_timestamp = -1;  // largest of all batches in front of it in the segment
};

// Half of what is configured: the size of a range is known by its two ends, and together they are to be
// wrong by one index.interval.bytes at most.
inline std::uint64_t index_interval(const LogConfig& config) {
  return static_cast<std::uint64_t>(config.index_interval_bytes) / 2;
}

class SparseIndex {
 public:
  static constexpr std::size_t kMaxEntries = 4096;
  static constexpr std::size_t kEntryBytes = 32;

  explicit SparseIndex(Offset base);

  // A batch was appended at `position`.
  void note(const protocol::BatchHeader& header, std::uint64_t position, std::uint64_t interval_bytes);
  // Behind a damaged stretch: an entry for the next good batch, whatever the interval.
  void note_gap(Offset offset, std::uint64_t position);
  // The segment was cut at a batch's begin.
  void truncate(std::uint64_t position);

  // The last entry at or below `offset`; the first when there is none.
  const IndexEntry& at_or_before(Offset offset) const;
  // The first entry above `offset`.
  std::optional<IndexEntry> after(Offset offset) const;
  // The last entry with nothing at or above `timestamp` in front of it.
  const IndexEntry& before_time(std::int64_t timestamp) const;
  const std::vector<IndexEntry>& entries() const { return entries_; }
  // Of the whole segment. After a cut it may be too high: max_is_exact() says so.
  std::int64_t max_timestamp() const { return max_timestamp_; }
  bool max_is_exact() const { return max_is_exact_; }

  // Entries to append to the index file, encoded, and where; marks them as written. `sealed_at`: add the
  // closing entry.
  struct Flush {
    std::string bytes;
    std::uint64_t position = 0;
  };
  struct Seal {
    Offset end_offset = 0;
    std::uint64_t size = 0;
  };
  std::size_t unwritten() const { return fresh_.size(); }
  Flush take_flush(std::optional<Seal> seal);

 private:
  friend struct IndexFile;
  void push(IndexEntry entry);

  Offset base_;
  std::vector<IndexEntry> entries_;
  std::vector<IndexEntry> fresh_;  // not yet in the file
  std::uint64_t written_ = 0;      // entries in the file
  std::uint64_t thinning_ = 1;     // the interval is so many times index.interval.bytes
  std::int64_t max_timestamp_ = -1;
  bool max_is_exact_ = true;
};

struct IndexSource {
  std::string log_path;
  std::string index_path;
  Offset base = 0;
  Offset end_offset = 0;
  std::uint64_t size = 0;
  std::uint64_t interval_bytes = 4096;
  EpochTable epochs;
  bool sealed = false;
  bool distrust_file = false;  // make it from the segment alone
  bool gaps = false;           // of a compacted segment
};

struct IndexFile {
  // Reads the file as far as it is good and makes the rest from the segment; brings the file up to date
  // as well as it can (an index that cannot be written is no error). Fails when the segment cannot be read.
  static IoResult<std::shared_ptr<SparseIndex>> load(Vfs& vfs, VfsFile& log, const IndexSource& source);
  // False when it could not be written: then it is made anew at the next start.
  static bool write(Vfs& vfs, const std::string& path, const SparseIndex::Flush& flush);
};

}  // namespace tidegate::storage::embedded
