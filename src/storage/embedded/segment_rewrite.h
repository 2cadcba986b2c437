// The file that is to take the place of sealed segments of a log: written in pieces under a name that
// nothing speaks for, made durable, and then either listed (compacted_segments) or deleted. Made on the
// owner shard; what blocks says so and runs on a lane, one call at a time.
#pragma once

#include <string>
#include <vector>

#include "compacted_segments.h"
#include "epochs.h"
#include "file_cache.h"
#include "sparse_index.h"
#include "tidegate/storage/engine.h"

namespace tidegate::storage::embedded {

class SegmentRewrite {
 public:
  SegmentRewrite(CompactedSegment place, std::string dir, FileRef file, std::uint64_t index_interval);

  // Takes note of the batches that are written next. invalid_request when they do not ascend within the
  // segment, or an epoch is not the one of its offset: then they could not be read again.
  Result<void> admit(const std::vector<protocol::RecordBatch>& batches, const EpochTable& epochs);

  // These block.
  IoResult<void> create(EngineContext& context);
  // The batches that were admitted last.
  IoResult<void> write(const std::vector<protocol::RecordBatch>& batches);
  // Bytes, name and index; the index may be missing.
  IoResult<void> make_durable(EngineContext& context);
  void discard(EngineContext& context);

  const CompactedSegment& place() const { return place_; }
  const FileRef& file() const { return file_; }
  std::shared_ptr<SparseIndex> index() const { return index_; }

 private:
  CompactedSegment place_;  // size: of what was admitted
  const std::string dir_;
  const FileRef file_;
  const std::uint64_t index_interval_;
  std::shared_ptr<SparseIndex> index_;
  FilePtr open_;  // until it is durable: closing would lose the error of a failed write-back
  Offset next_;
  std::uint64_t written_ = 0;
};

}  // namespace tidegate::storage::embedded
