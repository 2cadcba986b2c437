#include "compaction/partition_cleaner.h"

#include <algorithm>
#include <cstring>

#include "tidegate/runtime/submit.h"

namespace tidegate::broker {
namespace {

using protocol::RecordBatch;
using storage::CleanableRange;
using storage::ReadResult;
using Batches = std::vector<RecordBatch>;

std::unexpected<Error> stopped() { return fail(ErrorCode::request_timed_out, "compaction is stopping"); }

// Whole batches out of chunks that may end anywhere.
Result<Batches> batches_of(const ReadResult& read) {
  SharedBuffer bytes;
  if (read.chunks.size() == 1) {
    bytes = read.chunks.front();
  } else {
    MutableBuffer joined(read.size_bytes);
    std::size_t at = 0;
    for (const SharedBuffer& chunk : read.chunks) {
      std::memcpy(joined.data() + at, chunk.data(), chunk.size());
      at += chunk.size();
    }
    bytes = std::move(joined).freeze();
  }
  auto split = protocol::split_batches(bytes);
  if (!split) return fail(std::move(split.error()));
  if (split->trailing_bytes > 0) return fail(ErrorCode::corrupt_message, "a read ended inside of a batch");
  return std::move(split->batches);
}

// One pass; alive until clean_partition() ends.
class Pass {
 public:
  Pass(std::shared_ptr<storage::PartitionLog> log, DirtyStretch dirty, SieveRules rules, CleaningMeans means)
      : log_(std::move(log)),
        dirty_(dirty),
        rules_(std::move(rules)),
        means_(means),
        map_(map_bytes(dirty, means), means.map_load, means.secret) {}

  Task<Result<CleaningReport>> run() {
    if (auto mapped = co_await fill_map(); !mapped) co_return fail(std::move(mapped.error()));
    // What supersedes is on disk before anything that it supersedes is gone from there.
    if (auto flushed = co_await log_->flush(); !flushed) co_return fail(std::move(flushed.error()));
    sieve_.emplace(map_, rules_);
    // Oldest first: a tombstone is looked at when everything older of its key has gone.
    Offset from = log_->offsets().log_start;
    while (from < rules_.map_end) {
      const auto range = range_at(from);
      if (!range) break;
      position_ = range->begin;
      range_ = *range;
      const storage::BatchSource source = [this] { return next(); };
      if (auto replaced = co_await log_->replace(*range, source); !replaced)
        co_return fail(std::move(replaced.error()));
      from = range->end;
    }
    report_.cleaned_to = rules_.map_end;
    report_.records = sieve_->counts();
    co_return report_;
  }

 private:
  // No more than every offset of the stretch with a key of its own could fill.
  static std::size_t map_bytes(const DirtyStretch& dirty, const CleaningMeans& means) {
    const auto offsets = static_cast<double>(std::max<Offset>(dirty.end - dirty.first_dirty, 1));
    const double wanted = (offsets / means.map_load + 2) * static_cast<double>(KeyOffsets::kSlotBytes);
    return static_cast<std::size_t>(std::min(wanted, static_cast<double>(means.map_bytes)));
  }

  // The first range that reaches above `from`. Asked anew each time: what was put back is smaller now, and
  // may come as one range with what follows.
  std::optional<CleanableRange> range_at(Offset from) const {
    for (const CleanableRange& range : log_->cleanable(dirty_.end)) {
      if (range.end > from) return range.begin < rules_.map_end ? std::optional(range) : std::nullopt;
    }
    return std::nullopt;
  }

  Task<Result<ReadResult>> read(Offset from, Offset end) {
    auto some =
        co_await log_->read(from, {.max_bytes = means_.read_bytes, .at_least_one_batch = true, .end = end});
    if (!some) co_return some;
    report_.bytes_read += some->size_bytes;
    if (!co_await means_.throttle.spend(some->size_bytes)) co_return stopped();
    co_return some;
  }

  Task<Result<void>> fill_map() {
    KeyMapper mapper(map_, dirty_.first_dirty, rules_.limits);
    bool room = true;
    for (Offset from = dirty_.first_dirty; room && from < dirty_.end;) {
      auto some = co_await read(from, dirty_.end);
      if (!some) co_return fail(std::move(some.error()));
      if (some->batches == 0) {
        mapper.reach(dirty_.end);  // a gap up to the end
        break;
      }
      from = some->next_offset;
      auto work = [&mapper, held = std::move(*some)]() -> Result<bool> {
        auto batches = batches_of(held);
        if (!batches) return fail(std::move(batches.error()));
        for (const RecordBatch& batch : *batches) {
          auto added = mapper.add(batch);
          if (!added || !*added) return added;
        }
        return true;
      };
      auto added = co_await means_.blocking.run(Lane::cpu, std::move(work));
      if (!added) co_return fail(std::move(added.error()));
      room = *added;
    }
    rules_.map_end = mapper.end();
    co_return Result<void>();
  }

  // What replace() asks for, piece by piece.
  Task<Result<Batches>> next() {
    while (position_ < range_.end) {
      auto some = co_await read(position_, range_.end);
      if (!some) co_return fail(std::move(some.error()));
      if (some->batches == 0) break;
      position_ = some->next_offset;
      auto work = [this, held = std::move(*some)] { return sift(held); };
      auto left = co_await means_.blocking.run(Lane::cpu, std::move(work));
      if (!left) co_return left;
      if (left->empty()) continue;
      std::uint64_t bytes = 0;
      for (const RecordBatch& batch : *left) bytes += batch.bytes.size();
      report_.bytes_written += bytes;
      if (!co_await means_.throttle.spend(bytes)) co_return stopped();
      if (!means_.stored_values) co_return left;
      for (RecordBatch& batch : *left) {
        auto stored = co_await means_.stored_values(batch);
        if (!stored) co_return fail(std::move(stored.error()));
        batch.stored_values = std::move(*stored);
      }
      co_return left;
    }
    co_return Batches();
  }

  Result<Batches> sift(const ReadResult& read) {
    auto batches = batches_of(read);
    if (!batches) return batches;
    Batches left;
    for (const RecordBatch& batch : *batches) {
      auto passed = sieve_->pass(batch);
      if (!passed) return fail(std::move(passed.error()));
      if (*passed) left.push_back(std::move(**passed));
    }
    return left;
  }

  const std::shared_ptr<storage::PartitionLog> log_;
  const DirtyStretch dirty_;
  SieveRules rules_;
  const CleaningMeans means_;
  KeyOffsets map_;
  std::optional<RecordSieve> sieve_;
  CleanableRange range_;
  Offset position_ = 0;
  CleaningReport report_;
};

}  // namespace

Task<Result<CleaningReport>> clean_partition(std::shared_ptr<storage::PartitionLog> log, DirtyStretch dirty,
                                             SieveRules rules, CleaningMeans means) {
  // The map may be large: the shard does not fill it with zeroes.
  auto make = [&] { return std::make_unique<Pass>(std::move(log), dirty, std::move(rules), means); };
  const auto pass = co_await means.blocking.run(Lane::cpu, std::move(make));
  co_return co_await pass->run();
}

}  // namespace tidegate::broker
