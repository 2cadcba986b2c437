#include "segment_rewrite.h"

#include "context.h"
#include "layout.h"
#include "tidegate/base/assert.h"

namespace tidegate::storage::embedded {

SegmentRewrite::SegmentRewrite(CompactedSegment place, std::string dir, FileRef file,
                               std::uint64_t index_interval)
    : place_(place),
      dir_(std::move(dir)),
      file_(std::move(file)),
      index_interval_(index_interval),
      index_(std::make_shared<SparseIndex>(place.base)),
      next_(place.base) {}

Result<void> SegmentRewrite::admit(const std::vector<protocol::RecordBatch>& batches,
                                   const EpochTable& epochs) {
  for (const auto& batch : batches) {
    const protocol::BatchHeader& header = batch.header;
    TIDEGATE_ASSERT(batch.bytes.size() == header.size_bytes());
    if (header.base_offset < next_ || header.last_offset_delta < 0 || header.next_offset() > place_.end ||
        header.partition_leader_epoch != epoch_at(*epochs, header.base_offset)) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("batch at {} of epoch {} does not fit into [{}, {})", header.base_offset,
                              header.partition_leader_epoch, next_, place_.end));
    }
    index_->note(header, place_.size, index_interval_);
    place_.size += header.size_bytes();
    next_ = header.next_offset();
  }
  return {};
}

IoResult<void> SegmentRewrite::create(EngineContext& context) {
  auto file = context.files.open(file_, OpenMode::create_empty);
  if (!file) return std::unexpected(file.error());
  open_ = std::move(*file);
  return {};
}

IoResult<void> SegmentRewrite::write(const std::vector<protocol::RecordBatch>& batches) {
  std::vector<ByteView> views;
  std::uint64_t bytes = 0;
  views.reserve(batches.size());
  for (const auto& batch : batches) {
    views.push_back(batch.bytes.bytes());
    bytes += batch.bytes.size();
  }
  if (auto wrote = open_->pwritev(views, written_); !wrote) return wrote;
  written_ += bytes;
  return {};
}

IoResult<void> SegmentRewrite::make_durable(EngineContext& context) {
  if (auto synced = open_->datasync(); !synced) return synced;
  open_.reset();
  IndexFile::write(*context.vfs, layout::index_path(dir_, place_.base, place_.generation),
                   index_->take_flush(SparseIndex::Seal{place_.end, place_.size}));
  return context.vfs->sync_dir(dir_);
}

void SegmentRewrite::discard(EngineContext& context) {
  open_.reset();
  context.files.forget(file_);
  // What stays is a leftover: the next start removes it.
  static_cast<void>(context.vfs->unlink(layout::index_path(dir_, place_.base, place_.generation)));
  static_cast<void>(context.vfs->unlink(file_.path));
}

}  // namespace tidegate::storage::embedded
