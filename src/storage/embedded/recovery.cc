#include "recovery.h"

#include <algorithm>
#include <cerrno>

#include <spdlog/spdlog.h>

#include "layout.h"

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
    const bool clean = found && found->slot.state == SlotState::clean && ends_at_durable();
    if (!clean) {
      if (auto scanned = scan(); !scanned) return error("cannot read", scanned.error());
    }
    finish_ends();
    if (log_.cut) {
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
    std::vector<Offset> bases;
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

  // Checks everything above the durable end.
  IoResult<void> scan() {
    auto& segments = log_.segments;
    Offset expected = durable_.offset;
    std::size_t i = 0;
    std::uint64_t position = 0;
    while (i < segments.size() && segments[i].base < durable_.segment) ++i;
    if (i < segments.size() && segments[i].base == durable_.segment) {
      position = durable_.position;
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
    for (std::size_t dropped = i; dropped < segments.size(); ++dropped) {
      log_.cut |= segments[dropped].size > 0;
      removed_.push_back(segments[dropped].base);
    }
    segments.resize(std::min(i, segments.size()));
    log_.log_end = expected;
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
    const Offset next_base = last ? std::numeric_limits<Offset>::max() : log_.segments[i + 1].base;
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
      segments[i].end = i + 1 < segments.size() ? segments[i + 1].base : log_.log_end;
    }
    if (segments.empty()) log_.must_roll = true;
    // An empty file of the right name serves as it is.
    if (!segments.empty() && segments.back().size == 0 && segments.back().base == log_.log_end) log_.must_roll = false;
    if (log_.must_roll) {
      // Names a file that is not there yet, so that the next start comes to the same conclusion.
      log_.durable = {.offset = log_.log_end, .segment = log_.log_end, .position = 0};
    } else {
      log_.durable = {.offset = log_.log_end, .segment = segments.back().base, .position = segments.back().size};
    }
  }

  Result<void> raise_epoch() {
    auto raised = next_epoch(log_.epochs, log_.log_end);
    if (auto stored = context_.facts.set_epochs(id_, raised); !stored) return stored;
    log_.epochs = std::move(raised);
    context_.metrics.recovered_cuts.add();
    spdlog::warn("event=log_cut topic_id={} partition={} log_end={} leader_epoch={}", id_.topic.to_string(),
                 id_.index, log_.log_end, log_.epochs->back().epoch);
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
    SlotRef ref = context_.slots.allot(id_);
    static_cast<void>(context_.slots.write(id_, ref, {SlotState::clean, log_.durable}));
  }

  EngineContext& context_;
  const PartitionId id_;
  const std::string dir_;
  RecoveredLog log_;
  DurableEnd durable_;
  std::vector<Offset> removed_;
  std::vector<Offset> checked_;  // with bytes that may not be synced
  std::optional<FoundSegment> truncate_;
};

}  // namespace

Result<RecoveredLog> recover_log(EngineContext& context, const PartitionId& id) { return Recovery(context, id).run(); }

}  // namespace tidegate::storage::embedded
