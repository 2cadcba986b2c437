#include "compaction/dirty_log.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace tidegate::broker {
namespace {

constexpr std::string_view kVersion = "1 ";

template <class Int>
bool take_number(std::string_view& text, Int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string scope_of(const PartitionId& partition) {
  return checkpoint_scope_prefix(partition.topic) + std::to_string(partition.index);
}

std::int64_t time_of(const protocol::BatchHeader& header) {
  const bool first_is_known =
      !header.has_delete_horizon() && header.timestamp_type() == protocol::TimestampType::create_time;
  return first_is_known ? header.base_timestamp : header.max_timestamp;
}

}  // namespace

std::string CleanerCheckpoint::encode() const { return fmt::format("{}{} {}", kVersion, first_dirty, epoch); }

std::optional<CleanerCheckpoint> CleanerCheckpoint::decode(std::string_view text) {
  CleanerCheckpoint checkpoint;
  if (!text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  if (!take_number(text, checkpoint.first_dirty) || !text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, checkpoint.epoch) || !text.empty() || checkpoint.first_dirty < 0)
    return std::nullopt;
  return checkpoint;
}

Offset CleanerCheckpoint::apply(const storage::PartitionLog& log) const {
  const storage::LogOffsets offsets = log.offsets();
  const auto cut_below = [this](const storage::EpochStart& one) {
    return one.epoch > epoch && one.start < first_dirty;
  };
  if (first_dirty > offsets.log_end || std::ranges::any_of(log.epochs(), cut_below)) return offsets.log_start;
  return std::max(first_dirty, offsets.log_start);
}

std::string checkpoint_scope_prefix(const TopicId& topic) { return "compaction/" + topic.to_string() + "/"; }

Task<Result<std::optional<CleanerCheckpoint>>> load_checkpoint(storage::MetaStore& meta,
                                                               PartitionId partition) {
  auto stored = co_await meta.get(scope_of(partition), kCheckpointKey);
  // One that cannot be read costs another cleaning of everything.
  if (!stored && stored.error().code == ErrorCode::corrupt_message) {
    static_cast<void>(co_await meta.erase_damaged(scope_of(partition)));
    co_return std::optional<CleanerCheckpoint>();
  }
  if (!stored) co_return fail(std::move(stored.error()));
  if (!*stored) co_return std::optional<CleanerCheckpoint>();
  co_return CleanerCheckpoint::decode(**stored);
}

Task<Result<void>> store_checkpoint(storage::MetaStore& meta, PartitionId partition,
                                    CleanerCheckpoint checkpoint) {
  std::vector<storage::MetaOp> ops;
  ops.push_back({.kind = storage::MetaOp::Kind::put, .key = kCheckpointKey, .value = checkpoint.encode()});
  return meta.put_batch(scope_of(partition), 0, std::move(ops), storage::MetaDurability::policy);
}

Task<Result<std::optional<DirtyLog>>> assess_log(std::shared_ptr<storage::PartitionLog> log,
                                                 Offset first_dirty, Offset stable_end,
                                                 CompactionSettings settings, std::int64_t now_ms) {
  using Assessed = std::optional<DirtyLog>;
  Offset bound = std::min(stable_end, log->offsets().high_watermark);
  if (log->cleanable(bound).empty()) co_return Assessed();
  if (settings.min_lag_ms > 0) {
    // The first record that is too young, and everything behind it, waits.
    const std::int64_t youngest = now_ms - std::min(settings.min_lag_ms, now_ms);
    auto young = co_await log->offset_for_time(youngest + 1, bound);
    if (!young) co_return fail(std::move(young.error()));
    if (young->offset >= 0) bound = std::min(bound, young->offset);
  }
  const auto ranges = log->cleanable(bound);
  if (ranges.empty() || ranges.back().end <= first_dirty) co_return Assessed();
  DirtyLog dirty;
  dirty.stretch = {.first_dirty = first_dirty, .end = ranges.back().end};
  const std::size_t all = log->readable_bytes(log->offsets().log_start, dirty.stretch.end);
  const std::size_t unclean =
      log->readable_bytes(std::max(first_dirty, log->offsets().log_start), dirty.stretch.end);
  if (unclean == 0) co_return Assessed();
  dirty.bytes = unclean;
  dirty.ratio = all == 0 ? 0 : static_cast<double>(std::min(unclean, all)) / static_cast<double>(all);
  if (settings.max_lag_ms < std::numeric_limits<std::int64_t>::max()) {
    auto first = co_await log->scan_headers(first_dirty, dirty.stretch.end, 1);
    if (!first) co_return fail(std::move(first.error()));
    const std::int64_t oldest = first->empty() ? -1 : time_of(first->front());
    dirty.overdue = oldest > 0 && now_ms > oldest && now_ms - oldest > settings.max_lag_ms;
  }
  co_return Assessed(dirty);
}

}  // namespace tidegate::broker
