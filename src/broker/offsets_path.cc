// Offsets by time, by epoch, and the log start.
#include "tidegate/broker/offsets_path.h"

#include <algorithm>
#include <utility>

#include "gather.h"
#include "leader_epochs.h"
#include "partition_table.h"
#include "scatter.h"
#include "tidegate/broker/broker.h"

namespace tidegate::broker {
namespace {

Task<OffsetAnswer> answer(PartitionTable& table, OffsetQuery query) {
  auto found = co_await table.find_open(query.partition);
  if (!found) co_return OffsetAnswer{.error = found.error().code};
  if (!table.may_tell(query.partition)) co_return OffsetAnswer{.error = ErrorCode::not_leader_or_follower};
  const PartitionPtr partition = *found;
  const ErrorCode fenced = check_leader_epoch(query.current_leader_epoch, partition->leader_epoch());
  if (fenced != ErrorCode::none) co_return OffsetAnswer{.error = fenced};

  storage::PartitionLog& log = *partition->log;
  const storage::LogOffsets offsets = log.offsets();
  switch (static_cast<OffsetSpec>(query.timestamp)) {
    case OffsetSpec::latest:
      co_return OffsetAnswer{.offset = offsets.high_watermark, .leader_epoch = log.leader_epoch()};
    case OffsetSpec::earliest:
    case OffsetSpec::earliest_local:
      co_return OffsetAnswer{.offset = offsets.log_start,
                             .leader_epoch = epoch_at(log.epochs(), offsets.log_start)};
    case OffsetSpec::latest_tiered:
    case OffsetSpec::earliest_pending_upload:
      co_return OffsetAnswer{};  // there is no tier below this one
    case OffsetSpec::max_timestamp:
    default:
      break;
  }
  const bool largest = query.timestamp == static_cast<std::int64_t>(OffsetSpec::max_timestamp);
  auto at = largest ? co_await log.max_timestamp(offsets.high_watermark)
                    : co_await log.offset_for_time(query.timestamp, offsets.high_watermark);
  if (!at) co_return OffsetAnswer{.error = at.error().code};
  co_return OffsetAnswer{.offset = at->offset, .timestamp = at->timestamp, .leader_epoch = at->leader_epoch};
}

Task<EpochEndAnswer> answer(PartitionTable& table, EpochEndQuery query) {
  auto found = co_await table.find_open(query.partition);
  if (!found) co_return EpochEndAnswer{.error = found.error().code};
  if (!table.may_tell(query.partition)) co_return EpochEndAnswer{.error = ErrorCode::not_leader_or_follower};
  const PartitionPtr partition = *found;
  const ErrorCode fenced = check_leader_epoch(query.current_leader_epoch, partition->leader_epoch());
  if (fenced != ErrorCode::none) co_return EpochEndAnswer{.error = fenced};
  const EpochEnd end =
      end_of_epoch(partition->log->epochs(), query.leader_epoch, partition->log->offsets().log_end);
  co_return EpochEndAnswer{.leader_epoch = end.epoch, .end_offset = end.end};
}

Task<LeaderEpoch> answer(PartitionTable& table, EpochAtQuery query) {
  auto found = co_await table.find_open(query.partition);
  if (!found || !table.may_tell(query.partition)) co_return kNoEpoch;
  co_return epoch_at((*found)->log->epochs(), query.offset);
}

Task<TrimAnswer> answer(PartitionTable& table, TrimQuery query) {
  auto found = co_await table.find_open(query.partition);
  if (!found) co_return TrimAnswer{.error = found.error().code};
  const PartitionPtr partition = *found;
  const Offset high_watermark = partition->log->offsets().high_watermark;
  const Offset to = query.offset == -1 ? high_watermark : query.offset;
  if (to < 0 || to > high_watermark) co_return TrimAnswer{.error = ErrorCode::offset_out_of_range};
  auto trimmed = co_await partition->log->trim_before(to);
  if (!trimmed) co_return TrimAnswer{.error = trimmed.error().code};
  co_return TrimAnswer{.log_start = *trimmed};
}

template <class Answer, class Query>
Task<void> answer_into(PartitionTable& table, Query query, std::shared_ptr<std::vector<Answer>> out,
                       std::size_t place) {
  Answer got = co_await answer(table, std::move(query));
  (*out)[place] = std::move(got);
}

template <class Answer, class Query>
Task<std::vector<Answer>> answer_all(PartitionTable& table, std::vector<Query> queries) {
  auto out = std::make_shared<std::vector<Answer>>(queries.size());
  Gather gather;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    gather.add(answer_into<Answer>(table, std::move(queries[i]), out, i), "offsets");
  }
  co_await gather.all();
  co_return std::move(*out);
}

template <class Answer, class Query>
Task<std::vector<Answer>> ask(const BrokerParts& parts, PartitionTables& tables, std::vector<Query> queries) {
  auto visit = [&tables](std::vector<Query> mine) {
    return answer_all<Answer>(tables.local(), std::move(mine));
  };
  co_return co_await scatter<Answer>(parts.shards, std::move(queries), std::move(visit));
}

}  // namespace

Task<std::vector<OffsetAnswer>> OffsetsPath::find(std::vector<OffsetQuery> queries) {
  return ask<OffsetAnswer>(parts_, tables_, std::move(queries));
}
Task<std::vector<EpochEndAnswer>> OffsetsPath::epoch_ends(std::vector<EpochEndQuery> queries) {
  return ask<EpochEndAnswer>(parts_, tables_, std::move(queries));
}
Task<std::vector<LeaderEpoch>> OffsetsPath::epochs_at(std::vector<EpochAtQuery> queries) {
  // A partition that is in its first epoch has no other, and its log need not be opened to know.
  std::vector<LeaderEpoch> epochs(queries.size(), 0);
  std::vector<EpochAtQuery> asked;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (parts_.engine.leader_epoch(queries[i].partition) == 0) continue;
    asked.push_back(queries[i]);
    places.push_back(i);
  }
  if (asked.empty()) co_return epochs;
  const auto answers = co_await ask<LeaderEpoch>(parts_, tables_, std::move(asked));
  for (std::size_t i = 0; i < places.size(); ++i) epochs[places[i]] = answers[i];
  co_return epochs;
}
Task<std::vector<TrimAnswer>> OffsetsPath::trim(std::vector<TrimQuery> queries) {
  return ask<TrimAnswer>(parts_, tables_, std::move(queries));
}

}  // namespace tidegate::broker
