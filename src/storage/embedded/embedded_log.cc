#include "embedded_log.h"

#include "layout.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::embedded {

EmbeddedLog::EmbeddedLog(LogShard& shard, PartitionId id, LogConfig config, RecoveredLog recovered,
                         std::shared_ptr<SparseIndex> active_index)
    : home_(shard),
      context_(shard.context),
      id_(id),
      dir_(layout::partition_dir(context_.options.data_dir, id)),
      config_(config),
      epochs_(std::move(recovered.epochs)),
      log_start_(recovered.log_start),
      log_end_(recovered.log_end),
      written_end_(recovered.log_end),
      durable_(recovered.durable),
      roll_next_(recovered.must_roll) {
  for (const FoundSegment& found : recovered.segments) {
    auto segment = std::make_unique<Segment>(make_segment(found.base, found.generation));
    next_generation_ = std::max(next_generation_, found.generation + 1);
    segment->end = found.end;
    segment->size = found.size;
    size_bytes_ += found.size;
    segments_.push_back(std::move(segment));
  }
  if (!segments_.empty() && active_index) segments_.back()->index = std::move(active_index);
  context_.metrics.open_partitions.add(1);
}

EmbeddedLog::~EmbeddedLog() {
  if (tail_) home_.cache.clear(*tail_);
  context_.metrics.open_partitions.add(-1);
}

EmbeddedLog::Segment EmbeddedLog::make_segment(Offset base, std::uint32_t generation) const {
  Segment segment;
  segment.file = context_.files.name(layout::segment_path(dir_, base, generation));
  segment.base = base;
  segment.generation = generation;
  segment.end = base;
  segment.opened = context_.clock.now();
  segment.written = segment.opened;
  return segment;
}

std::string EmbeddedLog::index_path(const Segment& segment) const {
  return layout::index_path(dir_, segment.base, segment.generation);
}

Offset EmbeddedLog::high_watermark() const {
  return context_.options.flush == FlushPolicy::ack ? durable_.offset : written_end_;
}

LogOffsets EmbeddedLog::offsets() const {
  return {.log_start = log_start_, .high_watermark = high_watermark(), .log_end = log_end_};
}

std::size_t EmbeddedLog::size_bytes() const { return size_bytes_; }

Result<void> EmbeddedLog::check_usable() const {
  if (removed_) return fail(ErrorCode::unknown_topic_or_partition, "the topic was deleted");
  if (closing_) return fail(ErrorCode::kafka_storage_error, "the engine is stopping");
  return {};
}

void EmbeddedLog::tell() {
  if (listener_ && !removed_) listener_(offsets());
}

// The segment that holds `offset`, or nullptr outside of all.
EmbeddedLog::Segment* EmbeddedLog::find_segment(Offset offset) {
  const auto above =
      std::upper_bound(segments_.begin(), segments_.end(), offset,
                       [](Offset o, const std::unique_ptr<Segment>& segment) { return o < segment->base; });
  if (above == segments_.begin()) return nullptr;
  Segment* segment = std::prev(above)->get();
  return offset < segment->end ? segment : nullptr;
}

EmbeddedLog::Segment* EmbeddedLog::segment_with_base(Offset base) {
  for (const auto& segment : segments_) {
    if (segment->base == base) return segment.get();
  }
  return nullptr;
}

// The last thing that an event does: whoever wakes may call in again.
void EmbeddedLog::resume_all(std::vector<Resume> resumes) {
  for (Resume& resume : resumes) {
    Resume now = std::move(resume);
    now();
  }
}

void EmbeddedLog::remove() {
  if (removed_) return;
  removed_ = true;
  const Error error{ErrorCode::unknown_topic_or_partition, "the topic was deleted"};
  fail_appends(error);
  fail_waiters(-1, error);
  if (tail_) home_.cache.clear(*tail_);
  for (const auto& segment : segments_) context_.files.forget(segment->file);
  unsynced_.clear();
  wake_idle();
}

Task<void> EmbeddedLog::close() {
  const auto self = shared_from_this();
  closing_ = true;
  const auto drained = [this] { return !busy_ && !syncing_ && !repairing_ && queue_.empty(); };
  for (int round = 0; round < 2; ++round) {
    while (!drained()) {
      auto park = [this](Resume resume) { idle_waiters_.push_back(std::move(resume)); };
      co_await suspend(park);
    }
    if (removed_ || broken_) co_return;
    if (round == 0 && durable_.offset < written_end_) request_sync();
  }
  if (!slot_dirty_ || durable_.offset != written_end_) co_return;
  // Indexes and the slot: what the next start would otherwise have to find out.
  auto job = std::make_unique<LogJob>();
  for (const auto& segment : segments_) {
    if (!segment->index || segment->index_sealed) continue;
    auto flush = segment->index->take_flush(SparseIndex::Seal{segment->end, segment->size});
    job->index_writes.push_back({index_path(*segment), std::move(flush)});
  }
  const Slot clean{.state = SlotState::clean, .end = durable_};
  auto finish = [this, self, &job, clean] {
    for (const IndexWrite& write : job->index_writes)
      IndexFile::write(*context_.vfs, write.path, write.flush);
    return context_.slots.write(id_, clean).has_value();
  };
  const bool settled = co_await context_.pool.run(Lane::log_write, std::move(finish));
  slot_dirty_ = !settled;
}

}  // namespace tidegate::storage::embedded
