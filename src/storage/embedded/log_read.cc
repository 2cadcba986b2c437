// Reading: the tail from memory, everything else from segment files.
#include <algorithm>
#include <cerrno>

#include "embedded_log.h"
#include "layout.h"
#include "tidegate/base/module_log.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

namespace {
// A read starts over when the log changed while it waited: rolled, trimmed, or its index was loaded.
constexpr int kMaxAttempts = 8;

ReadResult nothing_at(Offset from) {
  ReadResult result;
  result.next_offset = from;
  return result;
}
}  // namespace

// Whether the segment at `base` is the one that was read.
bool EmbeddedLog::still_has(Offset base, const FileRef& file) {
  const Segment* segment = segment_with_base(base);
  return segment != nullptr && segment->file.uid == file.uid;
}

std::optional<SegmentRead> EmbeddedLog::plan_read(Segment& segment, Offset from, const ReadLimits& limits) {
  SegmentRead read;
  read.range.end_position = segment.size;
  read.range.end_offset = segment.end;
  read.range.gaps = segment.generation > 0;
  read.from = from;
  read.limits = limits;
  read.epochs = epochs_;
  for (const Cursor& cursor : cursors_) {
    if (cursor.offset != from || cursor.segment != segment.base) continue;
    read.range.position = cursor.position;
    read.range.expected = from;
    read.certain_start = true;
    return read;
  }
  if (from == segment.base) {
    read.range.expected = from;
    read.certain_start = true;
    return read;
  }
  if (!segment.index) return std::nullopt;
  const IndexEntry& entry = segment.index->at_or_before(from);
  read.range.position = entry.position;
  read.range.expected = entry.offset;
  read.certain_start = segment.index_is_certain;
  return read;
}

void EmbeddedLog::keep_cursor(Offset segment, const SegmentReadResult& result) {
  for (Cursor& cursor : cursors_) {
    if (cursor.offset == result.next_offset) return;
  }
  cursors_[next_cursor_] = {
      .offset = result.next_offset, .segment = segment, .position = result.next_position};
  next_cursor_ = (next_cursor_ + 1) % cursors_.size();
}

Task<Result<void>> EmbeddedLog::load_index(Offset base, bool distrust_file) {
  const auto self = shared_from_this();
  const Segment* segment = segment_with_base(base);
  if (segment == nullptr) co_return Result<void>();
  IndexSource source;
  source.log_path = segment->file.path;
  source.index_path = index_path(*segment);
  source.base = base;
  source.end_offset = segment->end;
  source.size = segment->size;
  source.interval_bytes = index_interval(config_);
  source.epochs = epochs_;
  source.sealed = segment != segments_.back().get();
  source.distrust_file = distrust_file;
  source.gaps = segment->generation > 0;
  const FileRef file = segment->file;
  auto work = [this, source, file]() -> IoResult<std::shared_ptr<SparseIndex>> {
    auto opened = context_.files.open(file, OpenMode::existing);
    if (!opened) return std::unexpected(opened.error());
    return IndexFile::load(*context_.vfs, **opened, source);
  };
  auto loaded = co_await context_.pool.run(Lane::disk_read, std::move(work));
  Segment* now = segment_with_base(base);
  // Dropped or replaced meanwhile.
  if (now == nullptr || now->file.uid != file.uid) co_return Result<void>();
  if (!loaded) {
    co_return fail(storage_error("index of " + dir_, loaded.error()));
  }
  // A segment that grew meanwhile is the active one: its index is in memory from its opening on.
  if (now->size == source.size && (!now->index || distrust_file)) {
    now->index = std::move(*loaded);
    now->index_is_certain = distrust_file;
    now->index_sealed = source.sealed;
  }
  co_return Result<void>();
}

Error EmbeddedLog::damaged_at(Offset offset, const char* how) {
  context_.metrics.corrupt_reads.add();
  Error error{ErrorCode::corrupt_message, fmt::format("offset {} is {} {}", offset, how, dir_)};
  std::uint64_t suppressed = 0;
  if (home_.damage_lines.allow(suppressed)) {
    module_log().error("event=damaged_data topic_id={} partition={} error=\"{}\" suppressed={}",
                       id_.topic.to_string(), id_.index, error.message, suppressed);
  }
  return error;
}

Task<Result<ReadResult>> EmbeddedLog::read(Offset from, ReadLimits limits) {
  const auto self = shared_from_this();
  const Offset asked = from;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
    if (asked < log_start_ || asked > log_end_) {
      co_return fail(ErrorCode::offset_out_of_range,
                     fmt::format("offset {} is not within {} to {}", asked, log_start_, log_end_));
    }
    if (from >= written_end_ || from >= limits.end) co_return nothing_at(asked);
    if (tail_ && tail_->holds(from)) {
      context_.metrics.cache_hits.add();
      ReadBuilder gathered(from, limits);
      tail_->read(from, gathered);
      co_return gathered.take();
    }
    Segment* segment = find_segment(from);
    if (segment == nullptr) {
      co_return fail(damaged_at(from, "missing from"));
    }
    const Offset base = segment->base;
    const Offset segment_end = segment->end;
    auto planned = plan_read(*segment, from, limits);
    if (!planned) {
      if (auto loaded = co_await load_index(base, false); !loaded) co_return fail(std::move(loaded.error()));
      continue;
    }
    if (attempt == 0) context_.metrics.cache_misses.add();
    IoResult<SegmentReadResult> outcome = io_fail(EAGAIN, "pread");
    const FileRef ref = segment->file;
    if (const FilePtr file = context_.files.peek(ref)) outcome = read_segment(*file, *planned, true);
    if (!outcome && outcome.error().would_block()) {
      auto work = [this, ref, plan = *planned]() -> IoResult<SegmentReadResult> {
        auto file = context_.files.open(ref, OpenMode::existing);
        if (!file) return std::unexpected(file.error());
        return read_segment(**file, plan, false);
      };
      outcome = co_await context_.pool.run(Lane::disk_read, std::move(work));
    }
    if (!outcome) {
      if (outcome.error().code == ENOENT && !still_has(base, ref)) continue;
      co_return fail(storage_error("read of " + dir_, outcome.error()));
    }
    using Kind = SegmentReadResult::Kind;
    if (outcome->kind == Kind::wrong_start) {
      if (auto loaded = co_await load_index(base, true); !loaded) co_return fail(std::move(loaded.error()));
      continue;
    }
    if (outcome->kind == Kind::damaged) {
      if (from >= written_end_ || !still_has(base, ref)) continue;  // cut or replaced meanwhile
      co_return fail(damaged_at(from, "damaged in"));
    }
    if (outcome->kind == Kind::nothing) co_return nothing_at(asked);
    if (outcome->kind == Kind::passed) {
      from = segment_end;
      attempt = -1;  // each time a segment further
      continue;
    }
    if (still_has(base, ref)) keep_cursor(base, *outcome);
    ReadResult result;
    result.size_bytes = outcome->bytes.size();
    result.batches = outcome->batches;
    result.next_offset = outcome->next_offset;
    result.chunks.push_back(std::move(outcome->bytes));
    co_return result;
  }
  co_return fail(ErrorCode::kafka_storage_error, "the log kept changing under a read of " + dir_);
}

std::size_t EmbeddedLog::readable_bytes(Offset from, Offset end) const {
  end = std::min(end, written_end_);
  if (from < log_start_ || from >= end) return 0;
  if (tail_ && tail_->holds(from)) return tail_->bytes_between(from, end);
  std::size_t bytes = 0;
  for (const auto& segment : segments_) {
    if (segment->end <= from || segment->base >= end) continue;
    std::uint64_t begin_at = 0;
    std::uint64_t end_at = segment->size;
    if (segment->index) {
      if (from > segment->base) begin_at = segment->index->at_or_before(from).position;
      if (end < segment->end) {
        if (const auto entry = segment->index->after(end - 1)) end_at = entry->position;
      }
    }
    bytes += end_at - std::min(begin_at, end_at);
  }
  return bytes;
}

}  // namespace tidegate::storage::embedded
