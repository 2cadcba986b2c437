// Compaction: which segments may be rewritten, and putting a rewritten one in their place. The order of
// steps is what makes it all-or-nothing: the old bytes are durable, the new file is, then one synced write
// of the metadata store makes the new file count; the old ones go afterwards, when their delay is over.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "embedded_log.h"
#include "layout.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

std::vector<CleanableRange> EmbeddedLog::cleanable(Offset end) const {
  std::vector<CleanableRange> ranges;
  if (removed_) return ranges;
  CleanableRange open{.begin = -1, .end = -1, .size_bytes = 0};
  const auto close = [&] {
    // Alone, what compaction left nothing of cannot get any smaller.
    if (open.size_bytes > 0) ranges.push_back(open);
    open = {.begin = -1, .end = -1, .size_bytes = 0};
  };
  for (const auto& segment : segments_) {
    if (segment == segments_.back() || segment->end > std::min(end, high_watermark())) break;
    const bool joins = open.end == segment->base &&
                       open.size_bytes + segment->size <= static_cast<std::uint64_t>(config_.segment_bytes);
    if (!joins) {
      close();
      open.begin = std::max(segment->base, log_start_);
    }
    open.end = segment->end;
    open.size_bytes += segment->size;
  }
  close();
  return ranges;
}

std::unique_ptr<SegmentRewrite> EmbeddedLog::plan_rewrite(const CleanableRange& range) {
  const auto ranges = cleanable(range.end);
  const bool known = std::ranges::any_of(
      ranges, [&](const CleanableRange& one) { return one.begin == range.begin && one.end == range.end; });
  if (!known) return nullptr;
  CompactedSegment place;
  place.base = find_segment(range.begin)->base;
  place.end = range.end;
  place.generation = next_generation_++;
  FileRef file = context_.files.name(layout::segment_path(dir_, place.base, place.generation));
  return std::make_unique<SegmentRewrite>(place, dir_, std::move(file), index_interval(config_));
}

Task<Result<void>> EmbeddedLog::replace(CleanableRange range, BatchSource batches) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  if (broken_) co_return fail(broken_by_);
  if (replacing_) co_return fail(ErrorCode::invalid_request, "a part of the log is being replaced already");
  std::shared_ptr<SegmentRewrite> rewrite = plan_rewrite(range);
  if (!rewrite) {
    co_return fail(ErrorCode::invalid_request,
                   fmt::format("[{}, {}) is not cleanable", range.begin, range.end));
  }
  replacing_ = true;
  ++home_.jobs;
  auto replaced = co_await rewrite_range(rewrite, std::move(batches));
  --home_.jobs;
  replacing_ = false;
  co_return replaced;
}

Task<Result<void>> EmbeddedLog::rewrite_range(std::shared_ptr<SegmentRewrite> rewrite, BatchSource batches) {
  // With interval and os the old segments may not be on disk yet: a power cut must not leave a log whose
  // compacted middle is safe and whose beginning is not.
  if (durable_.offset < rewrite->place().end) request_sync();
  if (auto old = co_await wait_until(rewrite->place().end, Stage::durable); !old) co_return old;
  auto filled = co_await fill(rewrite, std::move(batches));
  if (filled) {
    auto sync = [this, rewrite] { return rewrite->make_durable(context_); };
    auto durable = co_await context_.pool.run(Lane::log_sync, std::move(sync));
    if (!durable) filled = fail(storage_error("compaction of " + dir_, durable.error()));
  }
  if (filled) filled = check_usable();
  if (!filled) {
    auto discard = [this, rewrite] { rewrite->discard(context_); };
    co_await context_.pool.run(Lane::log_write, std::move(discard));
    co_return filled;
  }
  auto commit = [this, list = compacted_with(*rewrite)] { return store_compacted(*context_.kv, id_, list); };
  auto committed = co_await context_.pool.run(Lane::metadata, std::move(commit));
  // After a failure nobody knows whether the list will be there after a restart: then its file has to be
  // there too. If it will not, the file is a leftover.
  if (!committed) co_return committed;
  if (!removed_) swap_in(*rewrite);
  co_return Result<void>();
}

Task<Result<void>> EmbeddedLog::fill(std::shared_ptr<SegmentRewrite> rewrite, BatchSource batches) {
  const auto failed = [this](const IoError& error) {
    return fail(storage_error("compaction of " + dir_, error));
  };
  auto create = [this, rewrite] { return rewrite->create(context_); };
  if (auto created = co_await context_.pool.run(Lane::log_write, std::move(create)); !created) {
    co_return failed(created.error());
  }
  for (;;) {
    auto some = co_await batches();
    if (!some) co_return fail(std::move(some.error()));
    if (auto usable = check_usable(); !usable) co_return usable;
    if (some->empty()) co_return Result<void>();
    if (auto fits = rewrite->admit(*some, epochs_); !fits) co_return fits;
    auto write = [rewrite, held = std::move(*some)] { return rewrite->write(held); };
    if (auto wrote = co_await context_.pool.run(Lane::log_write, std::move(write)); !wrote) {
      co_return failed(wrote.error());
    }
  }
}

// The list as it is to be once `rewrite` has taken its place.
std::vector<CompactedSegment> EmbeddedLog::compacted_with(const SegmentRewrite& rewrite) const {
  const CompactedSegment& made = rewrite.place();
  std::vector<CompactedSegment> list;
  for (const auto& segment : segments_) {
    if (segment->generation == 0 || (segment->base >= made.base && segment->base < made.end)) continue;
    list.push_back({segment->base, segment->end, segment->size, segment->generation});
  }
  list.insert(std::ranges::upper_bound(list, made.base, {}, &CompactedSegment::base), made);
  return list;
}

void EmbeddedLog::swap_in(SegmentRewrite& rewrite) {
  const CompactedSegment& place = rewrite.place();
  auto segment = std::make_unique<Segment>(make_segment(place.base, place.generation));
  segment->file = rewrite.file();
  segment->end = place.end;
  segment->size = place.size;
  segment->index = rewrite.index();
  segment->index_is_certain = true;
  segment->index_sealed = true;
  size_bytes_ += segment->size;
  const auto inside = [&](const std::unique_ptr<Segment>& one) {
    return one->base >= place.base && one->base < place.end;
  };
  const auto first = std::ranges::find_if(segments_, inside);
  const auto last = std::find_if_not(first, segments_.end(), inside);
  if (first == last) {  // trimmed away meanwhile
    drop_segment(std::move(*segment));
    return;
  }
  segment->opened = (*std::prev(last))->opened;
  segment->written = (*std::prev(last))->written;
  std::vector<std::unique_ptr<Segment>> old(std::make_move_iterator(first), std::make_move_iterator(last));
  *first = std::move(segment);
  segments_.erase(std::next(first), last);
  for (const auto& one : old) drop_segment(std::move(*one));
  if (tail_) home_.cache.drop_below(*tail_, place.end);
  for (Cursor& cursor : cursors_) cursor = Cursor();
  // Their place was in a file that is no more; a repair that is yet to come would cut the one that took it.
  for (DurableEnd* end : {&durable_, &cut_to_}) {
    if (end->offset <= place.end) *end = {.offset = place.end, .segment = place.end, .position = 0};
  }
  ++replaced_;
}

}  // namespace tidegate::storage::embedded
