// Questions that walk batch headers: offsets by time, the largest timestamp, headers for producer state.
// They ask the segment files, one at a time on a disk thread; what was just written is in the page cache.
#include <algorithm>

#include "embedded_log.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/storage/batch_search.h"

namespace tidegate::storage::embedded {

namespace {

using Step = BatchWalker::Step;
constexpr int kMaxSearches = 8;

// Walks the good batches of a stretch until `each` returns false; damaged stretches are passed over.
template <class Each>
IoResult<void> walk(VfsFile& file, const WalkRange& range, const EpochTable& epochs, bool check_crc,
                    Each each) {
  BatchWalker walker(file, range, epochs, {.check_crc = check_crc, .window_bytes = 64U << 10});
  for (;;) {
    switch (walker.look()) {
      case Step::batch:
        if (!each(walker)) return {};
        walker.pass();
        break;
      case Step::end:
        return {};
      case Step::failed:
        return std::unexpected(walker.error());
      case Step::damaged:
        if (!walker.resync()) return {};
        break;
    }
  }
}

std::optional<protocol::RecordBatch> whole_batch(BatchWalker& walker) {
  const ByteView bytes = walker.batch_bytes();
  if (bytes.empty() || !protocol::batch_crc_is_valid(bytes, walker.header())) return std::nullopt;
  return protocol::RecordBatch{walker.header(), SharedBuffer::copy_of(bytes)};
}

IoResult<TimestampedOffset> first_in_segment(VfsFile& file, const WalkRange& range, const EpochTable& epochs,
                                             std::int64_t timestamp_ms, OffsetRange within) {
  TimestampedOffset found;
  auto walked = walk(file, range, epochs, false, [&](BatchWalker& walker) {
    const auto& header = walker.header();
    if (header.base_offset >= within.end) return false;
    if (header.next_offset() <= within.begin || header.max_timestamp < timestamp_ms) return true;
    const auto batch = whole_batch(walker);
    if (!batch) return true;
    // A batch whose records cannot be read has no answer; the next one may.
    auto record = first_record_at_or_after(*batch, timestamp_ms, within);
    if (record && *record) found = **record;
    return found.offset < 0;
  });
  if (!walked) return std::unexpected(walked.error());
  return found;
}

IoResult<TimestampedOffset> latest_in_segment(VfsFile& file, const WalkRange& range, const EpochTable& epochs,
                                              OffsetRange within) {
  TimestampedOffset best;
  auto walked = walk(file, range, epochs, false, [&](BatchWalker& walker) {
    const auto& header = walker.header();
    if (header.base_offset >= within.end) return false;
    if (header.next_offset() <= within.begin || header.max_timestamp <= best.timestamp) return true;
    const auto batch = whole_batch(walker);
    if (!batch) return true;
    auto record = latest_record(*batch, within);
    if (record && *record && (*record)->timestamp > best.timestamp) best = **record;
    return true;
  });
  if (!walked) return std::unexpected(walked.error());
  return best;
}

}  // namespace

// The segment with its index, for a disk thread; base -1 when it is gone.
Task<Result<EmbeddedLog::SegmentView>> EmbeddedLog::view_segment(Offset base) {
  const Segment* segment = segment_with_base(base);
  if (segment != nullptr && !segment->index) {
    if (auto loaded = co_await load_index(base, false); !loaded) co_return fail(std::move(loaded.error()));
    segment = segment_with_base(base);
  }
  SegmentView view;
  view.base = -1;
  if (segment == nullptr || !segment->index) co_return view;
  view.file = segment->file;
  view.base = base;
  view.end = segment->end;
  view.size = segment->size;
  view.gaps = segment->generation > 0;
  view.epochs = epochs_;
  // A copy: the active one's grows on the shard.
  view.index = std::make_shared<SparseIndex>(*segment->index);
  co_return view;
}

std::vector<Offset> EmbeddedLog::segments_within(Offset from, Offset end) const {
  std::vector<Offset> bases;
  for (const auto& segment : segments_) {
    if (segment->end > from && segment->base < end) bases.push_back(segment->base);
  }
  return bases;
}

Task<Result<TimestampedOffset>> EmbeddedLog::find_time(std::int64_t timestamp_ms, Offset end) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  const auto bases = segments_within(log_start_, end);
  for (const Offset base : bases) {
    auto view = co_await view_segment(base);
    if (!view) co_return fail(std::move(view.error()));
    if (view->base < 0 || view->index->max_timestamp() < timestamp_ms) continue;
    const OffsetRange within{.begin = log_start_, .end = std::min(end, written_end_)};
    auto work = [this, at = *view, timestamp_ms, within]() -> IoResult<TimestampedOffset> {
      auto file = context_.files.open(at.file, OpenMode::existing);
      if (!file) return std::unexpected(file.error());
      const IndexEntry& entry = at.index->before_time(timestamp_ms);
      const WalkRange range{entry.position, at.size, entry.offset, at.end, at.gaps};
      return first_in_segment(**file, range, at.epochs, timestamp_ms, within);
    };
    auto found = co_await context_.pool.run(Lane::disk_read, std::move(work));
    if (!found && segment_with_base(base) == nullptr) continue;
    if (!found) co_return fail(storage_error("search in " + dir_, found.error()));
    if (found->offset >= 0) co_return *found;
  }
  co_return TimestampedOffset();
}

Task<Result<TimestampedOffset>> EmbeddedLog::find_latest(Offset end) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  TimestampedOffset best;
  const auto bases = segments_within(log_start_, end);
  // From the end: the largest timestamp is nearly always there, and then the index rules out the rest.
  for (std::size_t i = bases.size(); i-- > 0;) {
    auto view = co_await view_segment(bases[i]);
    if (!view) co_return fail(std::move(view.error()));
    // An equal one counts: it is earlier.
    if (view->base < 0 || view->index->max_timestamp() < best.timestamp) continue;
    const OffsetRange within{.begin = log_start_, .end = std::min(end, written_end_)};
    auto work = [this, at = *view, within]() -> IoResult<TimestampedOffset> {
      auto file = context_.files.open(at.file, OpenMode::existing);
      if (!file) return std::unexpected(file.error());
      // With all of the segment in reach the largest is behind the last entry that is below it.
      const bool whole = at.end <= within.end && at.base >= within.begin && at.index->max_is_exact();
      const IndexEntry entry =
          whole ? at.index->before_time(at.index->max_timestamp()) : at.index->entries().front();
      const WalkRange range{entry.position, at.size, entry.offset, at.end, at.gaps};
      return latest_in_segment(**file, range, at.epochs, within);
    };
    auto found = co_await context_.pool.run(Lane::disk_read, std::move(work));
    if (!found && segment_with_base(bases[i]) == nullptr) continue;
    if (!found) co_return fail(storage_error("search in " + dir_, found.error()));
    if (found->offset >= 0 && found->timestamp >= best.timestamp) best = *found;
  }
  co_return best;
}

Task<Result<std::vector<protocol::BatchHeader>>> EmbeddedLog::find_headers(Offset from, Offset end,
                                                                           std::size_t max_batches) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  std::vector<protocol::BatchHeader> headers;
  const Offset begin = std::max(from, log_start_);
  const auto bases = segments_within(begin, end);
  for (const Offset base : bases) {
    if (headers.size() >= max_batches) break;
    auto view = co_await view_segment(base);
    if (!view) co_return fail(std::move(view.error()));
    if (view->base < 0) continue;
    const OffsetRange within{.begin = begin, .end = std::min(end, written_end_)};
    auto work = [this, at = *view, within,
                 room = max_batches - headers.size()]() -> IoResult<std::vector<protocol::BatchHeader>> {
      std::vector<protocol::BatchHeader> found;
      auto file = context_.files.open(at.file, OpenMode::existing);
      if (!file) return std::unexpected(file.error());
      const IndexEntry& entry = at.index->at_or_before(within.begin);
      const WalkRange range{entry.position, at.size, entry.offset, at.end, at.gaps};
      auto walked = walk(**file, range, at.epochs, true, [&](BatchWalker& walker) {
        if (walker.header().base_offset >= within.end) return false;
        if (walker.header().next_offset() > within.begin) found.push_back(walker.header());
        return found.size() < room;
      });
      if (!walked) return std::unexpected(walked.error());
      return found;
    };
    auto found = co_await context_.pool.run(Lane::disk_read, std::move(work));
    if (!found && segment_with_base(base) == nullptr) continue;
    if (!found) co_return fail(storage_error("scan of " + dir_, found.error()));
    headers.insert(headers.end(), found->begin(), found->end());
  }
  co_return headers;
}

// A search that a replace() overtook has looked at some segments of before and some of after: it begins
// again. Twice is already rare.
template <class Value, class Search>
Task<Result<Value>> EmbeddedLog::search_steady(Search search) {
  const auto self = shared_from_this();
  for (int attempt = 0; attempt < kMaxSearches; ++attempt) {
    const std::uint64_t replaced = replaced_;
    auto found = co_await search();
    if (replaced == replaced_) co_return found;
  }
  co_return fail(ErrorCode::kafka_storage_error, "the log kept changing under a search of " + dir_);
}

Task<Result<TimestampedOffset>> EmbeddedLog::offset_for_time(std::int64_t timestamp_ms, Offset end) {
  auto search = [this, timestamp_ms, end] { return find_time(timestamp_ms, end); };
  return search_steady<TimestampedOffset>(std::move(search));
}

Task<Result<TimestampedOffset>> EmbeddedLog::max_timestamp(Offset end) {
  auto search = [this, end] { return find_latest(end); };
  return search_steady<TimestampedOffset>(std::move(search));
}

Task<Result<std::vector<protocol::BatchHeader>>> EmbeddedLog::scan_headers(Offset from, Offset end,
                                                                           std::size_t max_batches) {
  auto search = [this, from, end, max_batches] { return find_headers(from, end, max_batches); };
  return search_steady<std::vector<protocol::BatchHeader>>(std::move(search));
}

}  // namespace tidegate::storage::embedded
