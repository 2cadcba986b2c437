// Producer state of a partition, kept in step with its log.
#include "producer_log.h"

#include <string>
#include <utility>

#include "tidegate/base/module_log.h"
#include "tidegate/broker/broker.h"

namespace tidegate::broker {
namespace {

constexpr std::size_t kSnapshotEveryBytes = 64U << 20;
constexpr std::size_t kHeadersPerScan = 4096;
// After a take-over. A producer that has several batches in the pipe when the partition comes may have been
// sent away with the first by whoever was here before; it repeats that at once.
constexpr auto kSettlingTime = std::chrono::seconds(5);

// Sequences go round behind 2^31 - 1.
bool precedes(std::int32_t sequence, std::int32_t other) {
  const auto ahead =
      (static_cast<std::uint32_t>(other) - static_cast<std::uint32_t>(sequence)) & 0x7FFF'FFFFU;
  return ahead != 0 && ahead < 0x4000'0000U;
}

Error just_moved() {
  return {ErrorCode::not_leader_or_follower,
          "the partition has just moved here, and a batch in front may have been refused elsewhere"};
}

std::string scope_of(const PartitionId& partition) {
  return ProducerLog::scope_prefix(partition.topic) + std::to_string(partition.index);
}

}  // namespace

producers::ProducerLimits producer_limits(const ConfigValues& config) {
  producers::ProducerLimits limits;
  limits.max_producers = static_cast<std::size_t>(config.integer("partition.max.producers"));
  limits.expiration = std::chrono::milliseconds(config.integer("producer.id.expiration.ms"));
  return limits;
}

void ProducerLog::set_limits(producers::ProducerLimits limits) {
  limits_ = limits;
  table_ = producers::ProducerStateTable(limits);
}

bool ProducerLog::remember(const protocol::BatchHeader& header, Offset offset, MonoTime now) {
  const auto known = first_batches_.find(header.producer_id);
  if (known == first_batches_.end() && first_batches_.size() >= limits_.max_producers) {
    // None is dropped for another: each stands for a batch that is still to come.
    unsure_until_ = now + limits_.expiration;
    return false;
  }
  first_batches_[header.producer_id] = {header.producer_epoch, header.base_sequence, offset, now};
  return true;
}

void ProducerLog::turned_away(const protocol::BatchHeader& header, ErrorCode reason, MonoTime now) {
  if (header.producer_id < 0 || table_.find(header.producer_id) != nullptr) return;
  const auto known = first_batches_.find(header.producer_id);
  if (known != first_batches_.end()) {
    const FirstBatch& first = known->second;
    if (first.epoch > header.producer_epoch) return;
    if (first.epoch == header.producer_epoch && !precedes(header.base_sequence, first.sequence)) return;
  }
  if (remember(header, -1, now)) first_batches_[header.producer_id].reason = reason;
}

void ProducerLog::put_off(const protocol::BatchHeader& header, ErrorCode reason) {
  if (header.producer_id < 0) return;
  if (table_.find(header.producer_id) == nullptr) {
    const auto first = first_batches_.find(header.producer_id);
    if (first != first_batches_.end()) first->second.reason = reason;
    return;
  }
  const auto known = put_off_.find(header.producer_id);
  // What was in front of it comes first.
  if (known != put_off_.end() && known->second.epoch >= header.producer_epoch) return;
  if (known == put_off_.end() && put_off_.size() >= limits_.max_producers) return;
  put_off_[header.producer_id] = {header.producer_epoch, header.base_sequence, reason};
}

producers::Verdict ProducerLog::prepare(const protocol::BatchHeader& header, MonoTime now) {
  auto verdict = table_.prepare(header, now);
  const auto before = put_off_.find(header.producer_id);
  if (verdict.kind == producers::Verdict::Kind::append) {
    if (before != put_off_.end()) put_off_.erase(before);
    return verdict;
  }
  if (verdict.kind != producers::Verdict::Kind::refused ||
      verdict.error.code != ErrorCode::out_of_order_sequence_number)
    return verdict;
  if (before != put_off_.end() && before->second.epoch == header.producer_epoch &&
      before->second.sequence != header.base_sequence) {
    verdict.error = {before->second.reason, "a batch in front of it was refused and comes first"};
  } else if (is_settling(now)) {
    verdict.error = just_moved();
  }
  return verdict;
}

producers::Verdict ProducerLog::next(protocol::BatchHeader header, const storage::LogOffsets& offsets,
                                     MonoTime now) {
  header.base_offset = offsets.log_end;
  if (header.producer_id < 0) return table_.prepare(header, now);
  table_.expire(now);  // looks at the oldest first and ends there: an expired producer is an unknown one
  if (table_.find(header.producer_id) != nullptr) return prepare(header, now);

  return next_of_unknown(header, now);
}

producers::Verdict ProducerLog::next_of_unknown(const protocol::BatchHeader& header, MonoTime now) {
  producers::Verdict refused{.kind = producers::Verdict::Kind::refused};
  const auto first = first_batches_.find(header.producer_id);
  const bool has_first = first != first_batches_.end() && first->second.epoch == header.producer_epoch;
  if (has_first && precedes(first->second.sequence, header.base_sequence)) {
    refused.error = {first->second.reason, "the producer's first batch was refused and comes first"};
    return refused;
  }
  if (!has_first && header.base_sequence != 0 && is_settling(now)) {
    refused.error = just_moved();
    return refused;
  }
  const bool unsure = unsure_until_ && now < *unsure_until_;
  if ((first == first_batches_.end() && unsure && header.base_sequence != 0) || !remember(header, -1, now)) {
    refused.error = {ErrorCode::request_timed_out,
                     "too many producers of this partition wait for their first batch"};
    return refused;
  }
  auto verdict = table_.prepare(header, now);
  if (verdict.kind == producers::Verdict::Kind::append)
    first_batches_[header.producer_id].offset = header.base_offset;
  return verdict;
}

void ProducerLog::expire(MonoTime now) {
  table_.expire(now);
  std::erase_if(put_off_, [this](const auto& one) { return table_.find(one.first) == nullptr; });
  std::erase_if(first_batches_,
                [&](const auto& first) { return now - first.second.seen >= limits_.expiration; });
  if (unsure_until_ && now >= *unsure_until_) unsure_until_.reset();
}

void ProducerLog::follow(const storage::LogOffsets& offsets) {
  if (offsets.log_end < table_.prepared_end() && !table_.roll_back_to(offsets.log_end)) lost_ = true;
  if (lost_) return;
  table_.committed_up_to(offsets.high_watermark);
  if (first_batches_.empty()) return;
  std::erase_if(first_batches_, [this](const auto& first) {
    return first.second.offset < table_.durable_end() && table_.find(first.first) != nullptr;
  });
}

Task<Result<void>> ProducerLog::recover(const BrokerParts& parts, PartitionId partition,
                                        std::shared_ptr<storage::PartitionLog> log) {
  const storage::LogOffsets offsets = log->offsets();
  const MonoTime now = parts.clock.now();
  if (parts.cluster.has_peers()) settle_until(now + kSettlingTime);
  producers::ProducerStateTable table(limits_, offsets.log_start);
  if (offsets.log_end > 0) {  // nothing was ever written otherwise, a snapshot neither
    auto stored = co_await parts.engine.meta().get(scope_of(partition), ProducerLog::kSnapshotKey);
    const bool damaged = !stored && stored.error().code == ErrorCode::corrupt_message;
    if (!stored && !damaged) co_return fail(std::move(stored.error()));
    if (damaged) {
      // The log has it all: only a snapshot is lost, and its place is made free for the next.
      module_log().warn("event=producer_snapshot_unreadable partition={}/{} error=\"{}\"",
                        partition.topic.to_string(), partition.index, stored.error().message);
      static_cast<void>(co_await parts.engine.meta().erase_damaged(scope_of(partition)));
    } else if (*stored) {
      auto parsed =
          producers::ProducerStateTable::parse(SharedBuffer::copy_of(as_bytes(**stored)), limits_, now);
      if (!parsed) {
        module_log().warn("event=producer_snapshot_unreadable partition={}/{} error=\"{}\"",
                          partition.topic.to_string(), partition.index, parsed.error().message);
      } else if (parsed->durable_end() <= offsets.log_end) {
        table = std::move(*parsed);
      }
    }
  }
  saved_end_ = table.durable_end();
  Offset from = std::max(table.durable_end(), offsets.log_start);
  while (from < offsets.log_end) {
    auto headers = co_await log->scan_headers(from, offsets.log_end, kHeadersPerScan);
    if (!headers) co_return fail(std::move(headers.error()));
    if (headers->empty()) break;
    for (const protocol::BatchHeader& header : *headers) {
      if (header.base_offset < table.durable_end()) continue;  // reaches below `from`: counted already
      table.replay(header, now);
      unsaved_bytes_ += header.size_bytes();
    }
    from = std::max(from + 1, headers->back().next_offset());
  }
  table.committed_up_to(offsets.log_end);
  table_ = std::move(table);
  lost_ = false;
  co_return Result<void>{};
}

bool ProducerLog::wants_snapshot(bool any) const {
  if (saving_ || lost_ || table_.durable_end() <= saved_end_) return false;
  return any || unsaved_bytes_ >= kSnapshotEveryBytes;
}

Task<Result<void>> ProducerLog::write_snapshot(const BrokerParts& parts, PartitionId partition) {
  saving_ = true;
  const Offset end = table_.durable_end();
  const std::size_t bytes = unsaved_bytes_;
  const SharedBuffer state = table_.serialise(parts.clock.now());
  std::vector<storage::MetaOp> ops;
  ops.push_back({.kind = storage::MetaOp::Kind::put,
                 .key = ProducerLog::kSnapshotKey,
                 .value = std::string(as_text(state.bytes()))});
  auto written = co_await parts.engine.meta().put_batch(scope_of(partition), 0, std::move(ops),
                                                        storage::MetaDurability::policy);
  saving_ = false;
  // Counted as done even when it failed: the next attempt comes after as much log again, not at once.
  unsaved_bytes_ -= std::min(bytes, unsaved_bytes_);
  if (!written) co_return fail(std::move(written.error()));
  saved_end_ = end;
  co_return Result<void>{};
}

}  // namespace tidegate::broker
