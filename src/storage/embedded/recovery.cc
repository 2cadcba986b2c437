#include "recovery.h"

#include <algorithm>
#include <cerrno>

#include "compacted_segments.h"
#include "layout.h"
#include "tidegate/base/module_log.h"

namespace tidegate::storage::embedded {

namespace {

class Recovery {
 public:
  Recovery(EngineContext& context, const PartitionId& id)
      : context_(context), id_(id), dir_(layout::partition_dir(context.options.data_dir, id)) {}

  Result<RecoveredLog> run() {
    log_.log_start = context_.facts.log_start(id_);
    log_.epochs = context_.facts.epochs(id_);
    auto found = context_.slots.find(id_);
    if (auto listed = list_segments(); !listed) return error("cannot list", listed.error());
    if (found) {
      durable_ = found->slot.end;
    } else if (!log_.segments.empty()) {
      durable_ = {.offset = log_.segments.front().base, .segment = log_.segments.front().base, .position = 0};
    }
    // Everything up to there was synced before the first part of it was compacted, and positions in the
    // files of before mean nothing any more.
    if (durable_.offset <= compacted_end_)
      durable_ = {.offset = compacted_end_, .segment = compacted_end_, .position = 0};
    const bool clean = found && found->slot.state == SlotState::clean && ends_at_durable();
    if (!clean) {
      auto scanned = !found ? survey() : is_poisoned(*found) ? drop_above_durable() : scan();
      if (!scanned) return error("cannot read", scanned.error());
    }
    finish_ends();
    if (log_.cut || (found && may_have_lost_more(*found))) {
      if (auto raised = raise_epoch(); !raised) return fail(std::move(raised.error()));
    }
    if (auto applied = apply(); !applied) return error("cannot cut", applied.error());
    if (!clean && (found || !log_.segments.empty())) settle();
    return std::move(log_);
  }

 private:
  std::unexpected<Error> error(const char* what, const IoError& io) {
    return fail(storage_error(fmt::format("{} {}", what, dir_), io));
  }

  IoResult<void> list_segments() {
    auto names = context_.vfs->list(dir_);
    if (!names) {
      if (names.error().code == ENOENT) return {};
      return std::unexpected(names.error());
    }
    // What compaction replaced does not count, nor what it had begun to put in its place.
    auto compacted = settle_compacted(context_, id_, dir_, log_.log_start, *names);
    if (!compacted) return std::unexpected(compacted.error());
    std::vector<Offset> bases;
    compacted_end_ = compacted->end;
    for (const CompactedSegment& segment : compacted->segments) bases.push_back(segment.base);
    for (const auto& name : *names) {
      if (const auto base = layout::segment_base(name)) bases.push_back(*base);
    }
    std::sort(bases.begin(), bases.end());
    // The last one below log start begins the log; what is in front of it was dropped before the crash.
    while (bases.size() > 1 && bases[1] <= log_.log_start) {
      removed_.push_back(bases.front());
      bases.erase(bases.begin());
    }
    for (const Offset base : bases) {
      const auto made = std::ranges::find(compacted->segments, base, &CompactedSegment::base);
      if (made != compacted->segments.end()) {
        log_.segments.push_back({made->base, made->end, made->size, made->generation});
        continue;
      }
      auto info = context_.vfs->info(layout::segment_path(dir_, base));
      if (!info) return std::unexpected(info.error());
      log_.segments.push_back({.base = base, .end = 0, .size = info->size});
    }
    return {};
  }

  bool ends_at_durable() {
    if (log_.segments.empty()) return true;
    const FoundSegment& last = log_.segments.back();
    log_.log_end = durable_.offset;
    return last.base == durable_.segment && last.size == durable_.position;
  }

  // A sync failed and the machine was not started again: reads above the durable end may show what the
  // disk never got.
  bool is_poisoned(const SlotFile::Found& found) const {
    return found.slot.broken && context_.slots.is_of_this_boot(found.run);
  }

  // Readers may have seen what a power cut took, also when it took it at a batch's border, where nothing
  // looks torn. As long as the machine was not started again the page cache has lost nothing.
  bool may_have_lost_more(const SlotFile::Found& found) const {
    return found.slot.state == SlotState::dirty && found.run.shows_unsynced &&
           !context_.slots.is_of_this_boot(found.run);
  }

  IoResult<void> drop_above_durable() {
    auto& segments = log_.segments;
    std::size_t kept = 0;
    while (kept < segments.size() && segments[kept].base < durable_.segment) ++kept;
    if (kept < segments.size() && segments[kept].base == durable_.segment && durable_.position > 0) {
      FoundSegment& last = segments[kept++];
      if (last.size > durable_.position) {
        log_.cut = true;
        last.size = durable_.position;
        truncate_ = last;
        checked_.push_back(last.base);
      }
    }
    drop_from(kept);
    log_.must_roll = true;
    log_.log_end = durable_.offset;
    return {};
  }

  void drop_from(std::size_t first) {
    for (std::size_t i = first; i < log_.segments.size(); ++i) {
      log_.cut |= log_.segments[i].size > 0;
      removed_.push_back(log_.segments[i].base);
    }
    log_.segments.resize(std::min(first, log_.segments.size()));
  }

  // Checks everything above the durable end.
  IoResult<void> scan() {
    auto& segments = log_.segments;
    Offset expected = durable_.offset;
    std::size_t i = 0;
    std::uint64_t position = 0;
    while (i < segments.size() && segments[i].base < durable_.segment) ++i;
    if (i < segments.size() && segments[i].base == durable_.segment) {
      position = durable_.position;
    } else if (i < segments.size() && segments[i].base > expected && segments[i].base <= log_.log_start) {
      // The slot is from before log start moved beyond it. What is left begins at or below log start.
      expected = segments[i].base;
    } else {
      // That file is gone, or never came to be: the log goes on in a file that begins at the durable end.
      while (i < segments.size() && segments[i].base < durable_.offset) ++i;
      log_.must_roll = true;
    }
    for (bool first = true; i < segments.size(); ++i, position = 0, first = false) {
      FoundSegment& segment = segments[i];
      const bool known = first && position > 0;
      if (!known && segment.base != expected) break;
      if (segment.size < position) {  // shorter than what was synced: damage, not a torn tail
        log_.must_roll = true;
        continue;
      }
      auto good = check_segment(i, position, expected);
      if (!good) return std::unexpected(good.error());
      log_.must_roll = false;
      if (*good) continue;
      ++i;
      break;
    }
    drop_from(i);
    log_.log_end = expected;
    return {};
  }

  // Without its slot nothing is known of what was durable. A slot is on disk before its partition's first
  // batch, so it was lost to damage and not to a power cut: bad bytes with good batches behind them are
  // damage too, and only those at the end are a torn tail.
  IoResult<void> survey() {
    auto& segments = log_.segments;
    std::size_t kept = 0;  // up to and with the last one that holds a good batch
    Offset end = durable_.offset;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      FoundSegment& segment = segments[i];
      if (segment.generation > 0) {  // it was durable as a whole, or it would not be here
        kept = i + 1;
        end = segment.end;
        tail_position_ = segment.size;
        continue;
      }
      const bool last = i + 1 == segments.size();
      const Offset next_base = last ? kOpenEnd : segments[i + 1].base;
      auto file = context_.vfs->open(layout::segment_path(dir_, segment.base), OpenMode::existing);
      if (!file) return std::unexpected(file.error());
      BatchWalker walker(**file, {0, segment.size, segment.base, next_base}, log_.epochs,
                         {.check_crc = true, .window_bytes = 1U << 20});
      checked_.push_back(segment.base);
      for (;;) {
        const BatchWalker::Step step = walker.look();
        if (step == BatchWalker::Step::failed) return std::unexpected(walker.error());
        if (step == BatchWalker::Step::end) break;
        if (step == BatchWalker::Step::damaged && !walker.resync()) break;
        if (step == BatchWalker::Step::batch) walker.pass();
        if (walker.expected() == segment.base) continue;
        kept = i + 1;
        end = walker.expected();
        tail_position_ = walker.position();
      }
    }
    if (kept < segments.size()) {
      // With nothing good anywhere the first file stays, empty: its name says where the log was.
      if (kept == 0) {
        kept = 1;
        tail_position_ = 0;
      }
      drop_from(kept);
    }
    if (!segments.empty() && segments.back().size > tail_position_) {
      log_.cut = true;
      segments.back().size = tail_position_;
      truncate_ = segments.back();
    }
    log_.log_end = end;
    return {};
  }

  // True when the segment is good to its end (or the log went on in the next one); else it is cut where
  // it stops being good.
  IoResult<bool> check_segment(std::size_t i, std::uint64_t position, Offset& expected) {
    FoundSegment& segment = log_.segments[i];
    if (segment.size == position) return true;
    auto file = context_.vfs->open(layout::segment_path(dir_, segment.base), OpenMode::existing);
    if (!file) return std::unexpected(file.error());
    const bool last = i + 1 == log_.segments.size();
    const Offset next_base = last ? kOpenEnd : log_.segments[i + 1].base;
    BatchWalker walker(**file, {position, segment.size, expected, next_base}, log_.epochs,
                       {.check_crc = true, .window_bytes = 1U << 20});
    BatchWalker::Step step;
    while ((step = walker.look()) == BatchWalker::Step::batch) walker.pass();
    if (step == BatchWalker::Step::failed) return std::unexpected(walker.error());
    expected = walker.expected();
    checked_.push_back(segment.base);
    if (walker.position() == segment.size) return true;
    segment.size = walker.position();
    if (expected == next_base) return true;  // what a failed write left behind the log's way
    log_.cut = true;
    truncate_ = segment;
    return false;
  }

  void finish_ends() {
    auto& segments = log_.segments;
    if (segments.empty()) log_.log_end = std::max(durable_.offset, log_.log_end);
    if (log_.log_end < log_.log_start) {
      // Deleted up to a point that was lost with the tail.
      for (const FoundSegment& segment : segments) removed_.push_back(segment.base);
      segments.clear();
      truncate_.reset();
      log_.log_end = log_.log_start;
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].generation > 0) continue;
      segments[i].end = i + 1 < segments.size() ? segments[i + 1].base : log_.log_end;
    }
    if (segments.empty() || segments.back().generation > 0) log_.must_roll = true;
    // An empty file of the right name serves as it is.
    if (!segments.empty() && segments.back().size == 0 && segments.back().base == log_.log_end)
      log_.must_roll = false;
    if (log_.must_roll) {
      // Names a file that is not there yet, so that the next start comes to the same conclusion.
      log_.durable = {.offset = log_.log_end, .segment = log_.log_end, .position = 0};
    } else {
      log_.durable = {
          .offset = log_.log_end, .segment = segments.back().base, .position = segments.back().size};
    }
  }

  Result<void> raise_epoch() {
    auto raised = next_epoch(log_.epochs, log_.log_end);
    if (auto stored = context_.facts.set_epochs(id_, raised); !stored) return stored;
    log_.epochs = std::move(raised);
    if (log_.cut) context_.metrics.recovered_cuts.add();
    module_log().warn("event={} topic_id={} partition={} log_end={} leader_epoch={}",
                      log_.cut ? "log_cut" : "log_tail_unknown", id_.topic.to_string(), id_.index,
                      log_.log_end, log_.epochs->back().epoch);
    return {};
  }

  IoResult<void> apply() {
    for (const Offset base : removed_) {
      static_cast<void>(context_.vfs->unlink(layout::index_path(dir_, base)));
      auto gone = context_.vfs->unlink(layout::segment_path(dir_, base));
      if (!gone && gone.error().code != ENOENT) return gone;
    }
    if (truncate_) {
      auto file = context_.vfs->open(layout::segment_path(dir_, truncate_->base), OpenMode::existing);
      if (!file) return std::unexpected(file.error());
      if (auto cut = (*file)->truncate(truncate_->size); !cut) return cut;
    }
    for (const Offset base : checked_) {
      auto file = context_.vfs->open(layout::segment_path(dir_, base), OpenMode::existing);
      if (!file && file.error().code == ENOENT) continue;  // removed above
      if (!file) return std::unexpected(file.error());
      if (auto synced = (*file)->datasync(); !synced) return synced;
    }
    if (!checked_.empty() || !removed_.empty()) return sync_dirs(context_, dir_);
    return {};
  }

  void settle() {
    context_.slots.allot(id_);
    static_cast<void>(context_.slots.write(id_, {.state = SlotState::clean, .end = log_.durable}));
  }

  EngineContext& context_;
  const PartitionId id_;
  const std::string dir_;
  RecoveredLog log_;
  DurableEnd durable_;
  Offset compacted_end_ = -1;  // of the last compacted segment
  std::vector<Offset> removed_;
  std::vector<Offset> checked_;  // with bytes that may not be synced
  std::optional<FoundSegment> truncate_;
  std::uint64_t tail_position_ = 0;  // behind the last good batch
};

}  // namespace

Result<RecoveredLog> recover_log(EngineContext& context, const PartitionId& id) {
  return Recovery(context, id).run();
}

}  // namespace tidegate::storage::embedded
