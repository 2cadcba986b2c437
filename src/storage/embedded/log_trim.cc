// The front of the log: DeleteRecords and retention raise log start, durably; segments below it leave
// the log at once and the disk after file.delete.delay.ms.
#include <algorithm>

#include "embedded_log.h"
#include "layout.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

Task<Result<Offset>> EmbeddedLog::trim_before(Offset offset) {
  const auto self = shared_from_this();
  if (auto usable = check_usable(); !usable) co_return fail(std::move(usable.error()));
  if (offset > high_watermark()) {
    co_return fail(ErrorCode::offset_out_of_range,
                   fmt::format("offset {} is above the high watermark {}", offset, high_watermark()));
  }
  if (offset > log_start_) {
    if (auto raised = co_await raise_log_start(offset); !raised) co_return fail(std::move(raised.error()));
  }
  co_return log_start_;
}

Task<Result<void>> EmbeddedLog::raise_log_start(Offset offset) {
  const auto self = shared_from_this();
  auto work = [this, offset] { return context_.facts.set_log_start(id_, offset); };
  auto stored = co_await context_.pool.run(Lane::metadata, std::move(work));
  if (!stored) co_return stored;
  // Two may have been under way, and a broken log may have gone back below.
  log_start_ = std::max(log_start_, std::min(offset, written_end_));
  drop_below_start();
  tell();
  co_return Result<void>();
}

void EmbeddedLog::drop_below_start() {
  while (!segments_.empty() && segments_.front()->end <= log_start_) {
    // The active one stays while it is written, unless it goes as a whole.
    if (segments_.size() == 1 && (busy_ || syncing_ || broken_ || segments_.front()->size == 0)) return;
    if (segments_.size() == 1 && segments_.front()->end < log_end_) return;
    const auto dropped = std::move(segments_.front());
    segments_.erase(segments_.begin());
    drop_segment(std::move(*dropped));
  }
  if (segments_.empty()) roll_next_ = true;
  if (tail_ && segments_.empty()) home_.cache.clear(*tail_);
}

void EmbeddedLog::drop_segment(Segment segment) {
  size_bytes_ -= segment.size;
  const auto delay = std::chrono::milliseconds(config_.file_delete_delay_ms);
  dropped_.push_back({.file = std::move(segment.file),
                      .index_path = index_path(segment),
                      .delete_at = context_.clock.now() + delay});
}

Task<void> EmbeddedLog::retain(std::int64_t age_now_ms) {
  const auto self = shared_from_this();
  if (!config_.cleanup_delete || removed_ || closing_ || broken_) co_return;
  Offset keep_from = log_start_;
  if (config_.retention_bytes >= 0) {
    std::uint64_t left = size_bytes_;
    for (const auto& segment : segments_) {
      if (left < segment->size || left - segment->size < static_cast<std::uint64_t>(config_.retention_bytes))
        break;
      if (segment == segments_.back()) break;
      left -= segment->size;
      keep_from = segment->end;
    }
  }
  if (config_.retention_ms >= 0) {
    const auto bases = segments_within(log_start_, written_end_);
    for (const Offset base : bases) {
      auto view = co_await view_segment(base);
      if (!view || view->base < 0) break;
      const Segment* segment = segment_with_base(base);
      if (segment == nullptr) break;
      const std::int64_t youngest = view->index->max_timestamp();
      const auto unwritten_for =
          std::chrono::duration_cast<std::chrono::milliseconds>(context_.clock.now() - segment->written);
      const bool expired = youngest >= 0 ? youngest < age_now_ms - config_.retention_ms
                                         : unwritten_for.count() > config_.retention_ms;
      if (!expired) break;
      keep_from = std::max(keep_from, view->end);
    }
  }
  keep_from = std::min(keep_from, high_watermark());
  if (keep_from > log_start_ && !removed_ && !closing_) {
    // What cannot be stored now is tried again next time.
    static_cast<void>(co_await raise_log_start(keep_from));
  } else {
    drop_below_start();
  }
}

void EmbeddedLog::delete_dropped(bool at_once) {
  std::vector<Dropped> due;
  const MonoTime now = context_.clock.now();
  std::erase_if(dropped_, [&](Dropped& dropped) {
    if (!at_once && dropped.delete_at > now) return false;
    due.push_back(std::move(dropped));
    return true;
  });
  if (due.empty()) return;
  auto context = &context_;
  ++home_.jobs;
  context_.pool.post(Lane::disk_read, [context, files = std::move(due), self = shared_from_this()]() mutable {
    for (const Dropped& dropped : files) {
      context->files.forget(dropped.file);
      // What is left behind is below log start: the next start removes it.
      static_cast<void>(context->vfs->unlink(dropped.index_path));
      static_cast<void>(context->vfs->unlink(dropped.file.path));
    }
    Shard& shard = self->home_.shard;
    shard.post([self = std::move(self)] { --self->home_.jobs; });
  });
}

}  // namespace tidegate::storage::embedded
